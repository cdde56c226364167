//! Access tokens: short-lived JWTs, signed with HS256 and nothing else.

use gallae_ports::Clock;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc, time::Duration};
use uuid::Uuid;

/// A secret that never shows itself.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for who needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The user.
    pub sub: Uuid,
    /// `user` or `admin`.
    pub role: String,
    /// Who issued it.
    pub iss: String,
    /// Seconds since the epoch.
    pub iat: i64,
    /// Seconds since the epoch; not valid from then on.
    pub exp: i64,
}

/// Makes and checks access tokens.
pub struct AccessTokens {
    signing: EncodingKey,
    checking: DecodingKey,
    issuer: String,
    lifetime: Duration,
    clock: Arc<dyn Clock>,
}

/// Why a token is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// It is not one of ours.
    #[error("the token is not valid")]
    Invalid,
}

impl AccessTokens {
    /// Tokens signed with `secret`, valid for `lifetime`.
    pub fn new(
        secret: &Secret,
        issuer: impl Into<String>,
        lifetime: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let bytes = secret.reveal().as_bytes();
        let (signing, checking) = (EncodingKey::from_secret(bytes), DecodingKey::from_secret(bytes));
        Self { signing, checking, issuer: issuer.into(), lifetime, clock }
    }

    /// A new token.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] when it cannot be signed.
    pub fn issue(&self, user: Uuid, role: &str) -> Result<String, TokenError> {
        let iat = self.seconds();
        let exp = iat.saturating_add(i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX));
        let claims = AccessClaims { sub: user, role: role.to_owned(), iss: self.issuer.clone(), iat, exp };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing).map_err(|_| TokenError::Invalid)
    }

    /// What a token says, if it is ours and its time is not over.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn verify(&self, token: &str) -> Result<AccessClaims, TokenError> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&self.issuer]);
        // Judged below, by the platform's clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let claims = decode::<AccessClaims>(token, &self.checking, &validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        if claims.exp <= self.seconds() { Err(TokenError::Expired) } else { Ok(claims) }
    }

    /// How long a token is valid.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    fn seconds(&self) -> i64 {
        self.clock.now().as_micros() / 1_000_000
    }
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
