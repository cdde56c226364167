//! Locks by hand.

use super::Prober;
use crate::PlatformState;
use axum::{Json, extract::State};
use gallae_core::{CorrelationId, SagaId};
use gallae_http::{Problem, StrictJson, StrictPath, codes};
use gallae_ports::LockState;
use serde::{Deserialize, Serialize};
use std::{str::FromStr, time::Duration};
use utoipa::ToSchema;

const MAX_DURATION_MS: u32 = 300_000;
const MAX_NAME: usize = 64;
const MAX_KEY: usize = 200;
/// How long the lock of a saga's creation is held: the time in which doubles of one click arrive.
const CREATION: Duration = Duration::from_secs(10);
/// Keys of probes never meet those of the application.
const PREFIX: &str = "probe:";

/// For how long, and for whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct LockRequest {
    /// Milliseconds until the lock runs out.
    #[schema(minimum = 1, maximum = 300000, example = 5000)]
    pub duration: u32,
    /// Who wants it.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[^\\u0000-\\u001F\\u007F-\\u009F]+$",
        example = "node-1"
    )]
    pub node_id: String,
}

/// Whether the lock was granted; being refused is an answer, not an error.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LockAnswer {
    /// The lock.
    pub key: String,
    /// Whether it was granted to the one who asked.
    pub acquired: bool,
    /// Who holds it now.
    pub holder: String,
    /// Grows with every grant of the key: what the lock protects must refuse a lower one.
    pub fencing_token: Option<u64>,
    /// Milliseconds until it runs out.
    pub remaining_ms: f64,
}

/// How a lock stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LockStatus {
    /// The lock.
    pub key: String,
    /// Whether somebody holds it.
    pub locked: bool,
    /// Who.
    pub holder: Option<String>,
    /// The token of the grant.
    pub fencing_token: Option<u64>,
    /// Milliseconds until it runs out.
    pub remaining_ms: Option<f64>,
}

/// Whether a lock was taken away.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LockReleased {
    /// The lock.
    pub key: String,
    /// False when nobody held it.
    pub released: bool,
}

/// Which flow asks for a saga, and through whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct SagaCreationRequest {
    /// The business flow.
    #[schema(value_type = String, min_length = 1, max_length = 128, pattern = "^[!-~]+$", example = "order-flow-1")]
    pub correlation_id: CorrelationId,
    /// Who asks.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[^\\u0000-\\u001F\\u007F-\\u009F]+$",
        example = "node-1"
    )]
    pub node_id: String,
}

/// Whether this request would have created the saga.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SagaCreationAnswer {
    /// The business flow.
    pub correlation_id: String,
    /// The only id that the saga of this flow can have.
    #[schema(format = Uuid)]
    pub saga_id: String,
    /// Whether this request is the one that may create it.
    pub created: bool,
    /// Whose request that is.
    pub holder: String,
    /// The token of the grant, if it is this request.
    pub fencing_token: Option<u64>,
}

/// The name of a lock.
#[derive(Clone, Debug)]
pub(super) struct LockKey(String);

impl FromStr for LockKey {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.chars().count() > MAX_KEY || text.chars().any(char::is_control) {
            return Err("1 to 200 characters, none of them a control character");
        }
        Ok(Self(text.to_owned()))
    }
}

impl LockKey {
    fn stored(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }
}

/// Tries to take a lock. Of many who try at once, one gets it; the others are told who.
#[utoipa::path(post, path = "/redis-test/lock/{key}", tag = "Probes", security((), ("bearer" = [])),
    params(("key" = String, Path, description = "The lock", min_length = 1, max_length = 200, pattern = "^[^\\u0000-\\u001F\\u007F-\\u009F]+$")), request_body = LockRequest,
    responses((status = 200, body = LockAnswer)))]
