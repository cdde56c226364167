//! Events that a projection could not fold.

use super::projections::problem;
use crate::{PlatformState, words::time};
use axum::{Json, extract::State};
use gallae_core::ViewKey;
use gallae_http::{Problem, StrictJson, StrictQuery, auth::Operator, codes};
use gallae_ports::DeadLetter;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1_000;

/// Which letters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeadLetterParams {
    /// Only of this projection.
    projection: Option<String>,
    /// Only of this view key.
    key: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// Parked events in position order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeadLetterList {
    /// The letters.
    pub dead_letters: Vec<DeadLetterBody>,
}

/// A parked event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeadLetterBody {
    /// Whose.
    pub projection: String,
    /// Which view waits for it.
    pub key: String,
    /// Which event.
    pub position: u64,
    /// What happened.
    pub event_type: String,
    /// What went wrong, or that it waits behind another.
    pub error: String,
    /// Tries so far.
    pub attempts: u32,
    /// When it was first parked.
    #[schema(format = DateTime)]
    pub parked_at: String,
}

/// Which parked key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ParkedKey {
    /// The projection.
    #[schema(min_length = 1, max_length = 255)]
    pub projection: String,
    /// The view's key.
    #[schema(min_length = 1, max_length = 255)]
    pub key: String,
}

/// What became of a parked key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UnparkedBody {
    /// Parked events that are folded now.
    pub applied: u64,
    /// Parked events that were given up.
    pub discarded: u64,
    /// Events of the key that stay parked.
    pub parked: u64,
}

/// Parked events: of one projection or all, of one key or all.
#[utoipa::path(get, path = "/admin/dead-letters", tag = "Operations", security(("bearer" = [])),
    params(DeadLetterParams), responses((status = 200, body = DeadLetterList)))]
pub(super) async fn list(
    State(server): State<PlatformState>,
    _operator: Operator,
    StrictQuery(params): StrictQuery<DeadLetterParams>,
) -> Result<Json<DeadLetterList>, Problem> {
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::new(codes::INVALID_PARAMETER, "limit: from 1 to 1000."));
    }
    let key = params.key.map(ViewKey::from);
    let letters = server
        .platform
        .projections()
        .dead_letters(params.projection.as_deref(), key.as_ref(), limit as usize)
        .await;
    let dead_letters = letters.map_err(problem)?.into_iter().map(DeadLetterBody::of).collect();
    Ok(Json(DeadLetterList { dead_letters }))
}

/// Folds the parked events of a key again, in order, as far as they go.
#[utoipa::path(post, path = "/admin/dead-letters/retry", tag = "Operations", security(("bearer" = [])),
    request_body = ParkedKey, responses((status = 200, body = UnparkedBody)))]
pub(super) async fn retry(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictJson { value, .. }: StrictJson<ParkedKey>,
) -> Result<Json<UnparkedBody>, Problem> {
    let ParkedKey { projection, key } = value;
    tracing::info!(projection, key, by = %caller.user, "an operator retries a parked key");
    let done =
        server.platform.projections().retry(&projection, &ViewKey::from(key)).await.map_err(problem)?;
    Ok(Json(UnparkedBody { applied: done.applied, discarded: done.discarded, parked: done.parked }))
}

/// Gives up the first parked event of a key, for good, and folds those that wait behind it. The event stays in the log.
#[utoipa::path(post, path = "/admin/dead-letters/discard", tag = "Operations", security(("bearer" = [])),
    request_body = ParkedKey, responses((status = 200, body = UnparkedBody)))]
pub(super) async fn discard(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictJson { value, .. }: StrictJson<ParkedKey>,
) -> Result<Json<UnparkedBody>, Problem> {
    let ParkedKey { projection, key } = value;
    tracing::warn!(projection, key, by = %caller.user, "an operator gives up a parked event");
    let done =
        server.platform.projections().discard(&projection, &ViewKey::from(key)).await.map_err(problem)?;
    Ok(Json(UnparkedBody { applied: done.applied, discarded: done.discarded, parked: done.parked }))
}

impl DeadLetterBody {
    fn of(letter: DeadLetter) -> Self {
        Self {
            projection: letter.projection,
            key: letter.key.to_string(),
            position: letter.position.get(),
            event_type: letter.event_type,
            error: letter.error,
            attempts: letter.attempts,
            parked_at: time(letter.parked_at),
        }
    }
}
