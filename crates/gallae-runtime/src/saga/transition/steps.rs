//! Beginning steps, and finding out what became of calls.

use super::{Ask, Origin, Outgoing, Planner, is_unresolved};
use crate::saga::{
    effects::{EffectCall, Resolution},
    registry::ActionShape,
    script::Broken,
};
use gallae_core::saga::{Direction, EffectKey, SagaEvent, StepPhase, request_hash};
use serde_json::Value;

impl Planner<'_> {
    /// Does what is due for a step, if anything.
    pub(super) fn take_up(&mut self, step: usize, direction: Direction) {
        match self.phase(step) {
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
                if self.conditions.may_call {
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
        self.push(SagaEvent::StepDispatched {
            step: shape.name.to_owned(),
            direction,
            attempt,
            epoch,
            effect_key: key.clone(),
            request_hash: hash,
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
            Resolution::Resend => self.dispatch(step, direction, dependency, operation),
            Resolution::Query => {
                let key = self.key(step, direction);
                self.send(step, direction, dependency, Ask::Query { key, operation });
            }
        }
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
        self.conditions.in_flight.contains(&(step, direction))
            || self.plan.calls.iter().any(|call| (call.step, call.direction) == (step, direction))
    }

    fn is_due(&self, step: usize) -> bool {
        let state = self.plan.state.steps.get(self.instance.definition.steps[step].name);
        state.and_then(|state| state.retry_at).is_none_or(|at| at <= self.conditions.now)
    }
}
