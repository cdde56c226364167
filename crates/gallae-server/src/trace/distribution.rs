//! Which node handled what, when, and in which order: from the metadata of events, in microseconds.

use super::flow::node;
use crate::{PlatformState, words::time};
use axum::{Json, extract::State};
use gallae_core::{Position, RecordedEvent, Timestamp};
use gallae_http::{Problem, StrictQuery, auth::Operator, codes};
use gallae_ports::{EventPage, EventStore, ReadError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

const DEFAULT_EVENTS: u32 = 1_000;
const MAX_EVENTS: u32 = 10_000;
const PAGE: usize = 500;
/// Events whose order is listed one by one.
const LISTED: usize = 200;
const MINUTE: i64 = 60 * 1_000_000;

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(super) struct DistributionParams {
    /// So many of the newest events are looked at.
    #[param(minimum = 1, maximum = 10000, default = 1000)]
    events: Option<u32>,
    /// Only of this type, such as OrderCreated.
    event_type: Option<String>,
}

/// Which node handled what.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Distribution {
    /// Events counted.
    pub total: u64,
    /// The time of the first of them.
    #[schema(format = DateTime)]
    pub from: Option<String>,
    /// The time of the last of them.
    #[schema(format = DateTime)]
    pub to: Option<String>,
    /// By node.
    pub nodes: Vec<NodeShare>,
    /// By minute.
    pub per_minute: Vec<MinuteShare>,
    /// The newest two hundred, in the order in which they were handled.
    pub order: Vec<Handled>,
}

/// What one node handled.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeShare {
    /// The node.
    pub node: String,
    /// Events.
    pub events: u64,
    /// Of all events counted.
    pub percent: f64,
    /// Its first one.
    #[schema(format = DateTime)]
    pub first_at: String,
    /// Its last one.
    #[schema(format = DateTime)]
    pub last_at: String,
}

/// What the nodes handled in one minute.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MinuteShare {
    /// Its beginning.
    #[schema(format = DateTime)]
    pub minute: String,
    /// Events.
    pub events: u64,
    /// By node.
    pub nodes: BTreeMap<String, u64>,
}

/// One event that was handled.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Handled {
    /// Place in the log.
    pub position: u64,
    /// The node that handled it.
    pub node: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its stream.
    pub stream: String,
    /// When.
    #[schema(format = DateTime)]
    pub time: String,
    /// The same in microseconds since 1970.
    pub micros: i64,
    /// Microseconds since the one listed before; negative when clocks of nodes differ.
    pub since_previous_micros: i64,
}

/// Which node handled how much of the newest events, minute by minute, and in which order.
#[utoipa::path(get, path = "/trace/distribution", tag = "Tracing", security(("bearer" = [])), params(DistributionParams),
    responses((status = 200, body = Distribution)))]
pub(super) async fn distribution(
    State(server): State<PlatformState>,
    _operator: Operator,
    StrictQuery(params): StrictQuery<DistributionParams>,
) -> Result<Json<Distribution>, Problem> {
    let count = params.events.unwrap_or(DEFAULT_EVENTS);
    if !(1..=MAX_EVENTS).contains(&count) {
        return Err(Problem::new(codes::INVALID_PARAMETER, "events: from 1 to 10000."));
    }
    let mut events = newest(&**server.platform.store(), u64::from(count)).await?;
    if let Some(wanted) = params.event_type {
        events.retain(|event| *event.event_type == *wanted);
    }
    Ok(Json(analyse(&events)))
}

async fn newest(store: &dyn EventStore, count: u64) -> Result<EventPage, ReadError> {
    let head = store.head().await.map_err(ReadError::Unavailable)?;
    let mut events = EventPage::new();
    let mut at = Position::new(head.get().saturating_sub(count));
    while at < head {
        let page = store.read_all(at, PAGE).await?;
        let Some(last) = page.last() else { break };
        at = last.position;
        events.extend(page);
    }
    events.truncate(count as usize);
    Ok(events)
}

fn analyse(events: &EventPage) -> Distribution {
    let mut nodes: BTreeMap<String, (u64, Timestamp, Timestamp)> = BTreeMap::new();
    let mut minutes: BTreeMap<i64, BTreeMap<String, u64>> = BTreeMap::new();
    for event in events {
        let node = node_of(event);
        let share = nodes.entry(node.clone()).or_insert((0, event.time, event.time));
        *share = (share.0 + 1, share.1.min(event.time), share.2.max(event.time));
        let minute = event.time.as_micros().div_euclid(MINUTE) * MINUTE;
        *minutes.entry(minute).or_default().entry(node).or_default() += 1;
    }
    let total = events.len() as u64;
    let nodes = nodes.into_iter().map(|(node, (events, first, last))| NodeShare {
        node,
        events,
        percent: events as f64 / total as f64 * 100.0,
        first_at: time(first),
        last_at: time(last),
    });
    let per_minute = minutes.into_iter().map(|(minute, nodes)| MinuteShare {
        minute: time(Timestamp::from_micros(minute)),
        events: nodes.values().sum(),
        nodes,
    });
    Distribution {
        total,
        from: events.first().map(|event| time(event.time)),
        to: events.last().map(|event| time(event.time)),
        nodes: nodes.collect(),
        per_minute: per_minute.collect(),
        order: order(&events[events.len().saturating_sub(LISTED)..]),
    }
}

fn order(events: &[std::sync::Arc<RecordedEvent>]) -> Vec<Handled> {
    let mut previous = events.first().map_or(0, |event| event.time.as_micros());
    let handled = events.iter().map(|event| {
        let micros = event.time.as_micros();
        let since_previous_micros = micros - std::mem::replace(&mut previous, micros);
        Handled {
            position: event.position.get(),
            node: node_of(event),
            kind: event.event_type.to_string(),
            stream: event.stream.to_string(),
            time: time(event.time),
            micros,
            since_previous_micros,
        }
    });
    handled.collect()
}

fn node_of(event: &RecordedEvent) -> String {
    node(event).unwrap_or_else(|| "unknown".to_owned())
}
