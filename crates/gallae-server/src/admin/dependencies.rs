//! What this node stands on.

use crate::{
    PlatformState,
    health::{Dependency, dependencies as ask},
    probes::ConnectionPool,
};
use axum::{Json, extract::State};
use gallae_http::{Problem, auth::Operator};
use serde::Serialize;
use utoipa::ToSchema;

/// What this node stands on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DependencyList {
    /// Each with its answer.
    pub dependencies: Vec<Dependency>,
    /// Figures of the stores' connections.
    pub pools: Vec<ConnectionPool>,
}

/// The store, the broker and the locks: whether each answers, and how fast.
#[utoipa::path(get, path = "/admin/dependencies", tag = "Operations", security(("bearer" = [])),
    responses((status = 200, body = DependencyList)))]
pub(super) async fn dependencies(
    State(server): State<PlatformState>,
    _operator: Operator,
) -> Result<Json<DependencyList>, Problem> {
    let dependencies = ask(&server).await;
    Ok(Json(DependencyList { dependencies, pools: ConnectionPool::all(&server) }))
}
