//! Planning: what an instance does next, given its state and what it was told. Pure, and safe to repeat.
//!
//! A plan chains everything that can be decided without the outside world: an answer, the commands that record it, the
//! local steps that follow, and the next call to be announced, all in one append. A call leaves only after that append.

mod answers;
mod ends;
mod steps;

use super::{
    effects::{CallOutcome, EffectCall, Effects, QueryOutcome},
    gate::Gate,
    instance::Instance,
    ledger,
    registry::StepShape,
    row::{is_committed, is_turning},
    script::Facts,
};
use gallae_core::{
    Aggregate, Timestamp,
    saga::{Cause, Direction, EffectKey, SagaCommand, SagaEvent, SagaState, SagaStatus, StepPhase},
};
use gallae_ports::{EffectRow, Entropy};
use std::time::Duration;
use uuid::Uuid;

/// What reached an instance.
#[derive(Clone, Debug)]
pub(super) enum Incoming {
    /// It was woken: something may be due.
    Woken,
    /// A call came back.
    Answered { step: usize, direction: Direction, outcome: CallOutcome },
    /// A call that waited in memory may ask again.
    Turn { step: usize, direction: Direction },
    /// A participant said what became of a call.
    Told { step: usize, direction: Direction, outcome: QueryOutcome },
    /// Somebody wants it undone.
    Cancel { cause: Cause, reason: String },
    /// An operator holds it.
    Pause { reason: String },
    /// An operator lets it go on.
    Resume { reason: String },
    /// An operator wants another attempt.
    Retry { reason: String },
    /// An operator closes it.
    Abandon { reason: String },
}

/// Where a command of a plan comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The local action of a step.
    Local(usize, Direction),
    /// What records the outcome of a step.
    Record(usize, Direction),
    /// What the end of the saga changes.
    Ended,
}

/// A domain said no to a command of an earlier plan for the same transition.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) origin: Origin,
    pub(super) code: String,
    pub(super) reason: String,
}

/// What a plan depends on besides the instance.
pub(super) struct Conditions<'a> {
    pub(super) now: Timestamp,
    pub(super) epoch: u64,
    pub(super) store: Uuid,
    /// Whether new calls may be announced: not while draining, nor on a lease about to run out.
    pub(super) may_call: bool,
    /// Whether another node may be waiting for calls of this instance: none of them is followed up here.
    pub(super) visiting: bool,
    pub(super) entropy: &'a dyn Entropy,
    pub(super) effects: &'a Effects,
    /// Whether a call may leave now, by what its participant can bear.
    pub(super) gate: &'a Gate,
    /// Calls and queries that this process is waiting for.
    pub(super) in_flight: &'a [(usize, Direction)],
    pub(super) refusals: &'a [Refusal],
    /// An earlier plan for the same transition could never be appended: hold the instance, for this reason.
    pub(super) broken: Option<&'a str>,
}

/// A call to make once the plan is durable.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outgoing {
    pub(super) step: usize,
    pub(super) direction: Direction,
    pub(super) dependency: &'static str,
    pub(super) timeout: Duration,
    pub(super) ask: Ask,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    Call(EffectCall),
    Query {
        key: EffectKey,
        operation: &'static str,
    },
    /// Nothing yet: it waits in memory for its turn, at most so long.
    Turn {
        at_most: Duration,
    },
}

/// One transition.
pub(super) struct Plan {
    pub(super) state: SagaState,
    pub(super) events: Vec<SagaEvent>,
    pub(super) commands: Vec<SagaCommand>,
    pub(super) origins: Vec<Origin>,
    pub(super) effects: Vec<EffectRow>,
    pub(super) calls: Vec<Outgoing>,
}

/// Plans the next transition of `instance`.
pub(super) fn plan(instance: &Instance, incoming: &Incoming, conditions: &Conditions<'_>) -> Plan {
    let plan = Plan {
        state: instance.state.clone(),
        events: Vec::new(),
        commands: Vec::new(),
        origins: Vec::new(),
        effects: Vec::new(),
        calls: Vec::new(),
    };
    let mut planner = Planner { instance, conditions, plan };
    match conditions.broken {
        Some(reason) => planner.stuck(None, reason.to_owned()),
        None => {
            planner.receive(incoming);
            planner.advance();
        }
    }
    planner.plan
}

struct Planner<'a> {
    instance: &'a Instance,
    conditions: &'a Conditions<'a>,
    plan: Plan,
}

