//! The stores' connections.

use super::Prober;
use crate::PlatformState;
use axum::{Json, extract::State};
use gallae_ports::{Pool, PoolRole};
use serde::Serialize;
use utoipa::ToSchema;

/// Figures of the stores' connections.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConnectionPools {
    /// This node.
    pub node: String,
    /// One entry for each kind of connection.
    pub pools: Vec<ConnectionPool>,
}

/// Connections of one kind, now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionPool {
    /// What they reach.
    #[schema(examples("log", "views"))]
    pub name: &'static str,
    /// `write` or `read`.
    #[schema(examples("write", "read"))]
    pub role: &'static str,
    /// How many there are.
    pub size: usize,
    /// How many have nothing to do.
    pub idle: usize,
    /// How many are at work.
    pub in_use: usize,
    /// Calls that wait for one.
    pub waiting: usize,
}

impl ConnectionPool {
    /// Those of every store of this node.
    pub(crate) fn all(server: &PlatformState) -> Vec<Self> {
        server.pools.iter().flat_map(|store| store.pools()).map(Self::from).collect()
    }
}

impl From<Pool> for ConnectionPool {
    fn from(pool: Pool) -> Self {
        let Pool { name, role, size, idle, in_use, waiting } = pool;
        let role = match role {
            PoolRole::Write => "write",
            PoolRole::Read => "read",
        };
        Self { name, role, size, idle, in_use, waiting }
    }
}

/// Figures of the stores' connections: how many are in use, and what waits for one.
#[utoipa::path(get, path = "/db-pool", tag = "Probes", security((), ("bearer" = [])),
    responses((status = 200, body = ConnectionPools)))]
pub(super) async fn pool(State(server): State<PlatformState>, _prober: Prober) -> Json<ConnectionPools> {
    let node = server.platform.node().to_string();
    Json(ConnectionPools { node, pools: ConnectionPool::all(&server) })
}
