//! What is said about a saga.

use crate::words::{time, word};
use gallae_core::{
    Event,
    saga::{SagaEvent, SagaStatus},
};
use gallae_ports::{EffectRow, SagaRow, TimerRow};
use gallae_runtime::saga::{SagaDescription, TimelineEntry};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An instance, in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SagaSummary {
    /// Names the instance.
    #[schema(format = Uuid)]
    pub id: String,
    /// The same as `id`.
    #[schema(format = Uuid)]
    pub saga_id: String,
    /// What it is an instance of.
    pub definition: String,
    /// The version it runs under.
    pub definition_version: u32,
    /// What it is about, such as an order's id; unique within the definition.
    pub business_key: String,
    /// `RUNNING`, `WAITING`, `PAUSED`, `COMPENSATING`, `STUCK`, `COMPLETED`, `REJECTED`, `COMPENSATED` or `ABANDONED`.
    pub status: String,
    /// Why it left its straight way.
    pub cause: Option<String>,
    /// The step it is at.
    pub step: Option<String>,
    /// The last error or reason.
    pub reason: Option<String>,
    /// The business flow.
    pub correlation_id: String,
    /// Whose request began it.
    #[schema(format = Uuid)]
    pub user_id: Option<String>,
    /// The last version of its stream.
    pub version: u64,
    /// When it began.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// When it last moved.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// When it next has something to do.
    #[schema(format = DateTime)]
    pub next_due: Option<String>,
    /// When it must have passed its point of no return.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
    /// From its start to its end, or to its last move.
    pub duration_ms: f64,
    /// Whether nothing will happen any more.
    pub ended: bool,
}

/// A page of instances, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SagaPage {
    /// The instances.
    pub sagas: Vec<SagaSummary>,
    /// How many match in all.
    pub total: u64,
    /// Which page this is, from 1.
    pub page: u32,
    /// Instances a page.
    pub limit: u32,
    /// How many pages there are.
    pub total_pages: u64,
}

/// The sagas of one business flow.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlowSagas {
    /// The flow.
    pub correlation_id: String,
    /// The newest saga's id.
    #[schema(format = Uuid)]
    pub saga_id: String,
    /// The newest saga's status.
    pub status: String,
    /// The step that the newest saga is at.
    pub step: Option<String>,
    /// Why the newest saga stands where it stands.
    pub reason: Option<String>,
    /// All of them, newest first.
    pub sagas: Vec<SagaSummary>,
}

/// An instance, whole.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SagaDetail {
    /// In short.
    #[serde(flatten)]
    pub summary: SagaSummary,
    /// Why it stands where it stands, in one sentence.
    pub why: String,
    /// Where it stood before it was paused or stuck.
    pub origin: Option<String>,
    /// The steps that have begun.
    pub steps: Vec<StepBody>,
    /// What would be undone, or is being undone, in this order.
    pub undo_lane: Vec<String>,
    /// When the next attempt is due.
    #[schema(format = DateTime)]
    pub next_retry_at: Option<String>,
    /// What it waits for.
    pub timers: Vec<TimerBody>,
    /// Its calls to the outside.
    pub effects: Vec<EffectBody>,
    /// Everything that happened to it, in order.
    pub timeline: Vec<TimelineBody>,
}

/// A step of an instance.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StepBody {
    /// Its name.
    pub name: String,
    /// How far it has come, such as `dispatched` or `undone`.
    pub phase: String,
    /// Attempts made in the present direction.
    pub attempt: u32,
    /// The last error.
    pub error: Option<String>,
    /// When the next attempt is due.
    #[schema(format = DateTime)]
    pub retry_at: Option<String>,
}

/// Something that an instance waits for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimerBody {
    /// Its name, such as `retry:capture`.
    pub timer: String,
    /// What fires.
    pub kind: String,
    /// When.
    #[schema(format = DateTime)]
    pub fire_at: String,
}

