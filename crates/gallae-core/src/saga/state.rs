//! The state of a saga instance, folded from its stream.

use super::{Cause, Direction, FailureClass, HoldReason, SagaEnd, SagaEvent, SagaStatus};
use crate::{Aggregate, Rejection, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One instance as its events left it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SagaState {
    /// The definition's name; empty before the start.
    pub definition: String,
    /// The version that this instance runs under, to its end.
    pub definition_version: u32,
    /// The shape of that version.
    pub definition_hash: String,
    /// Unique within the definition.
    pub business_key: String,
    /// What it was started with.
    pub input: Value,
    /// When it must have reached its pivot.
    pub deadline: Option<Timestamp>,
    /// Where it stands.
    pub status: Option<SagaStatus>,
    /// Where it stood before it was paused or stuck.
    pub origin: Option<SagaStatus>,
    /// Why it turned back or stopped: cause, stable code, words.
    pub end: Option<(Cause, String, String)>,
    /// Why it is stuck or paused.
    pub held: Option<String>,
    /// Steps that have begun, by name.
    pub steps: BTreeMap<String, StepState>,
    /// Answers of the steps that succeeded.
    pub outputs: BTreeMap<String, Value>,
    /// Names in the order in which they succeeded; undone from the back.
    pub completed: Vec<String>,
}

/// One step of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepState {
    /// How far it has come.
    pub phase: StepPhase,
    /// Attempts made in the present direction.
    pub attempt: u32,
    /// The last error.
    pub error: Option<String>,
    /// When the next attempt is due.
    pub retry_at: Option<Timestamp>,
    /// The hash of the request, fixed at its first dispatch in each direction.
    pub request_hash: Option<String>,
    /// The key of the effect in the present direction.
    pub effect_key: Option<String>,
    /// When it must be done, once it has begun.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
    /// Why its next attempt may not be made yet, when that is not a failure.
    #[serde(default)]
    pub held: Option<HoldReason>,
    /// How often in a row it was held.
    #[serde(default)]
    pub holds: u32,
}

/// The lifecycle of a step: forward above, its mirror below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepPhase {
    /// May be dispatched.
    Ready,
    /// A call may be under way.
    Dispatched,
    /// Waits for its next attempt.
    Backoff,
    /// A call may have happened.
    Unknown,
    /// Took effect.
    Succeeded,
    /// Was refused.
    Rejected,
    /// Left out.
    Skipped,
    /// May be undone.
    UndoReady,
    /// An undo may be under way.
    UndoDispatched,
    /// Its undo waits for the next attempt.
    UndoBackoff,
    /// An undo may have happened.
    UndoUnknown,
    /// Was undone.
    Undone,
}

impl SagaState {
    /// How it ended, once it has.
    pub fn ended(&self) -> Option<SagaEnd> {
        let status = self.status.filter(|status| status.is_terminal())?;
        let (cause, code, reason) = match &self.end {
            Some((cause, code, reason)) => (Some(*cause), Some(code.clone()), Some(reason.clone())),
            None => (None, None, None),
        };
        Some(SagaEnd { status, cause, code, reason })
    }

    /// The step called `name`, or one that has not begun.
    pub fn step(&self, name: &str) -> StepState {
        self.steps.get(name).cloned().unwrap_or_default()
    }

    fn step_mut(&mut self, name: &str) -> &mut StepState {
        self.steps.entry(name.to_owned()).or_default()
    }
}

impl Default for StepState {
    fn default() -> Self {
        let phase = StepPhase::Ready;
        Self {
            phase,
            attempt: 0,
            error: None,
            retry_at: None,
            request_hash: None,
            effect_key: None,
            deadline: None,
            held: None,
            holds: 0,
        }
    }
}

/// A saga's stream is written by the engine alone, so it never refuses a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a saga takes no commands")]
pub struct SagaRejection;

impl Rejection for SagaRejection {
    fn code(&self) -> &'static str {
        "SAGA_TAKES_NO_COMMANDS"
    }
}

impl Aggregate for SagaState {
    const TYPE: &'static str = "saga";
    type Event = SagaEvent;
    type Rejection = SagaRejection;

