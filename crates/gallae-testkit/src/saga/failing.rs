//! A saga's graph with one local action that goes wrong.

use gallae_core::{
    Aggregate, Command, Decide, DecisionContext, Event, Id, Rejection,
    saga::{
        Action, Direction, Saga, SagaCommand, SagaGraph, Step, StepDefinition, StepKind, compensable, local,
        pivot, retriable,
    },
};
use gallae_memory::{Fault, MemoryLog};
use serde::{Deserialize, Serialize};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use uuid::Uuid;

/// How a local action goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum LocalFault {
    /// An aggregate says no.
    Refused,
    /// The store fails at the first append of it.
    Store(Fault),
}

/// `graph`, except that this action fails.
pub(super) fn failing<S: Saga>(
    graph: &SagaGraph<S>,
    step: &str,
    direction: Direction,
    fault: LocalFault,
    log: &MemoryLog,
) -> SagaGraph<S> {
    let change = |definition: &StepDefinition<S>| {
        let here = definition.name() == step;
        let broken = |action: &Action<S>, of: Direction| match action {
            Action::Local(_) if here && of == direction => wrap(action, fault, log),
            whole => whole.clone(),
        };
        let (name, action) = (Step::<()>::new(definition.name()), broken(definition.action(), Direction::Do));
        let mut changed = match definition.kind() {
            StepKind::Compensable => compensable(name, action),
            StepKind::Pivot => pivot(name, action),
            StepKind::Retriable => retriable(name, action),
        };
        if let Some(undo) = definition.undo_action() {
            changed = changed.undo(broken(undo, Direction::Undo));
        }
        if definition.is_skippable() {
            changed = changed.skippable();
        }
        changed.retry(*definition.retry_policy())
    };
    let mut changed = SagaGraph::new();
    for block in graph.steps().chunk_by(|one, next| one.after() == next.after()) {
        changed = changed.then_all(block.iter().map(change));
    }
    match graph.time_to_pivot() {
        Some(deadline) => changed.deadline(deadline),
        None => changed,
    }
}

fn wrap<S: Saga>(action: &Action<S>, fault: LocalFault, log: &MemoryLog) -> Action<S> {
    let Action::Local(commands) = action else { return action.clone() };
    let (commands, log, injected) = (Arc::clone(commands), log.clone(), AtomicBool::new(false));
    local(move |cx| {
        let mut commands = commands(cx);
        match fault {
            LocalFault::Refused => commands.push(SagaCommand::new(Refuse)),
            // The plan that is being made is the next to be appended.
            LocalFault::Store(fault) if !injected.swap(true, Ordering::SeqCst) => log.fail_next(fault),
            LocalFault::Store(_) => {}
        }
        commands
    })
}

/// An aggregate that refuses everything.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Refusing;

#[derive(Clone, Debug, PartialEq, Event)]
pub(super) enum RefusingEvent {
    /// Never happens; an event enum has at least one variant.
    #[event(name = "TestkitRefused", version = 1)]
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the test makes this step refuse")]
pub(super) struct RefusedByTest;

impl Rejection for RefusedByTest {
    fn code(&self) -> &'static str {
        "REFUSED_BY_TEST"
    }
}

impl Aggregate for Refusing {
    const TYPE: &'static str = "testkit_refusing";
    type Event = RefusingEvent;
    type Rejection = RefusedByTest;
    fn evolve(&mut self, RefusingEvent::Refused: &RefusingEvent) {}
}

#[derive(Debug)]
struct Refuse;

impl Command for Refuse {
    const NAME: &'static str = "testkit.refuse";
    type Aggregate = Refusing;
    fn target(&self) -> Id<Refusing> {
        Id::new(Uuid::nil())
    }
}

impl Decide<Refuse> for Refusing {
    fn decide(&self, _: &Refuse, _: &DecisionContext<'_>) -> Result<Vec<RefusingEvent>, RefusedByTest> {
        Err(RefusedByTest)
    }
}
