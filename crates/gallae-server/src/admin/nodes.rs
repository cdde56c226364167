//! Who there is, and who does what.

use crate::{PlatformState, words::time};
use axum::{Json, extract::State};
use gallae_http::{Problem, auth::Operator};
use gallae_ports::Lease;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The nodes that this one knows of: itself, and whoever holds a lease.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NodeList {
    /// By name.
    pub nodes: Vec<NodeBody>,
}

/// A node.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeBody {
    /// Its name.
    pub node: String,
    /// Whether it is the one that answers.
    pub here: bool,
    /// Its roles, as far as this node knows them.
    pub roles: Option<Vec<String>>,
    /// The release it runs, as far as this node knows it.
    pub version: Option<String>,
    /// Whether it is on its way out, as far as this node knows.
    pub draining: Option<bool>,
    /// The leases it holds.
    pub leases: Vec<String>,
}

/// Every lease.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeaseList {
    /// By name.
    pub leases: Vec<LeaseBody>,
}

/// A lease.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeaseBody {
    /// What it is for.
    pub name: String,
    /// Who holds it; absent if it was given back.
    pub owner: Option<String>,
    /// Counts its changes of owner.
    pub epoch: u64,
    /// Until when, by the store's clock.
    #[schema(format = DateTime)]
    pub until: String,
    /// Whether it has run out.
    pub expired: bool,
}

/// The nodes that this one knows of, and the leases that each holds.
#[utoipa::path(get, path = "/admin/nodes", tag = "Operations", security(("bearer" = [])),
    responses((status = 200, body = NodeList)))]
pub(super) async fn nodes(
    State(server): State<PlatformState>,
    _operator: Operator,
) -> Result<Json<NodeList>, Problem> {
    let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
    held.entry(server.platform.node().to_string()).or_default();
    for lease in server.platform.leases().leases().await? {
        if !lease.owner.is_empty() && !lease.left.is_zero() {
            held.entry(lease.owner).or_default().push(lease.name);
        }
    }
    let nodes = held.into_iter().map(|(node, leases)| {
        let here = *node == **server.platform.node();
        NodeBody {
            here,
            roles: here.then(|| server.roles()),
            version: here.then(|| server.version.to_owned()),
            draining: here.then(|| server.readiness.is_draining()),
            leases,
            node,
        }
    });
    Ok(Json(NodeList { nodes: nodes.collect() }))
}

/// Who holds which lease, under which epoch, until when.
#[utoipa::path(get, path = "/admin/leases", tag = "Operations", security(("bearer" = [])),
    responses((status = 200, body = LeaseList)))]
pub(super) async fn leases(
    State(server): State<PlatformState>,
    _operator: Operator,
) -> Result<Json<LeaseList>, Problem> {
    let mut leases = server.platform.leases().leases().await?;
    leases.sort_by(|a, b| a.name.cmp(&b.name));
    let shown = |Lease { name, owner, epoch, until, left }: Lease| LeaseBody {
        name,
        owner: Some(owner).filter(|owner| !owner.is_empty()),
        epoch,
        until: time(until),
        expired: left.is_zero(),
    };
    Ok(Json(LeaseList { leases: leases.into_iter().map(shown).collect() }))
}
