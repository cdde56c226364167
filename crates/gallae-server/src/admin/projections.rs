//! The sync manager: how each projection is doing, and what can be done about it.

mod bodies;
pub(super) mod progress;

pub(super) use bodies::problem;

use super::operations::{Operation, Outcome, rebuilding, verifying};
use crate::PlatformState;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bodies::{
    Accepted, Cancelled, OperationReport, ProjectionBody, ProjectionDetail, ProjectionList, Synced,
};
use futures::FutureExt;
use gallae_http::{AtLeast, Problem, StrictPath, auth::Operator};
use gallae_runtime::projector::{OperationError, OperationKind, ProjectionStatus};
use std::time::Duration;

/// How long a catch-up is waited for unless the client says.
const SYNC_WAIT: Duration = Duration::from_secs(10);

/// Every projection: its place, its lag, what last went wrong.
#[utoipa::path(get, path = "/admin/projections", tag = "Operations", security(("bearer" = [])),
    responses((status = 200, body = ProjectionList)))]
pub(super) async fn list(
    State(server): State<PlatformState>,
    _operator: Operator,
) -> Result<Json<ProjectionList>, Problem> {
    let projections = server.platform.projections().status().await?;
    let head = server.platform.store().head().await?.get();
    Ok(Json(ProjectionList { head, projections: projections.into_iter().map(ProjectionBody::of).collect() }))
}

/// One projection, and the report of the last operation on it that this node has done since its start.
#[utoipa::path(get, path = "/admin/projections/{name}", tag = "Operations", security(("bearer" = [])),
    params(("name" = String, Path, description = "The projection")),
    responses((status = 200, body = ProjectionDetail), (status = 404, body = gallae_http::ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn show(
    State(server): State<PlatformState>,
    _operator: Operator,
    StrictPath(name): StrictPath<String>,
) -> Result<Json<ProjectionDetail>, Problem> {
    let status = status(&server, &name).await?;
    let last = server.operations().last(&name).and_then(|last| last.now_or_never());
    let last_report = last.map(|outcome| OperationReport::of(&outcome));
    Ok(Json(ProjectionDetail { projection: ProjectionBody::of(status), last_report }))
}

/// Recomputes a projection beside its live rows and switches. Answers 202 at once, or with `Prefer: wait=SECONDS` the report if
/// it is done by then. The rebuild goes on in any case; `progress` follows it.
#[utoipa::path(post, path = "/admin/projections/{name}/rebuild", tag = "Operations", security(("bearer" = [])),
    params(("name" = String, Path, description = "The projection"),
           ("Prefer" = Option<String>, Header, description = "wait=SECONDS, at most 10")),
    responses((status = 200, description = "It is done", body = OperationReport),
              (status = 202, description = "It has begun", body = Accepted)))]
pub(super) async fn rebuild(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictPath(name): StrictPath<String>,
    prefer: AtLeast,
) -> Result<Response, Problem> {
    tracing::info!(projection = name, by = %caller.user, "an operator rebuilds a projection");
    let work = rebuilding(server.platform.projections().rebuild(&name));
    begin(&server, name, OperationKind::Rebuild, work, prefer).await
}

/// Recomputes a projection and compares it with its live rows, row by row. Changes nothing.
#[utoipa::path(post, path = "/admin/projections/{name}/verify", tag = "Operations", security(("bearer" = [])),
    params(("name" = String, Path, description = "The projection"),
           ("Prefer" = Option<String>, Header, description = "wait=SECONDS, at most 10")),
    responses((status = 200, description = "It is done", body = OperationReport),
              (status = 202, description = "It has begun", body = Accepted)))]
pub(super) async fn verify(
    State(server): State<PlatformState>,
    _operator: Operator,
    StrictPath(name): StrictPath<String>,
    prefer: AtLeast,
) -> Result<Response, Problem> {
    let work = verifying(server.platform.projections().verify(&name));
    begin(&server, name, OperationKind::Verify, work, prefer).await
}

/// Verifies, and rewrites the rows that differ and no others.
#[utoipa::path(post, path = "/admin/projections/{name}/repair", tag = "Operations", security(("bearer" = [])),
    params(("name" = String, Path, description = "The projection"),
           ("Prefer" = Option<String>, Header, description = "wait=SECONDS, at most 10")),
    responses((status = 200, description = "It is done", body = OperationReport),
              (status = 202, description = "It has begun", body = Accepted)))]
