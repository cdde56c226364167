//! What the outcome of an attempt leads to.

use super::{Origin, Planner};
use crate::saga::{
    effects::{CallOutcome, QueryOutcome},
    script::Broken,
};
use gallae_core::{
    Timestamp,
    saga::{CallResult, Direction, FailureClass, RetryPolicy, SagaEvent, SagaStatus, StepKind},
};
use serde_json::Value;
use std::time::Duration;

/// The code of a step whose attempts are spent without an effect.
pub(super) const ATTEMPTS_SPENT: &str = "ATTEMPTS_SPENT";

impl Planner<'_> {
    pub(super) fn answered(&mut self, step: usize, direction: Direction, outcome: &CallOutcome) {
        let attempt = self.attempts(step);
        match outcome {
            CallOutcome::Succeeded(output) => self.succeeded(step, direction, output),
            CallOutcome::Rejected { code, reason } => self.refused(step, direction, code, reason),
            CallOutcome::Transient(error) => self.failed(step, direction, error),
            CallOutcome::Throttled { retry_after } => {
                let retry_at =
                    self.conditions.now.after((*retry_after).max(self.backoff(step, direction, attempt)));
                let error = "the participant asks for patience".to_owned();
                // Patience is not an attempt.
                let attempt = attempt.saturating_sub(1);
                self.note_failure(step, direction, attempt, FailureClass::Throttled, error, retry_at);
            }
            CallOutcome::Unknown(error) => {
                let retry_at = self.conditions.now.after(self.backoff(step, direction, attempt));
                self.note_failure(step, direction, attempt, FailureClass::Unknown, error.clone(), retry_at);
            }
            CallOutcome::Permanent(error) => self.failed_for_good(step, direction, error.clone()),
        }
    }

    pub(super) fn told(&mut self, step: usize, direction: Direction, outcome: &QueryOutcome) {
        match outcome {
            QueryOutcome::Executed(output) => self.succeeded(step, direction, output),
            QueryOutcome::Refused { code, reason } => self.refused(step, direction, code, reason),
            QueryOutcome::NotExecuted => {
                self.push(SagaEvent::StepNotExecuted { step: self.name(step), direction });
                // On the way back nothing more is needed: it never happened.
                let turning = super::is_turning(&self.instance.definition, &self.plan.state);
                if self.is_spent(step, direction) && !turning {
                    self.give_up(step, direction, "the participant never saw the call");
                }
            }
            // Asking counts as an attempt, so that the waits between grow; it never gives up.
            QueryOutcome::Unknown => {
                let attempt = self.attempts(step).saturating_add(1);
                let retry_at = self.conditions.now.after(self.backoff(step, direction, attempt));
                let error = "the participant does not know yet what became of the call".to_owned();
                self.note_failure(step, direction, attempt, FailureClass::Unknown, error, retry_at);
            }
        }
    }

    fn succeeded(&mut self, step: usize, direction: Direction, output: &Value) {
        match self.recording(step, direction, CallResult::Succeeded(output)) {
            Ok(()) => self.took_effect(step, direction, output.clone()),
            // It happened, but the saga cannot say so: it stays unresolved, and is recorded when somebody has helped.
            Err(Broken(reason)) => {
                let error = format!("it succeeded, but its outcome cannot be recorded: {reason}");
                let (attempt, now) = (self.attempts(step), self.conditions.now);
                self.note_failure(step, direction, attempt, FailureClass::Unknown, error.clone(), now);
                self.stuck(Some(step), error);
            }
        }
    }

    pub(super) fn took_effect(&mut self, step: usize, direction: Direction, output: Value) {
        let name = self.name(step);
        match direction {
            Direction::Do => self.push(SagaEvent::StepSucceeded { step: name, output }),
            Direction::Undo => {
                if self.plan.state.status == Some(SagaStatus::Stuck) {
                    let reason = format!("the undo of {name} succeeded after all");
                    self.push(SagaEvent::Resumed { reason });
                }
                self.push(SagaEvent::StepUndone { step: name, output });
            }
        }
    }

    /// The domain or a participant said no, and did nothing.
    pub(super) fn refused(&mut self, step: usize, direction: Direction, code: &str, reason: &str) {
        let shape = &self.instance.definition.steps[step];
        let words = format!("{code}: {reason}");
        if direction == Direction::Undo || (shape.kind == StepKind::Retriable && !shape.skippable) {
            return self.failed_for_good(step, direction, words);
        }
        if shape.skippable {
            return self.push(SagaEvent::StepSkipped { step: shape.name.to_owned(), reason: words });
        }
        let result = CallResult::Rejected { code: code.to_owned(), reason: reason.to_owned() };
        match self.recording(step, direction, result) {
            Ok(()) => self.push(SagaEvent::StepRejected {
                step: shape.name.to_owned(),
                code: code.to_owned(),
                reason: reason.to_owned(),
            }),
            Err(Broken(broken)) => {
                let error = format!("it was refused ({words}), but that cannot be recorded: {broken}");
                self.failed_for_good(step, direction, error);
            }
        }
    }

    /// It did not happen; another attempt may work.
    fn failed(&mut self, step: usize, direction: Direction, error: &str) {
        if self.is_spent(step, direction) {
            return self.give_up(step, direction, error);
        }
        let attempt = self.attempts(step);
        let retry_at = self.conditions.now.after(self.backoff(step, direction, attempt));
        self.note_failure(step, direction, attempt, FailureClass::Transient, error.to_owned(), retry_at);
    }

    /// The budget is spent and nothing happened.
    fn give_up(&mut self, step: usize, direction: Direction, error: &str) {
        let attempts = self.attempts(step);
        self.refused(
            step,
            direction,
            ATTEMPTS_SPENT,
            &format!("{attempts} attempts failed, the last one: {error}"),
        );
    }

    /// Trying again cannot help: the saga is held for an operator. Undo keeps a slow timer besides.
    pub(super) fn failed_for_good(&mut self, step: usize, direction: Direction, error: String) {
        let retry_at = match direction {
            Direction::Do => self.conditions.now,
            Direction::Undo => self.conditions.now.after(self.policy(step, direction).cap),
        };
        let attempt = self.attempts(step);
        self.note_failure(step, direction, attempt, FailureClass::Permanent, error.clone(), retry_at);
        self.stuck(Some(step), error);
    }

    fn note_failure(
        &mut self,
        step: usize,
        direction: Direction,
        attempt: u32,
        class: FailureClass,
        error: String,
        retry_at: Timestamp,
    ) {
        self.push(SagaEvent::StepFailed {
            step: self.name(step),
            direction,
            attempt,
            class,
            error,
            retry_at,
        });
    }

    fn recording(
        &mut self,
        step: usize,
        direction: Direction,
        result: CallResult<&Value>,
    ) -> Result<(), Broken> {
        let origin = Origin::Record(step, direction);
        if let Some(refusal) = self.refusal(origin) {
            return Err(Broken(format!("{}: {}", refusal.code, refusal.reason)));
        }
        let commands = self.instance.definition.script.record(step, direction, &self.facts(), result)?;
        self.issue(origin, commands);
        Ok(())
    }

    fn is_spent(&self, step: usize, direction: Direction) -> bool {
        self.policy(step, direction).max_attempts.is_some_and(|most| self.attempts(step) >= most)
    }

    /// Full jitter: any part of the longest wait.
    pub(super) fn backoff(&self, step: usize, direction: Direction, attempt: u32) -> Duration {
        self.policy(step, direction).backoff(attempt).mul_f64(self.conditions.entropy.fraction())
    }

    fn policy(&self, step: usize, direction: Direction) -> &RetryPolicy {
        let shape = &self.instance.definition.steps[step];
        match direction {
            Direction::Do => &shape.retry,
            Direction::Undo => &shape.undo_retry,
        }
    }

    fn attempts(&self, step: usize) -> u32 {
        let name = self.instance.definition.steps[step].name;
        self.plan.state.steps.get(name).map_or(0, |step| step.attempt)
    }

    fn name(&self, step: usize) -> String {
        self.instance.definition.steps[step].name.to_owned()
    }
}
