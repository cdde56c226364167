//! What runs in the background.

use crate::PlatformState;
use axum::{Json, extract::State};
use gallae_http::{Problem, auth::Operator};
use serde::Serialize;
use utoipa::ToSchema;

/// The background tasks of this node.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TaskList {
    /// By name.
    pub tasks: Vec<TaskBody>,
}

/// A background task.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskBody {
    /// Its name.
    pub name: String,
    /// Whether it runs now, rather than waiting for a restart or finished.
    pub running: bool,
    /// How often it was started again.
    pub restarts: u64,
    /// Why it last failed.
    pub last_error: Option<String>,
}

/// The background tasks of this node: which run, how often each was started again, and why.
#[utoipa::path(get, path = "/admin/tasks", tag = "Operations", security(("bearer" = [])),
    responses((status = 200, body = TaskList)))]
pub(super) async fn tasks(
    State(server): State<PlatformState>,
    _operator: Operator,
) -> Result<Json<TaskList>, Problem> {
    let states = server.platform.supervisor().states().into_iter();
    let tasks = states.map(|(name, state)| TaskBody {
        name,
        running: state.running,
        restarts: state.restarts,
        last_error: state.last_error,
    });
    Ok(Json(TaskList { tasks: tasks.collect() }))
}
