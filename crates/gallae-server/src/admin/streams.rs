//! The event explorer, and aggregates as they once stood.

use crate::{PlatformState, events::EventBody};
use axum::{Json, extract::State};
use gallae_core::{StreamId, Version};
use gallae_http::{Problem, StrictPath, StrictPath2, StrictQuery, auth::Operator, codes};
use gallae_runtime::StateError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 500;

/// Which streams.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamParams {
    /// Only those whose name starts with this, such as `order-`.
    prefix: Option<String>,
    /// Only those after this name: the last one of the page before.
    #[param(max_length = 255, pattern = "^[!-,.-~]+-[!-~]+$")]
    after: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
}

/// Which events of a stream.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamEventParams {
    /// Only those after this version.
    after: Option<u64>,
    /// At most this many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
}

/// Streams by name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StreamList {
    /// The streams.
    pub streams: Vec<StreamBody>,
    /// `after` of the next page, if there may be one.
    pub next: Option<String>,
}

/// A stream.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StreamBody {
    /// Its name.
    pub stream: String,
    /// The version of its last event.
    pub version: u64,
}

/// Events of one stream.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StreamEvents {
    /// The stream's name.
    pub stream: String,
    /// The version of its last event.
    pub version: u64,
    /// Its events, in order.
    pub events: Vec<EventBody>,
    /// `after` of the next page, if there is one.
    pub next: Option<u64>,
}

/// An aggregate as it stood.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StreamState {
    /// The stream's name.
    pub stream: String,
    /// The version it is folded up to.
    pub version: u64,
    /// The event that led there.
    pub event: EventBody,
    /// The state after it.
    pub state: Value,
}

/// Streams by name.
#[utoipa::path(get, path = "/admin/streams", tag = "Operations", security(("bearer" = [])),
    params(StreamParams), responses((status = 200, body = StreamList)))]
pub(super) async fn list(
    State(server): State<PlatformState>,
    _operator: Operator,
    StrictQuery(params): StrictQuery<StreamParams>,
) -> Result<Json<StreamList>, Problem> {
    let limit = checked(params.limit)?;
    let after = params.after.map(|text| text.parse::<StreamId>()).transpose();
    let after = after.map_err(|error| Problem::new(codes::INVALID_PARAMETER, format!("after: {error}.")))?;
    let prefix = params.prefix.unwrap_or_default();
    let found = server.platform.store().list_streams(&prefix, after.as_ref(), limit).await?;
    let next = (found.len() == limit).then(|| found.last().map(|last| last.stream.to_string())).flatten();
    let shown = found
        .into_iter()
        .map(|one| StreamBody { stream: one.stream.to_string(), version: one.version.get() });
    Ok(Json(StreamList { streams: shown.collect(), next }))
}

/// The events of a stream, in order.
#[utoipa::path(get, path = "/admin/streams/{stream}", tag = "Operations", security(("bearer" = [])),
    params(("stream" = String, Path, description = "The stream, such as order-0190…", max_length = 255, pattern = "^[!-,.-~]+-[!-~]+$"), StreamEventParams),
    responses((status = 200, body = StreamEvents)))]
pub(super) async fn show(
    State(server): State<PlatformState>,
    _operator: Operator,
    StrictPath(stream): StrictPath<StreamId>,
    StrictQuery(params): StrictQuery<StreamEventParams>,
) -> Result<Json<StreamEvents>, Problem> {
    let limit = checked(params.limit)?;
    let head = server.platform.store().stream_head(&stream).await?;
    if head == Version::NONE {
        return Err(Problem::not_found("stream"));
    }
    let after = Version::new(stored(params.after.unwrap_or(0), "after")?);
    let found = server.platform.store().read_stream(&stream, after, limit).await?;
    let last = found.last().map(|event| event.version);
    Ok(Json(StreamEvents {
        stream: stream.to_string(),
        version: head.get(),
        events: found.iter().map(|event| EventBody::of(event)).collect(),
        next: last.filter(|last| *last < head).map(Version::get),
    }))
}

/// The aggregate of a stream as it stood after one of its versions.
#[utoipa::path(get, path = "/admin/streams/{stream}/at/{version}", tag = "Operations", security(("bearer" = [])),
    params(("stream" = String, Path, description = "The stream", max_length = 255, pattern = "^[!-,.-~]+-[!-~]+$"), ("version" = u64, Path, description = "From 1", minimum = 1)),
    responses((status = 200, body = StreamState)))]
pub(super) async fn at(
    State(server): State<PlatformState>,
    _operator: Operator,
    StrictPath2(stream, version): StrictPath2<StreamId, u64>,
) -> Result<Json<StreamState>, Problem> {
    let before = stored(version, "version")?.checked_sub(1);
    let before = before.ok_or_else(|| Problem::new(codes::INVALID_PARAMETER, "version: from 1."))?;
    let event = server.platform.store().read_stream(&stream, Version::new(before), 1).await?.pop();
    let event = event.ok_or_else(|| Problem::not_found("version of this stream"))?;
    let (state, _) = server.platform.state_at(&stream, Some(event.version)).await.map_err(unreadable)?;
    Ok(Json(StreamState { stream: stream.to_string(), version, event: EventBody::of(&event), state }))
}

/// An aggregate that the program does not know is nothing to look at; one that it cannot read is worth a look at the log.
fn unreadable(error: StateError) -> Problem {
    match error {
        StateError::Read(error) => error.into(),
        StateError::NoSuchAggregate(_) => Problem::not_found("aggregate for this stream"),
        StateError::NotThere { .. } => Problem::not_found("version of this stream"),
        other => {
            tracing::error!(error = crate::words::chain(&other), "a stream cannot be understood");
            Problem::new(codes::UNDECODABLE_STREAM, "Its events are intact. The log says what does not fit.")
        }
    }
}

/// Stores count in signed 64 bits.
fn stored(number: u64, name: &str) -> Result<u64, Problem> {
    match i64::try_from(number) {
        Ok(_) => Ok(number),
        Err(_) => Err(Problem::new(codes::INVALID_PARAMETER, format!("{name}: at most {}.", i64::MAX))),
    }
}

fn checked(limit: Option<u32>) -> Result<usize, Problem> {
    match limit.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit as usize),
        _ => Err(Problem::new(codes::INVALID_PARAMETER, "limit: from 1 to 500.")),
    }
}
