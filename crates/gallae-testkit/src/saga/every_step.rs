//! Everything that can go wrong with a single step, one at a time.

use super::{
    ended::Ended,
    failing::{LocalFault, failing},
    participant::Reply,
    scenario::Scenario,
};
use gallae_core::saga::{Action, Direction, Saga, SagaGraph, SagaStatus, StepDefinition, StepKind};
use gallae_memory::Fault;
use std::{
    collections::BTreeSet,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

const CODE: &str = "REFUSED_BY_TEST";

/// Runs a scenario that completes, then again with one thing going wrong each time, and checks what every saga promises.
///
/// | what goes wrong | at | must end |
/// |---|---|---|
/// | the participant, or an aggregate, says no | steps before or at the point of no return | `REJECTED` or `COMPENSATED` |
/// | the same | a skippable step | `COMPLETED` |
/// | executed, and the answer is lost | every step | `COMPLETED` |
/// | lost before it was executed | every step | `COMPLETED` |
/// | a failure that passes | every step | `COMPLETED` |
/// | the last three, while undoing | every undo, after the last step that may say no has said it | `COMPENSATED` |
///
/// For steps that call, a participant does this; for local steps, the aggregates and the store. A step after the point of
/// no return must not say no, so it is not made to: the saga would rightly wait for an operator.
///
/// Each run must end; what succeeded must be undone in reverse order when the saga turns back, all of it; every effect must
/// be executed exactly as often as the saga believes, which is at most once; and `invariant` must hold: say there that money
/// or stock adds up. It panics, as asserts do, when it does not.
///
/// The number of runs is returned.
///
/// # Panics
/// With every check that failed in every run.
#[track_caller]
pub fn every_step_fails<S: Saga>(scenario: impl Fn() -> Scenario<S>, invariant: impl Fn(&Ended)) -> usize {
    let clean = scenario().run();
    clean.assert_status(SagaStatus::Completed);
    invariant(&clean);
    let graph = S::graph();
    let mishaps = mishaps(&graph);
    let mut problems = Vec::new();
    for mishap in &mishaps {
        let ended = mishap.play(scenario());
        let mut found = mishap.judge(&graph, &ended);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| invariant(&ended))) {
            found.push(format!("the invariant does not hold: {}", words(&*panic)));
        }
        if !found.is_empty() {
            problems.push(format!("  {mishap}\n    - {}\n{}", found.join("\n    - "), ended.story()));
        }
    }
    assert!(
        problems.is_empty(),
        "{} does not survive {} of {} mishaps:\n{}",
        S::NAME,
        problems.len(),
        mishaps.len(),
        problems.join("\n")
    );
    mishaps.len() + 1
}

/// One run's bad luck.
#[derive(Clone, Debug)]
struct Mishap {
    step: &'static str,
    direction: Direction,
    is_call: bool,
    kind: Kind,
    /// The step that makes the saga turn back, where an undo is to fail.
    refusing: Option<(&'static str, bool)>,
    ends_completed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rejected,
    AnswerLost,
    RequestLost,
    Transient,
}

impl Kind {
    const PASSING: [Self; 3] = [Self::AnswerLost, Self::RequestLost, Self::Transient];

    fn reply(self) -> Reply {
        match self {
            Self::Rejected => Reply::Reject(CODE),
            Self::AnswerLost => Reply::LoseAnswer,
            Self::RequestLost => Reply::LoseRequest,
            Self::Transient => Reply::Fail,
        }
    }

