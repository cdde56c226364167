//! Rows of saga instances, their timers and effects. Written only inside an append, read here.

use crate::{BoxFuture, Partitions, StoreFault};
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

    /// Instances that have not ended, by the version that they run under: what a release must still be able to run.
    fn live_versions(&self) -> BoxFuture<'_, Result<Vec<LiveVersion>, StoreFault>>;

    /// Timers that are due, poison last: by fail count, then by time.
    fn due_timers(&self, due: &DueTimers) -> BoxFuture<'_, Result<Vec<TimerRow>, StoreFault>>;

    /// When the next timer of an instance in these partitions is due, if any is set.
    fn next_timer(&self, partitions: &Partitions) -> BoxFuture<'_, Result<Option<Timestamp>, StoreFault>>;

    /// The timers of one instance.
    fn timers(&self, saga: SagaId) -> BoxFuture<'_, Result<Vec<TimerRow>, StoreFault>>;

    /// The effects of one instance, in order of first dispatch.
    fn effects(&self, saga: SagaId) -> BoxFuture<'_, Result<Vec<EffectRow>, StoreFault>>;

    /// Effects in state [`Unknown`](EffectState::Unknown) of instances that have not ended, the oldest first, and how many there
    /// are in all.
    fn unknown_effects(&self, limit: usize) -> BoxFuture<'_, Result<(Vec<EffectRow>, u64), StoreFault>>;

    /// Messages that reached an instance before it began, in the order in which they came; without those expired at `now`.
    fn early_messages(
        &self,
        saga: SagaId,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<EarlyMessage>, StoreFault>>;
}

/// How many instances that have not ended run under one version of one definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveVersion {
    /// The definition's name.
    pub definition: String,
    /// The version.
    pub version: u32,
    /// The shape of that version.
    pub hash: String,
    /// How many.
    pub count: u64,
}

/// Which due timers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueTimers {
    /// Due at this time.
    pub now: Timestamp,
    /// Only of instances in these partitions.
    pub partitions: Partitions,
    /// At most so many of each definition, so that one whose timers keep failing does not keep out the others.
    pub per_definition: usize,
    /// At most so many in all.
    pub limit: usize,
}

/// A message for an instance that has not begun. Kept until it is taken up or expires.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlyMessage {
    /// The instance that it is for.
    pub saga: SagaId,
    /// Unique within the instance.
    pub message_id: String,
    /// The signal's name.
    pub signal: String,
    /// What it says.
    pub payload: Value,
    /// It is forgotten after this.
    pub expires_at: Timestamp,
}

/// A change to the messages that came early.
#[derive(Clone, Debug, PartialEq)]
pub enum EarlyWrite {
    /// Keeps a message; one with the same id is replaced and keeps its place.
    Put(EarlyMessage),
    /// Removes a message, if it is there.
    Remove {
        /// The instance that it was for.
        saga: SagaId,
        /// Which.
        message_id: String,
    },
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
    /// A step was not done in time.
    StepDeadline,
    /// A signal that a step waits for did not come in time.
    Signal,
    /// A participant is asked again whether something has happened.
    Poll,
}

impl TimerKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Resume,
        Self::Retry,
        Self::AttemptTimeout,
        Self::Deadline,
        Self::StepDeadline,
        Self::Signal,
        Self::Poll,
    ];

    /// The word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::AttemptTimeout => "attempt-timeout",
            Self::Deadline => "deadline",
            Self::StepDeadline => "step-deadline",
            Self::Signal => "signal",
            Self::Poll => "poll",
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
    /// Only in these partitions; any if absent.
    pub partitions: Option<Partitions>,
}
