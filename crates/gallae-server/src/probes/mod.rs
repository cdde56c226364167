//! Trying the broker and the locks by hand. For operators; for everybody in demo mode.

mod broker;
mod locks;
mod pool;

pub(crate) use pool::ConnectionPool;

use crate::{PlatformState, config::Mode};
use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use gallae_http::{
    Problem,
    auth::{AccessTokens, Operator},
};
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/kafka-test`, `/db-pool` and `/redis-test`.
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    PlatformState: FromRef<S>,
    Arc<AccessTokens>: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(broker::round_trip))
        .routes(routes!(pool::pool))
        .routes(routes!(locks::lock, locks::unlock))
        .routes(routes!(locks::state))
        .routes(routes!(locks::saga_creation))
}

/// An operator, or anybody while the server is only for trying out.
struct Prober;

impl<S> FromRequestParts<S> for Prober
where
    S: Send + Sync,
    PlatformState: FromRef<S>,
    Arc<AccessTokens>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match PlatformState::from_ref(state).mode {
            Mode::Demo => Ok(Self),
            Mode::Production => Operator::from_request_parts(parts, state).await.map(|_| Self),
        }
    }
}
