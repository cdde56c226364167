//! What a server on Gallae needs around its routes: configuration, engines, telemetry, health, the admin API, and a drain that
//! loses nothing.
//!
//! An application merges [`platform_routes`] into its own, publishes the whole with [`openapi::publish`], adds the pages of
//! its error codes ([`errors::routes`]), wraps everything once ([`layers::wrap`]) and serves it ([`serve::serve`]).

pub mod admin;
pub mod config;
pub mod engines;
pub mod errors;
pub mod events;
pub mod health;
pub mod housekeeping;
pub mod layers;
pub mod metrics;
mod once;
pub mod openapi;
pub mod probes;
pub mod sagas;
pub mod secrets;
pub mod serve;
mod state;
pub mod telemetry;
pub mod trace;
mod words;

pub use state::{PlatformParts, PlatformState};

use axum::extract::FromRef;
use gallae_http::auth::AccessTokens;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// Every route of the platform: health, metrics, sagas, traces, administration and probes.
pub fn platform_routes<S>(state: S) -> OpenApiRouter
where
    S: Clone + Send + Sync + 'static,
    PlatformState: FromRef<S>,
    Arc<AccessTokens>: FromRef<S>,
{
    let operated = once::honoured(sagas::routes().merge(admin::routes()), state.clone());
    OpenApiRouter::new()
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(operated)
        .merge(trace::routes())
        .merge(probes::routes())
        .with_state(state)
}
