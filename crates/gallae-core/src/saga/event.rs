//! The transitions of a saga, as its stream records them.

use super::{Cause, Direction, EffectKey};
use crate::{Event, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why an attempt failed, as far as the engine has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureClass {
    /// It did not happen; trying again may help.
    Transient,
    /// It did not happen; the participant asks for patience.
    Throttled,
    /// It may have happened: ask before anything else.
    Unknown,
    /// It can never work: a bug or a broken contract.
    Permanent,
}

/// Why a call may not leave yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HoldReason {
    /// Calls to the participant fail or are slow: none leaves for a while.
    Breaker,
    /// So many calls a second, and no more.
    Rate,
    /// So many calls at once, and no more.
    Concurrency,
    /// So many retries for each first call, and no more.
    RetryBudget,
}

impl HoldReason {
    /// The word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Breaker => "breaker",
            Self::Rate => "rate",
            Self::Concurrency => "concurrency",
            Self::RetryBudget => "retryBudget",
        }
    }
}

/// What happened to a saga instance.
#[derive(Clone, Debug, PartialEq, Event)]
#[allow(missing_docs, reason = "the fields say what they are; each variant says what happened")]
pub enum SagaEvent {
    /// It began, in the transaction of the event that caused it.
    #[event(name = "SagaStarted", version = 1)]
    Started {
        definition: String,
        definition_version: u32,
        definition_hash: String,
        business_key: String,
        input: Value,
        deadline: Option<Timestamp>,
    },
    /// An attempt is about to be made; the call leaves only after this is durable.
    #[event(name = "SagaStepDispatched", version = 1)]
    StepDispatched {
        step: String,
        direction: Direction,
        attempt: u32,
        epoch: u64,
        effect_key: EffectKey,
        request_hash: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
    },
    /// An attempt may not be made before `retry_at`, because of what the participant can bear. It costs no attempt.
    #[event(name = "SagaStepHeld", version = 1)]
    StepHeld {
        step: String,
        direction: Direction,
        why: HoldReason,
        reason: String,
        retry_at: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
    },
    /// The step took effect; its answer is kept.
    #[event(name = "SagaStepSucceeded", version = 1)]
    StepSucceeded { step: String, output: Value },
    /// The step was refused and did nothing.
    #[event(name = "SagaStepRejected", version = 1)]
    StepRejected { step: String, code: String, reason: String },
    /// An attempt failed; the next one is due at `retry_at`.
    #[event(name = "SagaStepFailed", version = 1)]
    StepFailed {
        step: String,
        direction: Direction,
        attempt: u32,
        class: FailureClass,
        error: String,
        retry_at: Timestamp,
    },
    /// A participant was asked and had never seen the call.
    #[event(name = "SagaStepNotExecuted", version = 1)]
    StepNotExecuted { step: String, direction: Direction },
    /// The step was undone.
    #[event(name = "SagaStepUndone", version = 1)]
    StepUndone { step: String, output: Value },
    /// The saga goes on without the step.
    #[event(name = "SagaStepSkipped", version = 1)]
    StepSkipped { step: String, reason: String },
    /// Somebody asked for the saga to be undone.
    #[event(name = "SagaCancelRequested", version = 1)]
    CancelRequested { cause: Cause, reason: String },
    /// From here on effects are undone, in reverse order.
    #[event(name = "SagaCompensationStarted", version = 1)]
    CompensationStarted { cause: Cause, code: String, reason: String },
    /// An operator holds it.
    #[event(name = "SagaPaused", version = 1)]
    Paused { reason: String },
    /// An operator let it go on.
    #[event(name = "SagaResumed", version = 1)]
    Resumed { reason: String },
    /// It cannot go on without help.
    #[event(name = "SagaStuck", version = 1)]
    Stuck { step: String, reason: String },
    /// An operator asked for another attempt.
    #[event(name = "SagaRetryRequested", version = 1)]
    RetryRequested { reason: String },
    /// Every step succeeded or was skipped.
    #[event(name = "SagaCompleted", version = 1)]
    Completed {},
    /// It failed before anything took effect.
    #[event(name = "SagaRejected", version = 1)]
    Rejected { cause: Cause, code: String, reason: String },
    /// Every effect was undone.
    #[event(name = "SagaCompensated", version = 1)]
    Compensated { cause: Cause, code: String, reason: String },
    /// An operator closed it.
    #[event(name = "SagaAbandoned", version = 1)]
    Abandoned { reason: String },
}
