//! The graph of a saga, and the check that refuses graphs that could not be undone.

use super::{CallResult, Saga, SagaCommand, SagaContext};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

/// The name of a step and the type of what it answers.
///
/// ```
/// use gallae_core::saga::Step;
/// const AUTHORIZE: Step<String> = Step::new("authorize");
/// ```
pub struct Step<T> {
    name: &'static str,
    of: PhantomData<fn() -> T>,
}

impl<T> Step<T> {
    /// Names a step; unique within its graph.
    pub const fn new(name: &'static str) -> Self {
        Self { name, of: PhantomData }
    }
    /// The name.
    pub const fn name(self) -> &'static str {
        self.name
    }
}
impl<T> Clone for Step<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Step<T> {}
impl<T> fmt::Debug for Step<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// What a step may promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// Can be undone.
    Compensable,
    /// The point of no return; at most one.
    Pivot,
    /// Comes after the pivot and must succeed in the end.
    Retriable,
}

type Commands<S> = Arc<dyn Fn(&SagaContext<'_, S>) -> Vec<SagaCommand> + Send + Sync>;
type Request<S> = Arc<dyn Fn(&SagaContext<'_, S>) -> Result<Value, serde_json::Error> + Send + Sync>;
type Record<S> = Arc<
    dyn Fn(&SagaContext<'_, S>, CallResult<&Value>) -> Result<Vec<SagaCommand>, serde_json::Error>
        + Send
        + Sync,
>;

/// What a step does.
pub enum Action<S: Saga> {
    /// Commands to aggregates of this store; their events commit together with the saga's transition. A rejection by
    /// any of them rejects the step and changes nothing.
    Local(Commands<S>),
    /// A call to a participant outside.
    Call {
        /// Which participant; names its breaker and limits.
        dependency: &'static str,
        /// What is asked of it.
        operation: &'static str,
        /// The request's body.
        request: Request<S>,
        /// Commands that record the outcome in the domain, in the transaction that records it in the saga.
        record: Option<Record<S>>,
    },
}

impl<S: Saga> Action<S> {
    /// Adds commands that record the outcome of a call in the domain. No effect on a local action.
    #[must_use]
    pub fn record<T: DeserializeOwned>(
        self,
        record: impl Fn(&SagaContext<'_, S>, CallResult<T>) -> Vec<SagaCommand> + Send + Sync + 'static,
    ) -> Self {
        let typed = move |cx: &SagaContext<'_, S>, result: CallResult<&Value>| {
            Ok(record(
                cx,
                match result {
                    CallResult::Succeeded(value) => CallResult::Succeeded(T::deserialize(value)?),
                    CallResult::Rejected { code, reason } => CallResult::Rejected { code, reason },
                },
            ))
        };
        match self {
            Self::Call { dependency, operation, request, .. } => {
                Self::Call { dependency, operation, request, record: Some(Arc::new(typed)) }
            }
            local @ Self::Local(_) => local,
        }
    }
}

impl<S: Saga> Clone for Action<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Local(commands) => Self::Local(Arc::clone(commands)),
            Self::Call { dependency, operation, request, record } => {
                Self::Call { dependency, operation, request: Arc::clone(request), record: record.clone() }
            }
        }
    }
}

impl<S: Saga> fmt::Debug for Action<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(_) => f.write_str("Local"),
            Self::Call { dependency, operation, .. } => write!(f, "Call({dependency}.{operation})"),
        }
    }
}