pub(super) async fn repair(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictPath(name): StrictPath<String>,
    prefer: AtLeast,
) -> Result<Response, Problem> {
    tracing::info!(projection = name, by = %caller.user, "an operator repairs a projection");
    let work = verifying(server.platform.projections().repair(&name));
    begin(&server, name, OperationKind::Repair, work, prefer).await
}

/// Stops the rebuild, verification or repair that is running. The live rows stay as they are.
#[utoipa::path(post, path = "/admin/projections/{name}/cancel", tag = "Operations", security(("bearer" = [])),
    params(("name" = String, Path, description = "The projection")),
    responses((status = 200, body = Cancelled)))]
pub(super) async fn cancel(
    State(server): State<PlatformState>,
    _operator: Operator,
    StrictPath(name): StrictPath<String>,
) -> Result<Json<Cancelled>, Problem> {
    let cancelled = server.platform.projections().cancel(&name).map_err(problem)?;
    Ok(Json(Cancelled { projection: name, cancelled }))
}

/// Holds a projection where it is, until it is resumed. Its rows are served as they stand.
#[utoipa::path(post, path = "/admin/projections/{name}/pause", tag = "Operations", security(("bearer" = [])),
    params(("name" = String, Path, description = "The projection")),
    responses((status = 200, body = ProjectionBody)))]
pub(super) async fn pause(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictPath(name): StrictPath<String>,
) -> Result<Json<ProjectionBody>, Problem> {
    server.platform.projections().pause(&name).await.map_err(problem)?;
    tracing::info!(projection = name, by = %caller.user, "an operator paused a projection");
    Ok(Json(ProjectionBody::of(status(&server, &name).await?)))
}

/// Lets a held projection go on from where it is.
#[utoipa::path(post, path = "/admin/projections/{name}/resume", tag = "Operations", security(("bearer" = [])),
    params(("name" = String, Path, description = "The projection")),
    responses((status = 200, body = ProjectionBody)))]
pub(super) async fn resume(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictPath(name): StrictPath<String>,
) -> Result<Json<ProjectionBody>, Problem> {
    server.platform.projections().resume(&name).await.map_err(problem)?;
    tracing::info!(projection = name, by = %caller.user, "an operator resumed a projection");
    Ok(Json(ProjectionBody::of(status(&server, &name).await?)))
}

/// Brings a projection from its cursor to the present head of the log; waits for ten seconds, or as `Prefer` says.
#[utoipa::path(post, path = "/admin/projections/{name}/sync", tag = "Operations", security(("bearer" = [])),
    params(("name" = String, Path, description = "The projection"),
           ("Prefer" = Option<String>, Header, description = "wait=SECONDS, at most 10")),
    responses((status = 200, body = Synced)))]
pub(super) async fn sync(
    State(server): State<PlatformState>,
    _operator: Operator,
    StrictPath(name): StrictPath<String>,
    prefer: AtLeast,
) -> Result<Json<Synced>, Problem> {
    let wait = if prefer.wait_requested { prefer.wait } else { SYNC_WAIT };
    let report = server.platform.projections().sync(&name, wait).await.map_err(problem)?;
    let (from, to) = (report.from.get(), report.to.get());
    Ok(Json(Synced { projection: name, from, to, events: report.events }))
}

async fn begin(
    server: &PlatformState,
    name: String,
    kind: OperationKind,
    work: Operation,
    prefer: AtLeast,
) -> Result<Response, Problem> {
    let operation = server.operations().remember(&name, work).map_err(|outcome| match &*outcome {
        Outcome::Failed(error) => bodies::refused(error),
        // `remember` refuses failures alone.
        Outcome::Rebuilt(_) | Outcome::Verified(_) => Problem::not_found("operation"),
    })?;
    if prefer.wait_requested {
        tokio::select! {
            biased;
            outcome = operation => {
                return match &*outcome {
                    Outcome::Failed(error) => Err(bodies::refused(error)),
                    done => Ok(Json(OperationReport::of(done)).into_response()),
                };
            }
            () = server.platform.clock().sleep(prefer.wait) => {}
        }
    }
    let progress = format!("/admin/projections/{name}/progress");
    let body =
        Accepted { projection: name, operation: crate::words::word(&kind), progress: progress.clone() };
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, progress)], Json(body)).into_response())
}

async fn status(server: &PlatformState, name: &str) -> Result<ProjectionStatus, Problem> {
    let all = server.platform.projections().status().await?;
    let unknown = || problem(OperationError::Unknown(name.to_owned()));
    all.into_iter().find(|one| one.name == name).ok_or_else(unknown)
}