    fn local(self) -> LocalFault {
        match self {
            Self::Rejected => LocalFault::Refused,
            Self::AnswerLost => LocalFault::Store(Fault::IndeterminateWritten),
            Self::RequestLost => LocalFault::Store(Fault::IndeterminateLost),
            Self::Transient => LocalFault::Store(Fault::Unavailable),
        }
    }
}

fn mishaps<S: Saga>(graph: &SagaGraph<S>) -> Vec<Mishap> {
    let mut mishaps = Vec::new();
    for step in graph.steps() {
        let mishap = |kind, ends_completed| Mishap {
            step: step.name(),
            direction: Direction::Do,
            is_call: is_call(step.action()),
            kind,
            refusing: None,
            ends_completed,
        };
        mishaps.extend(Kind::PASSING.map(|kind| mishap(kind, true)));
        if may_refuse(step) || step.is_skippable() {
            mishaps.push(mishap(Kind::Rejected, step.is_skippable()));
        }
    }
    let Some(last) = graph.steps().iter().rposition(may_refuse) else { return mishaps };
    let refusing = &graph.steps()[last];
    // What runs beside the refusing step may not have succeeded, and then has nothing to undo.
    let before = graph.steps()[..last].iter().filter(|step| step.after() != refusing.after());
    for (step, undo) in before.filter_map(|step| Some((step, step.undo_action()?))) {
        mishaps.extend(Kind::PASSING.map(|kind| Mishap {
            step: step.name(),
            direction: Direction::Undo,
            is_call: is_call(undo),
            kind,
            refusing: Some((refusing.name(), is_call(refusing.action()))),
            ends_completed: false,
        }));
    }
    mishaps
}

fn may_refuse<S: Saga>(step: &StepDefinition<S>) -> bool {
    step.kind() != StepKind::Retriable
}

fn is_call<S: Saga>(action: &Action<S>) -> bool {
    matches!(action, Action::Call { .. })
}

impl Mishap {
    #[track_caller]
    fn play<S: Saga>(&self, scenario: Scenario<S>) -> Ended {
        if self.is_call {
            scenario.participant.script(self.step, self.direction, [self.kind.reply()]);
        }
        if let Some((refusing, true)) = self.refusing {
            scenario.participant.script(refusing, Direction::Do, [Reply::Reject(CODE)]);
        }
        scenario.run_with(|mut graph, log| {
            if !self.is_call {
                graph = failing(&graph, self.step, self.direction, self.kind.local(), log);
            }
            if let Some((refusing, false)) = self.refusing {
                graph = failing(&graph, refusing, Direction::Do, LocalFault::Refused, log);
            }
            graph
        })
    }

    fn judge<S: Saga>(&self, graph: &SagaGraph<S>, ended: &Ended) -> Vec<String> {
        let (succeeded, undone) = (ended.succeeded(), ended.undone());
        let expected = match (self.ends_completed, succeeded.is_empty()) {
            (true, _) => SagaStatus::Completed,
            (false, true) => SagaStatus::Rejected,
            (false, false) => SagaStatus::Compensated,
        };
        let mut problems = Vec::new();
        if ended.status() != expected {
            problems.push(format!("it is {}, expected {expected}: {}", ended.status(), ended.why()));
        }
        let backwards: Vec<_> = match expected {
            SagaStatus::Completed => Vec::new(),
            _ => succeeded.iter().rev().copied().collect(),
        };
        if undone != backwards {
            problems.push(format!("it undid {undone:?}, expected {backwards:?}"));
        }
        problems.extend(effects(graph, ended, Direction::Do, &succeeded));
        problems.extend(effects(graph, ended, Direction::Undo, &undone));
        problems
    }
}

/// Compares what participants executed with what the saga believes.
fn effects<S: Saga>(
    graph: &SagaGraph<S>,
    ended: &Ended,
    direction: Direction,
    believed: &[&str],
) -> Option<String> {
    let calls = |step: &StepDefinition<S>| match direction {
        Direction::Do => is_call(step.action()),
        Direction::Undo => step.undo_action().is_some_and(is_call),
    };
    let called: BTreeSet<_> =
        graph.steps().iter().filter(|step| calls(step)).map(StepDefinition::name).collect();
    let mut believed: Vec<_> = believed.iter().copied().filter(|step| called.contains(step)).collect();
    let of_direction = ended.executed().iter().filter(|executed| executed.direction == direction);
    let mut executed: Vec<_> = of_direction.map(|executed| executed.step).collect();
    believed.sort_unstable();
    executed.sort_unstable();
    let word = direction.as_str();
    (believed != executed)
        .then(|| format!("participants executed ({word}) {executed:?}, the saga believes {believed:?}"))
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step;
        let what = match self.direction {
            Direction::Do => format!("step {step:?}"),
            Direction::Undo => format!("undo of {step:?}"),
        };
        match self.kind {
            Kind::Rejected => write!(f, "{what} is refused:"),
            Kind::AnswerLost => write!(f, "{what} happens, and the answer is lost:"),
            Kind::RequestLost => write!(f, "{what} is lost before it happens:"),
            Kind::Transient => write!(f, "{what} fails once:"),
        }
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
}