/// An action that changes aggregates of this store.
pub fn local<S: Saga>(
    commands: impl Fn(&SagaContext<'_, S>) -> Vec<SagaCommand> + Send + Sync + 'static,
) -> Action<S> {
    Action::Local(Arc::new(commands))
}

/// An action that calls a participant outside.
pub fn call<S: Saga, T: Serialize>(
    dependency: &'static str,
    operation: &'static str,
    request: impl Fn(&SagaContext<'_, S>) -> T + Send + Sync + 'static,
) -> Action<S> {
    Action::Call {
        dependency,
        operation,
        request: Arc::new(move |cx| serde_json::to_value(request(cx))),
        record: None,
    }
}

/// How often and how patiently a step is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RetryPolicy {
    /// Before the second attempt.
    pub initial: Duration,
    /// Each further wait is this many times longer.
    pub factor: u32,
    /// No wait is longer.
    pub cap: Duration,
    /// Attempts before the budget is spent; unlimited if absent.
    pub max_attempts: Option<u32>,
    /// How long one attempt may take before its outcome counts as unknown.
    pub attempt_timeout: Duration,
}

impl RetryPolicy {
    /// Forward steps: 200 ms, doubling up to a minute, eight attempts of at most 5 s.
    pub const STANDARD: Self = Self {
        initial: Duration::from_millis(200),
        factor: 2,
        cap: Duration::from_secs(60),
        max_attempts: Some(8),
        attempt_timeout: Duration::from_secs(5),
    };
    /// Undo steps and steps after the pivot: the same without end, at most five minutes apart.
    pub const UNTIL_DONE: Self = Self { cap: Duration::from_secs(300), max_attempts: None, ..Self::STANDARD };

    /// The longest wait before attempt `attempt + 1`; the runtime takes a random part of it (full jitter).
    pub fn backoff(&self, attempt: u32) -> Duration {
        let factor = self.factor.max(1).saturating_pow(attempt.saturating_sub(1));
        self.initial.saturating_mul(factor).min(self.cap)
    }
}

/// One step of a graph.
#[derive(Clone, Debug)]
pub struct StepDefinition<S: Saga> {
    name: &'static str,
    kind: StepKind,
    action: Action<S>,
    undo: Option<Action<S>>,
    retry: RetryPolicy,
    deadline: Option<Duration>,
    skippable: bool,
    after: Vec<&'static str>,
}

impl<S: Saga> StepDefinition<S> {
    fn new<T>(step: Step<T>, kind: StepKind, action: Action<S>, retry: RetryPolicy) -> Self {
        let after = Vec::new();
        Self { name: step.name, kind, action, undo: None, retry, deadline: None, skippable: false, after }
    }

    /// How the step is undone.
    #[must_use]
    pub fn undo(mut self, undo: Action<S>) -> Self {
        self.undo = Some(undo);
        self
    }

    /// Replaces the retry policy of the kind.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// How long the step may take from its first attempt, waits included. Then it counts as refused; a call whose outcome is not
    /// known is followed up first. Undoing has no deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The saga may end without it: when its budget is spent it is skipped, with the reason recorded.
    #[must_use]
    pub fn skippable(mut self) -> Self {
        self.skippable = true;
        self
    }

    /// The name, unique in the graph.
    pub fn name(&self) -> &'static str {
        self.name
    }
    /// What the step promises.
    pub fn kind(&self) -> StepKind {
        self.kind
    }
    /// What it does.
    pub fn action(&self) -> &Action<S> {
        &self.action
    }
    /// How it is undone, if it can be.
    pub fn undo_action(&self) -> Option<&Action<S>> {
        self.undo.as_ref()
    }
    /// How it is retried.
    pub fn retry_policy(&self) -> &RetryPolicy {
        &self.retry
    }
    /// See [`deadline`](Self::deadline).
    pub fn time_allowed(&self) -> Option<Duration> {
        self.deadline
    }
    /// Whether the saga may end without it.
    pub fn is_skippable(&self) -> bool {
        self.skippable
    }
    /// The steps that must have succeeded before it starts.
    pub fn after(&self) -> &[&'static str] {
        &self.after
    }
}

/// A step that can be undone; give it an [`undo`](StepDefinition::undo).
pub fn compensable<S: Saga, T>(step: Step<T>, action: Action<S>) -> StepDefinition<S> {
    StepDefinition::new(step, StepKind::Compensable, action, RetryPolicy::STANDARD)
}

/// The point of no return.
pub fn pivot<S: Saga, T>(step: Step<T>, action: Action<S>) -> StepDefinition<S> {
    StepDefinition::new(step, StepKind::Pivot, action, RetryPolicy::STANDARD)
}

/// A step after the pivot, tried until it succeeds.
pub fn retriable<S: Saga, T>(step: Step<T>, action: Action<S>) -> StepDefinition<S> {
    StepDefinition::new(step, StepKind::Retriable, action, RetryPolicy::UNTIL_DONE)
}

/// The steps of a saga in the order in which they depend on each other.
#[derive(Clone, Debug)]
pub struct SagaGraph<S: Saga> {
    steps: Vec<StepDefinition<S>>,
    last: Vec<&'static str>,
    deadline: Option<Duration>,
}