pub(super) async fn lock(
    State(server): State<PlatformState>,
    _prober: Prober,
    StrictPath(key): StrictPath<LockKey>,
    StrictJson { value, .. }: StrictJson<LockRequest>,
) -> Result<Json<LockAnswer>, Problem> {
    let LockRequest { duration, node_id } = value;
    check_name(&node_id)?;
    if !(1..=MAX_DURATION_MS).contains(&duration) {
        return Err(invalid("duration", "from 1 to 300000 milliseconds"));
    }
    let ttl = Duration::from_millis(u64::from(duration));
    Ok(Json(match server.locks.try_lock(&key.stored(), &node_id, ttl).await? {
        Ok(grant) => LockAnswer {
            key: key.0,
            acquired: true,
            holder: grant.holder,
            fencing_token: Some(grant.fencing_token),
            remaining_ms: crate::words::millis(ttl),
        },
        Err(refusal) => LockAnswer {
            key: key.0,
            acquired: false,
            holder: refusal.holder,
            fencing_token: None,
            remaining_ms: crate::words::millis(refusal.remaining),
        },
    }))
}

/// Takes a lock away from whoever holds it.
#[utoipa::path(delete, path = "/redis-test/lock/{key}", tag = "Probes", security((), ("bearer" = [])),
    params(("key" = String, Path, description = "The lock", min_length = 1, max_length = 200, pattern = "^[^\\u0000-\\u001F\\u007F-\\u009F]+$")),
    responses((status = 200, body = LockReleased)))]
pub(super) async fn unlock(
    State(server): State<PlatformState>,
    _prober: Prober,
    StrictPath(key): StrictPath<LockKey>,
) -> Result<Json<LockReleased>, Problem> {
    let released = server.locks.break_lock(&key.stored()).await?;
    Ok(Json(LockReleased { key: key.0, released }))
}

/// Who holds a lock, and for how much longer.
#[utoipa::path(get, path = "/redis-test/lock-status/{key}", tag = "Probes", security((), ("bearer" = [])),
    params(("key" = String, Path, description = "The lock", min_length = 1, max_length = 200, pattern = "^[^\\u0000-\\u001F\\u007F-\\u009F]+$")),
    responses((status = 200, body = LockStatus)))]
pub(super) async fn state(
    State(server): State<PlatformState>,
    _prober: Prober,
    StrictPath(key): StrictPath<LockKey>,
) -> Result<Json<LockStatus>, Problem> {
    let held: Option<LockState> = server.locks.lock_state(&key.stored()).await?;
    Ok(Json(LockStatus {
        key: key.0,
        locked: held.is_some(),
        fencing_token: held.as_ref().map(|held| held.fencing_token),
        remaining_ms: held.as_ref().map(|held| crate::words::millis(held.remaining)),
        holder: held.map(|held| held.holder),
    }))
}

/// Shows that of many requests for the saga of one flow only one creates it. Takes the lock of its creation for ten seconds; no
/// saga is begun.
#[utoipa::path(post, path = "/redis-test/saga-creation-test", tag = "Probes", security((), ("bearer" = [])),
    request_body = SagaCreationRequest, responses((status = 200, body = SagaCreationAnswer)))]
pub(super) async fn saga_creation(
    State(server): State<PlatformState>,
    _prober: Prober,
    StrictJson { value, .. }: StrictJson<SagaCreationRequest>,
) -> Result<Json<SagaCreationAnswer>, Problem> {
    let SagaCreationRequest { correlation_id, node_id } = value;
    check_name(&node_id)?;
    let saga = SagaId::of("probe", correlation_id.as_str());
    let outcome = server.locks.try_lock(&format!("{PREFIX}saga:{saga}"), &node_id, CREATION).await?;
    let (created, holder, fencing_token) = match outcome {
        Ok(grant) => (true, grant.holder, Some(grant.fencing_token)),
        Err(refusal) => (false, refusal.holder, None),
    };
    let (correlation_id, saga_id) = (correlation_id.to_string(), saga.to_string());
    Ok(Json(SagaCreationAnswer { correlation_id, saga_id, created, holder, fencing_token }))
}

fn check_name(name: &str) -> Result<(), Problem> {
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(invalid("nodeId", "1 to 64 characters, none of them a control character"));
    }
    Ok(())
}

fn invalid(field: &str, detail: &str) -> Problem {
    Problem::new(codes::INVALID_BODY, format!("{field}: {detail}.")).field(
        format!("/{field}"),
        codes::INVALID_BODY.code,
        detail,
    )
}
