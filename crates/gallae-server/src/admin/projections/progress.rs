//! Following an operation.

use super::bodies::{OperationReport, ProgressBody, problem};
use crate::{PlatformState, admin::operations::Operation};
use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{FutureExt, Stream, StreamExt, stream};
use gallae_http::{Problem, StrictPath, auth::Operator};
use gallae_runtime::projector::Progress;
use serde::Serialize;
use std::{convert::Infallible, time::Duration};
use tokio::sync::watch;

/// The progress of a rebuild, verification or repair, at most five times a second, as `progress` events; its report as a last
/// `report` event. With nothing running, the last report, or `idle`.
#[utoipa::path(get, path = "/admin/projections/{name}/progress", tag = "Operations", security(("bearer" = [])),
    params(("name" = String, Path, description = "The projection")),
    responses((status = 200, description = "Server-sent events: progress, then report", content_type = "text/event-stream", body = String)))]
pub(in crate::admin) async fn progress(
    State(server): State<PlatformState>,
    _operator: Operator,
    StrictPath(name): StrictPath<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + Send + 'static>, Problem> {
    let progress = server.platform.projections().progress(&name).map_err(problem)?;
    let operation = server.operations().last(&name);
    let stop = server.readiness.stopping();
    let events = follow(server, progress, operation).take_until(stop.cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

fn follow(
    server: PlatformState,
    progress: watch::Receiver<Option<Progress>>,
    operation: Option<Operation>,
) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
    let start = Some((server, progress, operation, true));
    stream::unfold(start, async |state| {
        let (server, mut progress, operation, first) = state?;
        if !first {
            server.platform.clock().sleep(Duration::from_millis(200)).await;
        }
        let now = progress.borrow_and_update().clone();
        match now {
            Some(now) => {
                let event = frame("progress", &ProgressBody::of(&now));
                Some((event, Some((server, progress, operation, false))))
            }
            None => Some((last(operation).await, None)),
        }
    })
}

/// The end of the stream: the report, if the operation was begun on this node since its start.
async fn last(operation: Option<Operation>) -> Result<Event, Infallible> {
    // The progress ends a moment before the outcome is handed over.
    let outcome = match operation {
        Some(operation) => match operation.clone().now_or_never() {
            Some(outcome) => Some(outcome),
            None => Some(operation.await),
        },
        None => None,
    };
    match outcome {
        Some(outcome) => frame("report", &OperationReport::of(&outcome)),
        None => Ok(Event::default().event("idle").data("{}")),
    }
}

fn frame(name: &str, body: &impl Serialize) -> Result<Event, Infallible> {
    Ok(Event::default().event(name).data(serde_json::to_string(body).unwrap_or_default()))
}
