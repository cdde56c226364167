//! Who asks: passwords, access tokens, refresh tokens.

mod accounts;
mod lockout;
mod passwords;
mod tokens;

pub use accounts::{Accounts, LoginError, RefreshError, TokenPair};
pub use lockout::Lockout;
pub use passwords::{PasswordError, Passwords};
pub use tokens::{AccessClaims, AccessTokens, LOCAL_OPERATOR, Secret, TokenError};

use crate::{Problem, RequestContext, codes};
use axum::{
    extract::{FromRef, FromRequestParts},
    http::{header, request::Parts},
};
use gallae_core::Actor;
use std::sync::Arc;
use uuid::Uuid;

/// The role that may operate.
pub const ADMIN: &str = "admin";

/// Somebody with a valid access token. The request's context acts on their behalf from here on.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub user: Uuid,
    /// `user` or `admin`.
    pub role: Arc<str>,
    /// The request, on their behalf.
    pub context: RequestContext,
}

impl Caller {
    /// Whether this is an operator.
    pub fn is_admin(&self) -> bool {
        &*self.role == ADMIN
    }

    /// Whether this is `user`, or an operator.
    pub fn may_see(&self, user: Uuid) -> bool {
        self.user == user || self.is_admin()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Arc<AccessTokens>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let tokens = Arc::<AccessTokens>::from_ref(state);
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else {
            return Err(Problem::new(
                codes::UNAUTHENTICATED,
                "Send Authorization: Bearer TOKEN; POST /auth/login gives one.",
            ));
        };
        let claims = tokens.verify(token.trim()).map_err(|error| match error {
            TokenError::Expired => {
                Problem::new(codes::TOKEN_EXPIRED, "Exchange the refresh token at POST /auth/refresh.")
            }
            _ => Problem::new(codes::UNAUTHENTICATED, "The access token is not valid here."),
        })?;
        let context =
            RequestContext::from_request_parts(parts, state).await?.acting_as(Actor::User(claims.sub));
        parts.extensions.insert(context.clone());
        Ok(Self { user: claims.sub, role: claims.role.into(), context })
    }
}

/// An operator.
#[derive(Clone, Debug)]
pub struct Operator(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for Operator
where
    Arc<AccessTokens>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        if caller.is_admin() {
            Ok(Self(caller))
        } else {
            Err(Problem::new(
                codes::FORBIDDEN,
                "This is for operators: commerce user grant-admin EMAIL makes one.",
            ))
        }
    }
}
