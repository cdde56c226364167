//! What operators see and do. Every route asks for an operator's token.

mod dead_letters;
mod dependencies;
mod invariants;
mod nodes;
mod operations;
mod projections;
mod relay;
mod streams;
mod tasks;

pub use invariants::{InvariantCheck, Invariants};
pub(crate) use operations::Operations;

use crate::PlatformState;
use axum::extract::FromRef;
use gallae_http::auth::AccessTokens;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/admin`.
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    PlatformState: FromRef<S>,
    Arc<AccessTokens>: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(projections::list))
        .routes(routes!(projections::show))
        .routes(routes!(projections::rebuild))
        .routes(routes!(projections::verify))
        .routes(routes!(projections::repair))
        .routes(routes!(projections::cancel))
        .routes(routes!(projections::pause))
        .routes(routes!(projections::resume))
        .routes(routes!(projections::sync))
        .routes(routes!(projections::progress::progress))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::retry))
        .routes(routes!(dead_letters::discard))
        .routes(routes!(relay::show))
        .routes(routes!(relay::pause))
        .routes(routes!(relay::resume))
        .routes(routes!(nodes::nodes))
        .routes(routes!(nodes::leases))
        .routes(routes!(streams::list))
        .routes(routes!(streams::show))
        .routes(routes!(streams::at))
        .routes(routes!(tasks::tasks))
        .routes(routes!(invariants::invariants))
        .routes(routes!(dependencies::dependencies))
}
