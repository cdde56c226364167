//! Beginning steps, and finding out what became of calls.

use super::{Ask, Origin, Outgoing, Planner, is_unresolved};
use crate::saga::{
    effects::{EffectCall, Resolution},
    gate::Pass,
    registry::ActionShape,
    script::Broken,
};
use gallae_core::{
    Timestamp,
    saga::{Direction, EffectKey, HoldReason, SagaEvent, StepPhase, request_hash},
};
use serde_json::Value;

/// The code of a step that was not done in time.
const STEP_OVERDUE: &str = "STEP_DEADLINE_EXCEEDED";

impl Planner<'_> {
    /// Does what is due for a step, if anything.
    pub(super) fn take_up(&mut self, step: usize, direction: Direction) {
        match self.phase(step) {
            StepPhase::Ready | StepPhase::Backoff if self.is_overdue(step) => self.overdue(step),
            StepPhase::Ready | StepPhase::UndoReady => self.begin(step, direction),
            StepPhase::Backoff | StepPhase::UndoBackoff if self.is_due(step) => self.begin(step, direction),
            phase if is_unresolved(phase) => self.resolve(step, direction),
            _ => {}
        }
    }

    fn begin(&mut self, step: usize, direction: Direction) {
        match self.action(step, direction) {
            ActionShape::Local => self.run_local(step, direction),
            ActionShape::Call { dependency, operation } => {
                if self.conditions.may_call && self.may_pass(step, direction, dependency, true) {
                    self.dispatch(step, direction, dependency, operation);
                }
            }
        }
    }

    fn run_local(&mut self, step: usize, direction: Direction) {
        let origin = Origin::Local(step, direction);
        if let Some(refusal) = self.refusal(origin).cloned() {
            return self.refused(step, direction, &refusal.code, &refusal.reason);
        }
        match self.instance.definition.script.commands(step, direction, &self.facts()) {
            Ok(commands) => {
                self.issue(origin, commands);
                self.took_effect(step, direction, Value::Null);
            }
            Err(Broken(reason)) => self.failed_for_good(step, direction, reason),
        }
    }

    /// Announces a call. Every attempt sends the same request under the same key.
    fn dispatch(
        &mut self,
        step: usize,
        direction: Direction,
        dependency: &'static str,
        operation: &'static str,
    ) {
        let body = match self.instance.definition.script.request(step, direction, &self.facts()) {
            Ok(body) => body,
            Err(Broken(reason)) => return self.failed_for_good(step, direction, reason),
        };
        let hash = request_hash(dependency, operation, &body);
        let shape = &self.instance.definition.steps[step];
        let known = self.plan.state.steps.get(shape.name);
        if known.and_then(|known| known.request_hash.as_ref()).is_some_and(|first| *first != hash) {
            let reason = "its request is not the one first sent: a request may depend on the input and on outputs alone";
            return self.failed_for_good(step, direction, reason.to_owned());
        }
        let (attempt, key, epoch) =
            (known.map_or(0, |known| known.attempt) + 1, self.key(step, direction), self.conditions.epoch);
        let deadline = self.first_deadline(step, direction);
        self.push(SagaEvent::StepDispatched {
            step: shape.name.to_owned(),
            direction,
            attempt,
            epoch,
            effect_key: key.clone(),
            request_hash: hash,
            deadline,
        });
        let saga = self.instance.id;
        let call = EffectCall { key, saga, step: shape.name, direction, operation, body, epoch, attempt };
        self.send(step, direction, dependency, Ask::Call(call));
    }

    /// Finds out what became of a call that nobody in this process waits for.
    pub(super) fn resolve(&mut self, step: usize, direction: Direction) {
        let waiting =
            matches!(self.phase(step), StepPhase::Unknown | StepPhase::UndoUnknown) && !self.is_due(step);
        if waiting || self.is_busy(step, direction) {
            return;
        }
        let ActionShape::Call { dependency, operation } = self.action(step, direction) else {
            return self.failed_for_good(step, direction, "a local step cannot be in flight".to_owned());
        };
        let handler = self.conditions.effects.handler(dependency);
        match handler.map_or(Resolution::Impossible, |handler| handler.resolution(operation)) {
            Resolution::Impossible => {
                let reason = format!(
                    "{dependency}.{operation} may have happened, and {dependency} can neither be asked nor sent the call again"
                );
                self.stuck(Some(step), reason);
            }
            _ if !self.conditions.may_call => {}
            how if !self.may_pass(step, direction, dependency, how == Resolution::Resend) => {}
            Resolution::Resend => self.dispatch(step, direction, dependency, operation),
            Resolution::Query => {
                let key = self.key(step, direction);
                self.send(step, direction, dependency, Ask::Query { key, operation });
            }
        }
    }

    /// Whether a call may leave now. If not, it waits in memory for a moment, or is recorded as held.
    fn may_pass(&mut self, step: usize, direction: Direction, dependency: &'static str, calls: bool) -> bool {
        if self.is_busy(step, direction) {
            return false;
        }
        let state = self.plan.state.steps.get(self.steps()[step].name);
        let (attempt, holds) = state.map_or((0, 0), |state| (state.attempt, state.holds));
        match self.conditions.gate.ask(step, direction, dependency, calls && attempt > 0) {
            Pass::Go => true,
            Pass::Wait { at_most } => {
                self.send(step, direction, dependency, Ask::Turn { at_most });
                false
            }
            Pass::Hold { why, after } => {
                // Those who wait for the same do not come back at the same moment.
                let apart = self.backoff(step, direction, holds + 1);
                let deadline = self.first_deadline(step, direction);
                self.push(SagaEvent::StepHeld {
                    step: self.steps()[step].name.to_owned(),
                    direction,
                    why,
                    reason: held_by(dependency, why),
                    retry_at: self.conditions.now.after(after + apart),
                    deadline,
                });
                false
            }
        }
    }

    /// The deadline of a step that has none yet.
    fn first_deadline(&self, step: usize, direction: Direction) -> Option<Timestamp> {
        let shape = &self.steps()[step];
        let known = self.plan.state.steps.get(shape.name).and_then(|state| state.deadline);
        let allowed = shape.deadline.filter(|_| known.is_none() && direction == Direction::Do);
        allowed.map(|allowed| self.conditions.now.after(allowed))
    }

    fn is_overdue(&self, step: usize) -> bool {
        let state = self.plan.state.steps.get(self.steps()[step].name);
        state.and_then(|state| state.deadline).is_some_and(|deadline| deadline <= self.conditions.now)
    }

    /// Nothing of the step is in flight, and its time is over.
    fn overdue(&mut self, step: usize) {
        let state = self.plan.state.steps.get(self.steps()[step].name);
        let last =
            state.and_then(|state| state.error.clone()).unwrap_or_else(|| "no attempt failed".to_owned());
        let reason = format!("it was not done in the time allowed; last known: {last}");
        self.refused(step, Direction::Do, STEP_OVERDUE, &reason);
    }

    fn send(&mut self, step: usize, direction: Direction, dependency: &'static str, ask: Ask) {
        let timeout = self.instance.definition.steps[step].retry.attempt_timeout;
        self.plan.calls.push(Outgoing { step, direction, dependency, timeout, ask });
    }

    fn action(&self, step: usize, direction: Direction) -> ActionShape {
        let shape = &self.instance.definition.steps[step];
        match direction {
            Direction::Do => shape.action,
            // The graph's check refuses a compensable step without undo; nothing to do is the right undo of nothing.
            Direction::Undo => shape.undo.unwrap_or(ActionShape::Local),
        }
    }

    fn key(&self, step: usize, direction: Direction) -> EffectKey {
        let name = self.instance.definition.steps[step].name;
        EffectKey::new(self.conditions.store, self.instance.id, name, direction)
    }

    fn is_busy(&self, step: usize, direction: Direction) -> bool {
        self.conditions.visiting
            || self.conditions.in_flight.contains(&(step, direction))
            || self.plan.calls.iter().any(|call| (call.step, call.direction) == (step, direction))
    }

    fn is_due(&self, step: usize) -> bool {
        let state = self.plan.state.steps.get(self.instance.definition.steps[step].name);
        state.and_then(|state| state.retry_at).is_none_or(|at| at <= self.conditions.now)
    }
}

fn held_by(dependency: &str, why: HoldReason) -> String {
    match why {
        HoldReason::Breaker => {
            format!("calls to {dependency} fail or are slow, so none leaves until it is better")
        }
        HoldReason::Rate => format!("{dependency} is called as often as its rate allows"),
        HoldReason::Concurrency => format!("as many calls to {dependency} are under way as may be"),
        HoldReason::RetryBudget => format!("the budget for retries to {dependency} is spent"),
    }
}
