//! Whether this node is well: for people, for load balancers, and for whoever has to find out what is not.

mod checks;

pub(crate) use checks::Pulse;

use crate::PlatformState;
use axum::{
    Json,
    extract::{FromRef, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
pub(crate) use checks::dependencies;
pub use checks::{Dependency, DependencyStatus};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// `/health`, `/health/live`, `/health/ready`, `/health/detailed`, and `/actuator/health` for who expects it there.
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    PlatformState: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(actuator_health))
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(detailed))
}

/// The one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// It can take commands.
    Ok,
    /// It cannot.
    Unavailable,
}

/// Whether this node can take commands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// The one word.
    pub status: HealthStatus,
    /// What is wrong; absent when nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// This node and everything it stands on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DetailedHealth {
    /// The one word.
    pub status: HealthStatus,
    /// What is wrong.
    pub reasons: Vec<String>,
    /// This node.
    pub node: String,
    /// What it does.
    pub roles: Vec<String>,
    /// The release it runs.
    pub version: String,
    /// Whether it is on its way out.
    pub draining: bool,
    /// Since its start.
    pub uptime_seconds: u64,
    /// The last position of the log, if it can be read.
    pub head: Option<u64>,
    /// What it stands on.
    pub dependencies: Vec<Dependency>,
    /// Its views.
    pub projections: Vec<ProjectionHealth>,
    /// Its relay, if it has that role.
    pub relay: Option<RelayHealth>,
}

/// A projection, in short.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionHealth {
    /// Its name.
    pub name: String,
    /// `live`, `rebuilding`, `paused`, `failed` or `standby`.
    pub state: String,
    /// Events it has still to fold.
    pub lag_events: u64,
    /// The age of the oldest of them.
    pub lag_seconds: f64,
}

/// The relay, in short.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RelayHealth {
    /// `live`, `paused`, `failed` or `standby`.
    pub state: String,
    /// Events it has still to publish.
    pub lag_events: u64,
}

/// Whether commands can be taken: a round trip through the store's writer, at most half a second old.
#[utoipa::path(get, path = "/health", tag = "Health",
    responses((status = 200, description = "It can take commands", body = Health),
              (status = 503, description = "It cannot", body = Health)))]
async fn health(State(server): State<PlatformState>) -> Response {
    answer(checks::store_reasons(&server).await)
}

/// The same as `/health`, where Spring's tools look for it.
#[utoipa::path(get, path = "/actuator/health", tag = "Health",
    responses((status = 200, description = "It can take commands", body = Health),
              (status = 503, description = "It cannot", body = Health)))]
async fn actuator_health(State(server): State<PlatformState>) -> Response {
    answer(checks::store_reasons(&server).await)
}

/// Whether the process answers at all. Restart it when it does not; a dead store is no reason to.
#[utoipa::path(get, path = "/health/live", tag = "Health",
    responses((status = 200, description = "It answers", body = Health)))]
async fn live() -> Response {
    answer(Vec::new())
}

/// Whether to send requests here: the store answers, projections run, and the node is not on its way out.
#[utoipa::path(get, path = "/health/ready", tag = "Health",
    responses((status = 200, description = "Send requests", body = Health),
              (status = 503, description = "Send them elsewhere", body = Health)))]
async fn ready(State(server): State<PlatformState>) -> Response {
    answer(checks::ready_reasons(&server).await)
}

/// Every dependency with its latency, and how far the views and the relay are behind.
#[utoipa::path(get, path = "/health/detailed", tag = "Health",
    responses((status = 200, description = "It can take commands", body = DetailedHealth),
              (status = 503, description = "It cannot", body = DetailedHealth)))]
async fn detailed(State(server): State<PlatformState>) -> Response {
    let reasons = checks::ready_reasons(&server).await;
    let dependencies = checks::dependencies(&server).await;
    let store_is_up =
        dependencies.iter().all(|one| one.name != "store" || one.status == DependencyStatus::Up);
    let (projections, relay) = match store_is_up {
        true => (checks::projections(&server).await, checks::relay(&server).await),
        false => (Vec::new(), None),
    };
    let status = status_of(&reasons);
    let body = DetailedHealth {
        status,
        reasons,
        node: server.platform.node().to_string(),
        roles: server.roles(),
        version: server.version.to_owned(),
        draining: server.readiness.is_draining(),
        uptime_seconds: server.platform.clock().monotonic().as_secs(),
        head: if store_is_up {
            server.platform.store().head().await.ok().map(|head| head.get())
        } else {
            None
        },
        dependencies,
        projections,
        relay,
    };
    respond(status, body)
}

fn answer(reasons: Vec<String>) -> Response {
    let status = status_of(&reasons);
    respond(status, Health { status, reasons })
}

fn status_of(reasons: &[String]) -> HealthStatus {
    if reasons.is_empty() { HealthStatus::Ok } else { HealthStatus::Unavailable }
}

fn respond(status: HealthStatus, body: impl Serialize) -> Response {
    let code = match status {
        HealthStatus::Ok => StatusCode::OK,
        HealthStatus::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
