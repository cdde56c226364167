//! The log as a list.

use super::flow::actor;
use crate::{PlatformState, events::EventBody};
use axum::{Json, extract::State};
use gallae_core::{Actor, Position, RecordedEvent};
use gallae_http::{Problem, StrictQuery, auth::Caller, codes};
use gallae_ports::{EventPage, EventStore, ReadError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 500;
const PAGE: u64 = 500;
/// Events looked at for one answer: a rare type does not make a request read the whole log.
const MAX_SCANNED: u64 = 10_000;

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(super) struct EventParams {
    /// At most this many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// Only of this type, such as OrderCreated.
    event_type: Option<String>,
    /// Those after this position, in order. The newest ones if absent.
    after: Option<u64>,
}

/// Events in position order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventList {
    /// The events.
    pub events: Vec<EventBody>,
    /// The last position of the log.
    pub head: u64,
    /// `after` of the next request: everything up to here has been looked at.
    pub next_after: u64,
}

/// Events of the log, in order: after a position, or the newest ones. Operators see all, others what they did themselves.
#[utoipa::path(get, path = "/trace/events", tag = "Tracing", security(("bearer" = [])), params(EventParams),
    responses((status = 200, body = EventList)))]
pub(super) async fn events(
    State(server): State<PlatformState>,
    caller: Caller,
    StrictQuery(params): StrictQuery<EventParams>,
) -> Result<Json<EventList>, Problem> {
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::new(codes::INVALID_PARAMETER, "limit: from 1 to 500."));
    }
    let wanted = |event: &RecordedEvent| {
        params.event_type.as_deref().is_none_or(|wanted| wanted == &*event.event_type)
            && (caller.is_admin() || actor(event) == Some(Actor::User(caller.user)))
    };
    let store = &**server.platform.store();
    let head = store.head().await?;
    let (found, next) = match params.after {
        Some(after) if i64::try_from(after).is_err() => {
            return Err(Problem::new(codes::INVALID_PARAMETER, format!("after: at most {}.", i64::MAX)));
        }
        Some(after) if after >= head.get() => (EventPage::new(), after),
        Some(after) => forward(store, after, limit as usize, wanted).await?,
        None => (newest(store, head, limit as usize, wanted).await?, head.get()),
    };
    let events = found.iter().map(|event| EventBody::of(event)).collect();
    Ok(Json(EventList { events, head: head.get(), next_after: next }))
}

async fn forward(
    store: &dyn EventStore,
    after: u64,
    limit: usize,
    wanted: impl Fn(&RecordedEvent) -> bool,
) -> Result<(EventPage, u64), ReadError> {
    let (mut found, mut at) = (EventPage::new(), after);
    while at < after + MAX_SCANNED {
        let page = store.read_all(Position::new(at), PAGE as usize).await?;
        let full = page.len() as u64 == PAGE;
        for event in page {
            at = event.position.get();
            if wanted(&event) {
                found.push(event);
                if found.len() == limit {
                    return Ok((found, at));
                }
            }
        }
        if !full {
            break;
        }
    }
    Ok((found, at))
}

/// Page by page from the end.
async fn newest(
    store: &dyn EventStore,
    head: Position,
    limit: usize,
    wanted: impl Fn(&RecordedEvent) -> bool,
) -> Result<EventPage, ReadError> {
    let mut found = EventPage::new();
    let (mut end, lowest) = (head.get(), head.get().saturating_sub(MAX_SCANNED));
    while end > lowest && found.len() < limit {
        let start = end.saturating_sub(PAGE).max(lowest);
        let page = store.read_all(Position::new(start), (end - start) as usize).await?;
        let room = limit - found.len();
        found.extend(page.into_iter().rev().filter(|event| wanted(event)).take(room));
        end = start;
    }
    found.reverse();
    Ok(found)
}