    fn evolve(&mut self, event: &SagaEvent) {
        match event.clone() {
            SagaEvent::Started {
                definition,
                definition_version,
                definition_hash,
                business_key,
                input,
                deadline,
            } => {
                *self = Self {
                    definition,
                    definition_version,
                    definition_hash,
                    business_key,
                    input,
                    deadline,
                    ..Self::default()
                };
                self.status = Some(SagaStatus::Running);
            }
            SagaEvent::StepDispatched {
                step,
                direction,
                attempt,
                effect_key,
                request_hash,
                deadline,
                ..
            } => {
                let state = self.step_mut(&step);
                state.phase = match direction {
                    Direction::Do => StepPhase::Dispatched,
                    Direction::Undo => StepPhase::UndoDispatched,
                };
                state.attempt = attempt;
                state.retry_at = None;
                state.request_hash = Some(request_hash);
                state.effect_key = Some(effect_key.as_str().to_owned());
                state.deadline = deadline.or(state.deadline);
                (state.held, state.holds) = (None, 0);
            }
            SagaEvent::StepHeld { step, direction, why, reason, retry_at, deadline } => {
                let state = self.step_mut(&step);
                // What may have happened may still have happened.
                state.phase = match (direction, state.phase) {
                    (Direction::Do, StepPhase::Dispatched | StepPhase::Unknown) => StepPhase::Unknown,
                    (Direction::Do, _) => StepPhase::Backoff,
                    (Direction::Undo, StepPhase::UndoDispatched | StepPhase::UndoUnknown) => {
                        StepPhase::UndoUnknown
                    }
                    (Direction::Undo, _) => StepPhase::UndoBackoff,
                };
                (state.error, state.retry_at) = (Some(reason), Some(retry_at));
                state.deadline = deadline.or(state.deadline);
                (state.held, state.holds) = (Some(why), state.holds + 1);
            }
            SagaEvent::StepSucceeded { step, output } => {
                self.step_mut(&step).settle(StepPhase::Succeeded);
                self.outputs.insert(step.clone(), output);
                self.completed.push(step);
            }
            SagaEvent::StepRejected { step, code, reason } => {
                let state = self.step_mut(&step);
                state.settle(StepPhase::Rejected);
                state.error = Some(reason.clone());
                // The first refusal is why the saga turns back; siblings in flight may add theirs.
                self.end.get_or_insert((Cause::BusinessReject, code, reason));
            }
            SagaEvent::StepFailed { step, direction, attempt, class, error, retry_at } => {
                let state = self.step_mut(&step);
                state.phase = match (direction, class) {
                    (Direction::Do, FailureClass::Unknown) => StepPhase::Unknown,
                    (Direction::Do, _) => StepPhase::Backoff,
                    (Direction::Undo, FailureClass::Unknown) => StepPhase::UndoUnknown,
                    (Direction::Undo, _) => StepPhase::UndoBackoff,
                };
                state.attempt = attempt;
                state.error = Some(error);
                state.retry_at = Some(retry_at);
                state.held = None;
            }
            SagaEvent::StepNotExecuted { step, direction } => {
                let state = self.step_mut(&step);
                state.retry_at = None;
                state.phase = match direction {
                    Direction::Do => StepPhase::Ready,
                    Direction::Undo => StepPhase::UndoReady,
                };
            }
            SagaEvent::StepUndone { step, .. } => {
                self.step_mut(&step).settle(StepPhase::Undone);
                self.completed.retain(|completed| *completed != step);
            }
            SagaEvent::StepSkipped { step, reason } => {
                let state = self.step_mut(&step);
                state.settle(StepPhase::Skipped);
                state.error = Some(reason);
            }
            SagaEvent::CancelRequested { cause, reason } => {
                let code = match cause {
                    Cause::Deadline => "DEADLINE_EXCEEDED",
                    _ => "CANCEL_REQUESTED",
                };
                self.end = Some((cause, code.to_owned(), reason));
            }
            SagaEvent::CompensationStarted { cause, code, reason } => {
                self.status = Some(SagaStatus::Compensating);
                self.end = Some((cause, code, reason));
                for name in self.completed.clone() {
                    *self.step_mut(&name) = StepState { phase: StepPhase::UndoReady, ..StepState::default() };
                }
            }
            SagaEvent::Paused { reason } => self.hold(SagaStatus::Paused, reason),
            SagaEvent::Stuck { reason, .. } => self.hold(SagaStatus::Stuck, reason),
            SagaEvent::Resumed { .. } => self.release(),
            SagaEvent::RetryRequested { .. } => {
                self.release();
                // What waits is due at once, with a fresh budget.
                for step in self.steps.values_mut().filter(|step| step.phase.waits()) {
                    step.attempt = 0;
                    step.retry_at = None;
                    step.deadline = None;
                    (step.held, step.holds) = (None, 0);
                }
            }
            SagaEvent::Completed {} => {
                self.status = Some(SagaStatus::Completed);
                self.end = None;
            }
            SagaEvent::Rejected { cause, code, reason } => {
                self.status = Some(SagaStatus::Rejected);
                self.end = Some((cause, code, reason));
            }
            SagaEvent::Compensated { cause, code, reason } => {
                self.status = Some(SagaStatus::Compensated);
                self.end = Some((cause, code, reason));
            }
            SagaEvent::Abandoned { reason } => {
                self.status = Some(SagaStatus::Abandoned);
                self.end = Some((Cause::Operator, "ABANDONED".to_owned(), reason));
            }
        }
    }
}

impl SagaState {
    fn hold(&mut self, status: SagaStatus, reason: String) {
        if self.origin.is_none() {
            self.origin = self.status;
        }
        self.status = Some(status);
        self.held = Some(reason);
    }

    fn release(&mut self) {
        self.held = None;
        self.status = self.origin.take().or(self.status);
    }
}

impl StepPhase {
    /// Whether the step waits for its next attempt, or for the next time its participant is asked.
    pub const fn waits(self) -> bool {
        matches!(self, Self::Backoff | Self::Unknown | Self::UndoBackoff | Self::UndoUnknown)
    }
}

impl StepState {
    fn settle(&mut self, phase: StepPhase) {
        self.phase = phase;
        self.error = None;
        self.retry_at = None;
        self.deadline = None;
        (self.held, self.holds) = (None, 0);
    }
}
