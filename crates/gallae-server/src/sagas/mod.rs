//! Sagas: how each is doing, and what an operator can do about it. Everything answers under `/saga` and under `/sagas`.

mod bodies;
mod dependencies;
mod operate;
mod query;
mod statistics;

pub use bodies::SagaSummary;
pub use operate::problem as intervention_problem;
pub(crate) use query::{active_statuses, unreadable};

use crate::PlatformState;
use axum::extract::FromRef;
use gallae_http::auth::AccessTokens;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything under `/saga`, and the same under `/sagas`.
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    PlatformState: FromRef<S>,
    Arc<AccessTokens>: FromRef<S>,
{
    OpenApiRouter::new().nest("/saga", below()).nest("/sagas", below())
}

fn below<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    PlatformState: FromRef<S>,
    Arc<AccessTokens>: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(query::list))
        .routes(routes!(query::active))
        .routes(routes!(statistics::statistics))
        .routes(routes!(dependencies::dependencies))
        .routes(routes!(query::status))
        .routes(routes!(query::correlation))
        .routes(routes!(query::show))
        .routes(routes!(operate::retry))
        .routes(routes!(operate::retry_by_id))
        .routes(routes!(operate::compensate))
        .routes(routes!(operate::compensate_by_id))
        .routes(routes!(operate::pause))
        .routes(routes!(operate::resume))
        .routes(routes!(operate::cancel))
}
