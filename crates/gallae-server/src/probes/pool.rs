//! The store's connections.

use super::Prober;
use crate::PlatformState;
use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Figures of the store's connections.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Pool {
    /// This node.
    pub node: String,
    /// What the store says of its connections; its members depend on the store.
    #[schema(value_type = Object)]
    pub pool: Value,
}

/// Figures of the store's connections.
#[utoipa::path(get, path = "/db-pool", tag = "Probes", security((), ("bearer" = [])),
    responses((status = 200, body = Pool)))]
pub(super) async fn pool(State(server): State<PlatformState>, _prober: Prober) -> Json<Pool> {
    Json(Pool { node: server.platform.node().to_string(), pool: (server.pool)() })
}