impl Planner<'_> {
    fn receive(&mut self, incoming: &Incoming) {
        if self.plan.state.status.is_none_or(SagaStatus::is_terminal) {
            return;
        }
        match incoming {
            Incoming::Woken | Incoming::Turn { .. } => {}
            Incoming::Answered { step, direction, outcome } => {
                if matches!(self.phase(*step), StepPhase::Dispatched | StepPhase::UndoDispatched) {
                    self.answered(*step, *direction, outcome);
                }
            }
            Incoming::Told { step, direction, outcome } => {
                if is_unresolved(self.phase(*step)) {
                    self.told(*step, *direction, outcome);
                }
            }
            Incoming::Cancel { cause, reason } => self.cancel(*cause, reason),
            Incoming::Pause { reason } => self.push(SagaEvent::Paused { reason: reason.clone() }),
            Incoming::Resume { reason } => self.push(SagaEvent::Resumed { reason: reason.clone() }),
            Incoming::Retry { reason } => self.push(SagaEvent::RetryRequested { reason: reason.clone() }),
            Incoming::Abandon { reason } => self.abandon(reason),
        }
    }

    /// Goes on until only the outside world, or nobody, can say what comes next.
    fn advance(&mut self) {
        loop {
            let before = self.plan.events.len();
            match (self.plan.state.status, self.plan.state.origin) {
                (Some(SagaStatus::Running), _) => self.forward(),
                (Some(SagaStatus::Compensating), _) => self.backward(),
                (Some(SagaStatus::Stuck), Some(SagaStatus::Compensating)) => self.retry_stuck_undo(),
                _ => return,
            }
            if self.plan.events.len() == before {
                return;
            }
        }
    }

    fn forward(&mut self) {
        if self.deadline_passed() {
            let reason = "the time allowed for reaching its point of no return ran out".to_owned();
            self.push(SagaEvent::CancelRequested { cause: Cause::Deadline, reason });
        }
        if is_turning(&self.instance.definition, &self.plan.state) {
            return self.turn_back();
        }
        if (0..self.steps().len()).all(|step| self.is_done(step)) {
            return self.end(SagaStatus::Completed);
        }
        for step in 0..self.steps().len() {
            let ready =
                !self.is_done(step) && self.steps()[step].after.iter().all(|before| self.is_done(*before));
            if ready {
                self.take_up(step, Direction::Do);
            }
            let state = &self.plan.state;
            if state.status != Some(SagaStatus::Running) || is_turning(&self.instance.definition, state) {
                return;
            }
        }
    }

    /// Before anything is undone, every call in flight is followed to a known outcome.
    fn turn_back(&mut self) {
        let mut open = false;
        for step in 0..self.steps().len() {
            if is_unresolved(self.phase(step)) {
                open = true;
                self.resolve(step, Direction::Do);
            }
        }
        if open {
            return;
        }
        if self.plan.state.completed.is_empty() {
            return self.end(SagaStatus::Rejected);
        }
        if let Some((cause, code, reason)) = self.plan.state.end.clone() {
            self.push(SagaEvent::CompensationStarted { cause, code, reason });
        }
    }

    /// Undoes what succeeded, strictly in reverse order; members of a block, too, one after another.
    fn backward(&mut self) {
        match self.last_completed() {
            Some(step) => self.take_up(step, Direction::Undo),
            None => self.end(SagaStatus::Compensated),
        }
    }

    fn retry_stuck_undo(&mut self) {
        if let Some(step) = self.last_completed()
            && self.phase(step) != StepPhase::UndoReady
        {
            self.take_up(step, Direction::Undo);
        }
    }

    /// Holds the instance, unless it is held already.
    fn stuck(&mut self, step: Option<usize>, reason: String) {
        if self.plan.state.status == Some(SagaStatus::Stuck) {
            return;
        }
        let step = match step {
            Some(step) => Some(self.steps()[step].name),
            None => super::row::current_step(&self.instance.definition, &self.plan.state),
        };
        self.push(SagaEvent::Stuck { step: step.unwrap_or_default().to_owned(), reason });
    }

    fn push(&mut self, event: SagaEvent) {
        // The effect as this plan has moved it, before the one that is durable.
        let known: Vec<_> = self.instance.ledger.iter().chain(&self.plan.effects).collect();
        if let Some(row) = ledger::effect_after(&known, self.instance.id, &event, self.conditions.now) {
            ledger::merge(&mut self.plan.effects, vec![row]);
        }
        self.plan.state.evolve(&event);
        self.plan.events.push(event);
    }

    fn issue(&mut self, origin: Origin, commands: Vec<SagaCommand>) {
        self.plan.origins.resize(self.plan.commands.len() + commands.len(), origin);
        self.plan.commands.extend(commands);
    }

    fn refusal(&self, origin: Origin) -> Option<&Refusal> {
        self.conditions.refusals.iter().find(|refusal| refusal.origin == origin)
    }

    fn steps(&self) -> &[StepShape] {
        &self.instance.definition.steps
    }

    fn phase(&self, step: usize) -> StepPhase {
        let name = self.steps()[step].name;
        self.plan.state.steps.get(name).map_or(StepPhase::Ready, |step| step.phase)
    }

    fn is_done(&self, step: usize) -> bool {
        matches!(self.phase(step), StepPhase::Succeeded | StepPhase::Skipped)
    }

    fn last_completed(&self) -> Option<usize> {
        self.instance.definition.position(self.plan.state.completed.last()?)
    }

    fn deadline_passed(&self) -> bool {
        let state = &self.plan.state;
        state.end.is_none()
            && state.deadline.is_some_and(|deadline| deadline <= self.conditions.now)
            && !is_committed(&self.instance.definition, state)
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            id: self.instance.id,
            input: &self.instance.input,
            outputs: &self.plan.state.outputs,
            now: self.conditions.now,
        }
    }
}

/// Whether the call of a step in this phase may have happened.
fn is_unresolved(phase: StepPhase) -> bool {
    matches!(
        phase,
        StepPhase::Dispatched | StepPhase::Unknown | StepPhase::UndoDispatched | StepPhase::UndoUnknown
    )
}
