//! Rows of saga instances, their timers and effects. Written only inside an append, read here.

use crate::{BoxFuture, StoreFault};
use gallae_core::{
    CorrelationId, SagaId, Timestamp, Version,
    saga::{Cause, Direction, SagaStatus},
};
use serde_json::Value;
use uuid::Uuid;

/// What can be asked about sagas without reading their streams.
pub trait SagaStore: Send + Sync + 'static {
    /// One instance.
    fn saga(&self, id: SagaId) -> BoxFuture<'_, Result<Option<SagaRow>, StoreFault>>;

    /// Instances that match, newest first, `limit` after skipping `offset`, and how many match in all.
    fn sagas(
        &self,
        filter: &SagaFilter,
        offset: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<(Vec<SagaRow>, u64), StoreFault>>;

    /// Instances by definition and status, for statistics.
    fn saga_counts(&self) -> BoxFuture<'_, Result<Vec<SagaCount>, StoreFault>>;

    /// At most `limit` timers due at `now`, poison last: by fail count, then by time.
    fn due_timers(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<TimerRow>, StoreFault>>;

    /// When the next timer is due, if any is set.
    fn next_timer(&self) -> BoxFuture<'_, Result<Option<Timestamp>, StoreFault>>;

    /// The timers of one instance.
    fn timers(&self, saga: SagaId) -> BoxFuture<'_, Result<Vec<TimerRow>, StoreFault>>;

    /// The effects of one instance, in order of first dispatch.
    fn effects(&self, saga: SagaId) -> BoxFuture<'_, Result<Vec<EffectRow>, StoreFault>>;
}

/// How many instances of one definition have one status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SagaCount {
    /// The definition's name.
    pub definition: String,
    /// The status.
    pub status: SagaStatus,
    /// How many.
    pub count: u64,
    /// When the one that has not moved for longest last moved.
    pub oldest: Timestamp,
}

/// One instance, as queries see it. The stream is the truth; this row is written in the same transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SagaRow {
    /// The instance.
    pub id: SagaId,
    /// The definition's name.
    pub definition: String,
    /// The version it runs under.
    pub definition_version: u32,
    /// The shape of that version.
    pub definition_hash: String,
    /// Unique within the definition.
    pub business_key: String,
    /// Where it stands.
    pub status: SagaStatus,
    /// Why it left its straight way.
    pub cause: Option<Cause>,
    /// The step it is at.
    pub step: Option<String>,
    /// The last error or reason, in words.
    pub reason: Option<String>,
    /// The last version of its stream.
    pub version: Version,
    /// The virtual partition it belongs to.
    pub partition: u16,
    /// The epoch of the lease under which it was last written; never decreases.
    pub epoch: u64,
    /// When it next has something to do.
    pub next_due: Option<Timestamp>,
    /// When it must have reached its pivot.
    pub deadline: Option<Timestamp>,
    /// The business flow.
    pub correlation_id: CorrelationId,
    /// Whose request began it.
    pub user: Option<Uuid>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// A change to a saga row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SagaWrite {
    /// A new instance. Refused with a saga conflict when the id, or (definition, business key), exists.
    Insert(SagaRow),
    /// Moves an instance on. Refused with a saga conflict unless its version is `expected` and its epoch at most the row's.
    Update {
        /// The row after.
        row: SagaRow,
        /// The version before.
        expected: Version,
    },
}

/// A durable timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimerRow {
    /// The instance.
    pub saga: SagaId,
    /// Unique within the instance, such as `retry:capture`.
    pub timer: String,
    /// The instance's partition.
    pub partition: u16,
    /// What fires.
    pub kind: TimerKind,
    /// When.
    pub fire_at: Timestamp,
    /// How often firing has failed.
    pub fail_count: u32,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimerKind {
    /// The instance has work to be taken up: its start, or a transition whose next step nobody has begun.
    Resume,
    /// The next attempt of a step.
    Retry,
    /// An attempt's answer is overdue.
    AttemptTimeout,
    /// The pivot was not reached in time.
    Deadline,
}

impl TimerKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Resume, Self::Retry, Self::AttemptTimeout, Self::Deadline];

    /// The word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::AttemptTimeout => "attempt-timeout",
            Self::Deadline => "deadline",
        }
    }
}

/// A change to the timers of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimerWrite {
    /// Sets or moves a timer.
    Set(TimerRow),
    /// Removes a timer, if it is set.
    Remove {
        /// The instance.
        saga: SagaId,
        /// The timer.
        timer: String,
    },
    /// Removes every timer of an instance.
    RemoveAll {
        /// The instance.
        saga: SagaId,
    },
}

/// A call to the outside, from before it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectRow {
    /// See [`EffectKey`](gallae_core::saga::EffectKey).
    pub key: String,
    /// The instance.
    pub saga: SagaId,
    /// The step.
    pub step: String,
    /// Do or undo.
    pub direction: Direction,
    /// Fixed at the first dispatch.
    pub request_hash: String,
    /// What is known of it.
    pub state: EffectState,
    /// When it was first sent.
    pub first_sent_at: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// The participant's answer.
    pub response: Option<Value>,
    /// The epoch of the sender.
    pub epoch: u64,
}

/// What is known of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EffectState {
    /// Sent, no answer yet.
    Sent,
    /// May have happened.
    Unknown,
    /// Happened.
    Executed,
    /// Refused; did not happen.
    Refused,
    /// Did not happen.
    NotExecuted,
}

impl EffectState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Sent, Self::Unknown, Self::Executed, Self::Refused, Self::NotExecuted];

    /// The word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Executed => "executed",
            Self::Refused => "refused",
            Self::NotExecuted => "not-executed",
        }
    }
}

/// Which instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SagaFilter {
    /// Only of this definition.
    pub definition: Option<String>,
    /// Only in one of these statuses; any if empty.
    pub statuses: Vec<SagaStatus>,
    /// Only at this step.
    pub step: Option<String>,
    /// Only of this flow.
    pub correlation_id: Option<CorrelationId>,
    /// Only with this business key.
    pub business_key: Option<String>,
    /// Only begun by this user.
    pub user: Option<Uuid>,
    /// Only last moved before this.
    pub updated_before: Option<Timestamp>,
}