impl<S: Saga> Default for SagaGraph<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Saga> SagaGraph<S> {
    /// A graph without steps.
    pub fn new() -> Self {
        Self { steps: Vec::new(), last: Vec::new(), deadline: None }
    }

    /// Adds a step that starts when everything added before has succeeded.
    #[must_use]
    pub fn then(self, step: StepDefinition<S>) -> Self {
        self.then_all([step])
    }

    /// Adds steps that run side by side when everything added before has succeeded.
    #[must_use]
    pub fn then_all(mut self, steps: impl IntoIterator<Item = StepDefinition<S>>) -> Self {
        let before = std::mem::take(&mut self.last);
        for mut step in steps {
            step.after.clone_from(&before);
            self.last.push(step.name);
            self.steps.push(step);
        }
        self
    }

    /// How long an instance may take to reach its pivot; after that it is undone.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The steps, each after those it depends on.
    pub fn steps(&self) -> &[StepDefinition<S>] {
        &self.steps
    }

    /// The step called `name`.
    pub fn step(&self, name: &str) -> Option<&StepDefinition<S>> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// See [`deadline`](Self::deadline).
    pub fn time_to_pivot(&self) -> Option<Duration> {
        self.deadline
    }

    /// What identifies this shape: instances started under another one are not run by it.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for step in &self.steps {
            hasher.update(
                format!(
                    "{:?}|{:?}|{:?}|{:?}|{}\n",
                    step.name,
                    step.kind,
                    step.action,
                    step.undo,
                    step.after.join(",")
                )
                .as_bytes(),
            );
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// Every reason why this graph could not be run or undone; empty if it is sound.
    pub fn check(&self) -> Vec<GraphError> {
        let mut errors = Vec::new();
        if self.steps.is_empty() {
            errors.push(GraphError::Empty);
        }
        for (index, step) in self.steps.iter().enumerate() {
            if self.steps[..index].iter().any(|earlier| earlier.name == step.name) {
                errors.push(GraphError::DuplicateName { step: step.name });
            }
        }
        let pivots: Vec<_> = self.positions_of(StepKind::Pivot);
        if let [_, second, ..] = pivots[..] {
            errors.push(GraphError::SecondPivot { step: self.steps[second].name });
        }
        for step in &self.steps {
            match (step.kind, step.undo.is_some()) {
                (StepKind::Compensable, false) => errors.push(GraphError::NoUndo { step: step.name }),
                (StepKind::Pivot | StepKind::Retriable, true) => {
                    errors.push(GraphError::NeedlessUndo { step: step.name })
                }
                _ => {}
            }
            if step.skippable && step.kind != StepKind::Retriable {
                errors.push(GraphError::Unskippable { step: step.name });
            }
        }
        // Steps of one block share what they depend on, so a block of two with a pivot shows as a sibling.
        for (index, step) in self.steps.iter().enumerate() {
            let before_pivot = pivots.first().is_some_and(|&pivot| index < pivot);
            let beside_pivot =
                pivots.first().is_some_and(|&pivot| index != pivot && self.steps[pivot].after == step.after);
            match step.kind {
                _ if beside_pivot => errors.push(GraphError::BesidePivot { step: step.name }),
                StepKind::Retriable if before_pivot => {
                    errors.push(GraphError::RetriableBeforePivot { step: step.name })
                }
                StepKind::Compensable if !pivots.is_empty() && !before_pivot => {
                    errors.push(GraphError::CompensableAfterPivot { step: step.name })
                }
                StepKind::Compensable if pivots.is_empty() && self.follows_retriable(index) => {
                    errors.push(GraphError::CompensableAfterRetriable { step: step.name })
                }
                _ => {}
            }
        }
        errors
    }

    // Also true of a step in the same block as a retriable one, whichever of the two was named first.
    fn follows_retriable(&self, index: usize) -> bool {
        let step = &self.steps[index];
        let before = |(at, other): (usize, &StepDefinition<S>)| {
            other.kind == StepKind::Retriable && (at < index || other.after == step.after)
        };
        self.steps.iter().enumerate().any(before)
    }

    fn positions_of(&self, kind: StepKind) -> Vec<usize> {
        let of_kind = |(index, step): (usize, &StepDefinition<S>)| (step.kind == kind).then_some(index);
        self.steps.iter().enumerate().filter_map(of_kind).collect()
    }
}

