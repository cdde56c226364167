//! Access tokens: short-lived JWTs, signed with HS256 and nothing else.

use gallae_ports::Clock;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
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

    /// 256 bits from the operating system, in hex.
    #[expect(clippy::disallowed_methods, reason = "a secret must not be predictable")]
    pub fn random() -> Self {
        let bytes: [u8; 32] = rand::random();
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// A password for people: 20 letters and digits that are not mistaken for each other, 99 bits.
    #[expect(clippy::disallowed_methods, reason = "a secret must not be predictable")]
    pub fn random_password() -> Self {
        const SIGNS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
        let signs = std::iter::repeat_with(rand::random::<u8>)
            // Only whole multiples, so that every sign is as likely as any other.
            .filter(|byte| usize::from(*byte) < 256 / SIGNS.len() * SIGNS.len())
            .map(|byte| char::from(SIGNS[usize::from(byte) % SIGNS.len()]));
        Self(signs.take(20).collect())
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
    /// SHA-256 of the token that operates this server from its own machine.
    operator: Option<[u8; 32]>,
}

/// Who the operator of the machine is: nobody with an account.
pub const LOCAL_OPERATOR: Uuid = Uuid::nil();

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
        Self { signing, checking, issuer: issuer.into(), lifetime, clock, operator: None }
    }

    /// Accepts `token` as well, as the [`LOCAL_OPERATOR`]'s, until the process ends: the verbs of the command line that act on a
    /// running server present it.
    #[must_use]
    pub fn with_operator_token(mut self, token: &Secret) -> Self {
        self.operator = Some(Sha256::digest(token.reveal().as_bytes()).into());
        self
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
        // Equal digests, whatever the time of their comparison says of them, need the token itself.
        if self.operator.is_some_and(|known| <[u8; 32]>::from(Sha256::digest(token.as_bytes())) == known) {
            return Ok(self.local_operator());
        }
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

    fn local_operator(&self) -> AccessClaims {
        let (iat, role) = (self.seconds(), super::ADMIN.to_owned());
        AccessClaims { sub: LOCAL_OPERATOR, role, iss: self.issuer.clone(), iat, exp: i64::MAX }
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
