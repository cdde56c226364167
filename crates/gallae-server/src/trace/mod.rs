//! What happened in a business flow, what is under way, and which node did what.

mod active;
mod distribution;
mod events;
mod flow;

pub use flow::{FlowBody, flow, show_flow};

use crate::PlatformState;
use axum::extract::FromRef;
use gallae_http::auth::AccessTokens;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/trace` that knows no application.
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    PlatformState: FromRef<S>,
    Arc<AccessTokens>: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(flow::correlation))
        .routes(routes!(events::events))
        .routes(routes!(active::active_flows))
        .routes(routes!(distribution::distribution))
}