/// Why a graph is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// There is nothing to do.
    #[error("the graph has no steps")]
    Empty,
    /// Steps are found by name.
    #[error("two steps are called {step:?}: give each its own name")]
    DuplicateName {
        /// The name.
        step: &'static str,
    },
    /// There is one point of no return.
    #[error(
        "{step:?} is a second pivot: a saga has one point of no return, make it retriable or compensable"
    )]
    SecondPivot {
        /// The second one.
        step: &'static str,
    },
    /// What may have to be undone needs a way.
    #[error("{step:?} is compensable but has no undo: add .undo(...), or make it the pivot")]
    NoUndo {
        /// The step.
        step: &'static str,
    },
    /// From the pivot on nothing is undone.
    #[error("{step:?} has an undo that could never run: nothing is undone from the pivot on")]
    NeedlessUndo {
        /// The step.
        step: &'static str,
    },
    /// A step that must succeed cannot stand where the saga may still turn back.
    #[error(
        "{step:?} is retriable but stands before the pivot, where it may have to be undone: make it compensable"
    )]
    RetriableBeforePivot {
        /// The step.
        step: &'static str,
    },
    /// After the pivot there is no way back.
    #[error("{step:?} is compensable but stands after the pivot, where nothing is undone: make it retriable")]
    CompensableAfterPivot {
        /// The step.
        step: &'static str,
    },
    /// Without a pivot, the first retriable step is the point of no return.
    #[error(
        "{step:?} is compensable but stands beside or after a retriable step, which cannot be undone: move it before"
    )]
    CompensableAfterRetriable {
        /// The step.
        step: &'static str,
    },
    /// Nothing may be in flight while the pivot decides.
    #[error("{step:?} runs beside the pivot: move it before or after")]
    BesidePivot {
        /// The step.
        step: &'static str,
    },
    /// Only the steps after the pivot may be left out.
    #[error("{step:?} is skippable but not retriable: only a step after the pivot may be left out")]
    Unskippable {
        /// The step.
        step: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, saga::Start};

    #[derive(Clone, Debug, PartialEq, Event)]
    enum Nothing {
        #[event(name = "NothingHappened", version = 1)]
        Happened,
    }

    struct Plain;
    impl Saga for Plain {
        const NAME: &'static str = "plain";
        const VERSION: u32 = 1;
        type Trigger = Nothing;
        type Input = ();
        fn start(_: &Nothing, _: &crate::StreamId) -> Option<Start<()>> {
            None
        }
        fn graph() -> SagaGraph<Self> {
            SagaGraph::new()
        }
    }

    fn undoable(name: &'static str) -> StepDefinition<Plain> {
        compensable(Step::<()>::new(name), local(|_| Vec::new())).undo(local(|_| Vec::new()))
    }

    fn lasting(name: &'static str) -> StepDefinition<Plain> {
        retriable(Step::<()>::new(name), local(|_| Vec::new()))
    }

    #[test]
    fn without_a_pivot_nothing_undoable_may_follow_or_stand_beside_what_cannot_be_undone() {
        assert_eq!(SagaGraph::new().then(undoable("a")).then(lasting("b")).check(), []);
        let wrong = [GraphError::CompensableAfterRetriable { step: "a" }];
        assert_eq!(SagaGraph::new().then(lasting("b")).then(undoable("a")).check(), wrong);
        assert_eq!(SagaGraph::new().then_all([undoable("a"), lasting("b")]).check(), wrong);
    }

    #[test]
    fn with_a_pivot_what_can_be_undone_stands_before_it_and_the_rest_behind() {
        let decide = || pivot::<Plain, ()>(Step::new("p"), local(|_| Vec::new()));
        assert_eq!(SagaGraph::new().then(undoable("a")).then(decide()).then(lasting("b")).check(), []);
        let turned = SagaGraph::new().then(lasting("b")).then(decide()).then(undoable("a"));
        let wrong =
            [GraphError::RetriableBeforePivot { step: "b" }, GraphError::CompensableAfterPivot { step: "a" }];
        assert_eq!(turned.check(), wrong);
    }

    #[test]
    fn back_off_doubles_up_to_its_cap() {
        let policy = RetryPolicy::STANDARD;
        let waits: Vec<_> = [1, 2, 3, 30, u32::MAX].map(|attempt| policy.backoff(attempt).as_millis()).into();
        assert_eq!(waits, [200, 400, 800, 60_000, 60_000]);
    }
}