/// A call to the outside.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct EffectBody {
    /// The idempotency key that the participant knows it by.
    pub key: String,
    /// The step that made it.
    pub step: String,
    /// `do` or `undo`.
    pub direction: String,
    /// What is known of it.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was first sent.
    #[schema(format = DateTime)]
    pub first_sent_at: String,
    /// The participant's answer; operators alone see it.
    pub response: Option<Value>,
}

/// Something that happened to an instance.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimelineBody {
    /// Place in its stream.
    pub version: u64,
    /// Place in the log.
    pub position: u64,
    /// When.
    #[schema(format = DateTime)]
    pub time: String,
    /// What.
    #[serde(rename = "type")]
    pub kind: String,
    /// The step it is about, if it is about one.
    pub step: Option<String>,
    /// On whose behalf.
    pub actor: Option<String>,
    /// Its payload; operators alone see it.
    pub data: Option<Value>,
}

impl SagaSummary {
    /// Shows a row.
    pub fn of(row: &SagaRow) -> Self {
        Self {
            id: row.id.to_string(),
            saga_id: row.id.to_string(),
            definition: row.definition.clone(),
            definition_version: row.definition_version,
            business_key: row.business_key.clone(),
            status: row.status.to_string(),
            cause: row.cause.map(|cause| cause.to_string()),
            step: row.step.clone(),
            reason: row.reason.clone(),
            correlation_id: row.correlation_id.to_string(),
            user_id: row.user.map(|user| user.to_string()),
            version: row.version.get(),
            started_at: time(row.started_at),
            updated_at: time(row.updated_at),
            next_due: row.next_due.map(time),
            deadline: row.deadline.map(time),
            duration_ms: crate::words::millis(row.updated_at.since(row.started_at)),
            ended: row.status.is_terminal(),
        }
    }
}

impl SagaDetail {
    pub(super) fn of(saga: &SagaDescription, operator: bool) -> Self {
        let state = &saga.state;
        let steps = state.steps.iter().map(|(name, step)| StepBody {
            name: name.clone(),
            phase: word(&step.phase),
            attempt: step.attempt,
            error: step.error.clone(),
            retry_at: step.retry_at.map(time),
        });
        Self {
            summary: SagaSummary::of(&saga.row),
            why: saga.why.clone(),
            origin: state.origin.map(|origin: SagaStatus| origin.to_string()),
            undo_lane: state.completed.iter().rev().cloned().collect(),
            next_retry_at: state.steps.values().filter_map(|step| step.retry_at).min().map(time),
            steps: steps.collect(),
            timers: saga.timers.iter().map(TimerBody::of).collect(),
            effects: saga.effects.iter().map(|effect| EffectBody::of(effect, operator)).collect(),
            timeline: saga.timeline.iter().map(|entry| TimelineBody::of(entry, operator)).collect(),
        }
    }
}

impl TimerBody {
    fn of(timer: &TimerRow) -> Self {
        Self {
            timer: timer.timer.clone(),
            kind: timer.kind.as_str().to_owned(),
            fire_at: time(timer.fire_at),
        }
    }
}

impl EffectBody {
    fn of(effect: &EffectRow, operator: bool) -> Self {
        Self {
            key: effect.key.clone(),
            step: effect.step.clone(),
            direction: effect.direction.as_str().to_owned(),
            state: effect.state.as_str().to_owned(),
            attempts: effect.attempts,
            first_sent_at: time(effect.first_sent_at),
            response: effect.response.clone().filter(|_| operator),
        }
    }
}

impl TimelineBody {
    fn of(entry: &TimelineEntry, operator: bool) -> Self {
        let data = payload(&entry.event);
        let step = data.as_ref().and_then(|data| data.get("step")?.as_str().map(str::to_owned));
        Self {
            version: entry.version.get(),
            position: entry.position.get(),
            time: time(entry.time),
            kind: entry.event.event_type().name.to_owned(),
            step,
            actor: entry.actor.as_ref().map(ToString::to_string),
            data: data.filter(|_| operator),
        }
    }
}

fn payload(event: &SagaEvent) -> Option<Value> {
    let mut json = Vec::new();
    event.encode(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}
