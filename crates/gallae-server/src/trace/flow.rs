//! Everything that one request set in motion.

use crate::{
    PlatformState,
    events::EventBody,
    sagas::{SagaSummary, unreadable},
    words::{millis, time},
};
use axum::{Json, extract::State};
use gallae_core::{Actor, CorrelationId, Position, RecordedEvent};
use gallae_http::{Problem, StrictPath, auth::Caller};
use gallae_ports::{EventPage, EventStore, ReadError, SagaFilter};
use serde::Serialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;

const PAGE: usize = 500;
/// Events of one flow that are shown at most.
const MAX_EVENTS: usize = 5_000;
const MAX_SAGAS: usize = 100;

/// A business flow.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowBody {
    /// Names the flow.
    pub correlation_id: String,
    /// Its first event.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// Its last event so far.
    #[schema(format = DateTime)]
    pub last_at: String,
    /// From the first event to the last.
    pub duration_ms: f64,
    /// The streams it touched, in order of first touch.
    pub streams: Vec<String>,
    /// The nodes that had a part in it.
    pub nodes: Vec<String>,
    /// The sagas it began.
    pub sagas: Vec<SagaSummary>,
    /// How many events are shown.
    pub event_count: u64,
    /// Whether there are more events than are shown.
    pub truncated: bool,
    /// The events, in order.
    pub events: Vec<EventBody>,
}

/// The events of a flow in order, at most five thousand and one.
///
/// # Errors
/// When the log cannot be read.
pub async fn flow(store: &dyn EventStore, correlation: &CorrelationId) -> Result<EventPage, ReadError> {
    let mut events = EventPage::new();
    let mut after = Position::START;
    while events.len() <= MAX_EVENTS {
        let page = store.read_correlation(correlation, after, PAGE).await?;
        let full = page.len() == PAGE;
        after = page.last().map_or(after, |last| last.position);
        events.extend(page);
        if !full {
            break;
        }
    }
    events.truncate(MAX_EVENTS + 1);
    Ok(events)
}

/// A flow as `caller` may see it. Operators see everything. A customer sees the flows that they began, without what other
/// people did in them.
///
/// # Errors
/// 404 when there is no such flow, or it is not the caller's.
pub async fn show_flow(
    server: &PlatformState,
    caller: &Caller,
    correlation: &CorrelationId,
) -> Result<FlowBody, Problem> {
    let mut events = flow(&**server.platform.store(), correlation).await?;
    let unknown = || Problem::not_found("flow");
    let first = events.first().ok_or_else(unknown)?;
    if !caller.is_admin() {
        if actor(first).as_ref().and_then(Actor::user) != Some(caller.user) {
            return Err(unknown());
        }
        events.retain(|event| match actor(event) {
            Some(Actor::User(user)) => user == caller.user,
            Some(Actor::System(_)) => true,
            Some(Actor::Anonymous) | None => false,
        });
    }
    let user = (!caller.is_admin()).then_some(caller.user);
    let filter = SagaFilter { correlation_id: Some(correlation.clone()), user, ..SagaFilter::default() };
    let (sagas, _) = server.platform.saga_view().list(&filter, 0, MAX_SAGAS).await.map_err(unreadable)?;
    let truncated = events.len() > MAX_EVENTS;
    events.truncate(MAX_EVENTS);
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Err(unknown()) };
    let mut streams = Vec::new();
    let mut seen = BTreeSet::new();
    for event in &events {
        if seen.insert(&event.stream) {
            streams.push(event.stream.to_string());
        }
    }
    let nodes: BTreeSet<String> = events.iter().filter_map(|event| node(event)).collect();
    Ok(FlowBody {
        correlation_id: correlation.to_string(),
        started_at: time(first.time),
        last_at: time(last.time),
        duration_ms: millis(last.time.since(first.time)),
        streams,
        nodes: nodes.into_iter().collect(),
        sagas: sagas.iter().map(SagaSummary::of).collect(),
        event_count: events.len() as u64,
        truncated,
        events: events.iter().map(|event| EventBody::of(event)).collect(),
    })
}

/// Everything that one request set in motion, in order: events, streams, sagas, nodes.
#[utoipa::path(get, path = "/trace/correlation/{id}", tag = "Tracing", security(("bearer" = [])),
    params(("id" = String, Path, description = "The business flow", min_length = 1, max_length = 128, pattern = "^[!-~]+$")),
    responses((status = 200, body = FlowBody)))]
pub(super) async fn correlation(
    State(server): State<PlatformState>,
    caller: Caller,
    StrictPath(id): StrictPath<CorrelationId>,
) -> Result<Json<FlowBody>, Problem> {
    Ok(Json(show_flow(&server, &caller, &id).await?))
}

pub(super) fn actor(event: &RecordedEvent) -> Option<Actor> {
    event.metadata.get().ok().map(|metadata| metadata.actor.clone())
}

pub(super) fn node(event: &RecordedEvent) -> Option<String> {
    event.metadata.get().ok().map(|metadata| metadata.node.to_string())
}
