//! The road to the broker.

use crate::{PlatformState, words::word};
use axum::{Json, extract::State};
use gallae_http::{Problem, auth::Operator};
use gallae_runtime::relay::Relay;
use serde::Serialize;
use utoipa::ToSchema;

/// How the relay is doing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RelayBody {
    /// `live`, `paused`, `failed` or `standby`.
    pub state: String,
    /// The last event that the broker has acknowledged.
    pub cursor: u64,
    /// The last position of the log.
    pub head: u64,
    /// Events between the two.
    pub lag_events: u64,
    /// What last went wrong.
    pub last_error: Option<String>,
}

/// How the relay is doing. 404 on a node without that role.
#[utoipa::path(get, path = "/admin/relay", tag = "Operations", security(("bearer" = [])),
    responses((status = 200, body = RelayBody)))]
pub(super) async fn show(
    State(server): State<PlatformState>,
    _operator: Operator,
) -> Result<Json<RelayBody>, Problem> {
    status(relay(&server)?).await
}

/// Holds the relay where it is, on whichever node it runs. Events wait in the log.
#[utoipa::path(post, path = "/admin/relay/pause", tag = "Operations", security(("bearer" = [])),
    responses((status = 200, body = RelayBody)))]
pub(super) async fn pause(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
) -> Result<Json<RelayBody>, Problem> {
    let relay = relay(&server)?;
    relay.pause().await?;
    tracing::info!(by = %caller.user, "an operator paused the relay");
    status(relay).await
}

/// Lets the relay go on from where it is.
#[utoipa::path(post, path = "/admin/relay/resume", tag = "Operations", security(("bearer" = [])),
    responses((status = 200, body = RelayBody)))]
pub(super) async fn resume(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
) -> Result<Json<RelayBody>, Problem> {
    let relay = relay(&server)?;
    relay.resume().await?;
    tracing::info!(by = %caller.user, "an operator resumed the relay");
    status(relay).await
}

fn relay(server: &PlatformState) -> Result<&Relay, Problem> {
    server.platform.relay().ok_or_else(|| Problem::not_found("relay on this node"))
}

async fn status(relay: &Relay) -> Result<Json<RelayBody>, Problem> {
    let status = relay.status().await?;
    Ok(Json(RelayBody {
        state: word(&status.state),
        cursor: status.cursor.get(),
        head: status.head.get(),
        lag_events: status.lag_events,
        last_error: status.last_error,
    }))
}
