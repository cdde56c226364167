//! One run of a saga.

use super::{
    ended::Ended,
    failing::Refusing,
    participant::{Participant, Reply},
};
use crate::{FixedClock, History, NOW, SeededEntropy, given::chain, metadata};
use gallae_core::{
    Aggregate, Command, Metadata, Position, SagaId,
    saga::{Action, Direction, Saga, SagaGraph, SagaStatus},
};
use gallae_memory::MemoryLog;
use gallae_ports::{BoxFuture, EventStore};
use gallae_runtime::{Platform, PlatformBuilder, Roles, dispatcher::Request, saga::register_graph};
use serde_json::Value;
use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};
use uuid::Uuid;

/// How far the clock moves when nothing else does.
const TICK: Duration = Duration::from_millis(500);
/// Turns that every task gets before nothing counts as moving.
const TURNS: usize = 64;
const PAGE: usize = 1_000;

type Trigger = Box<dyn FnOnce(Platform) -> BoxFuture<'static, Vec<SagaId>>>;

/// Starts to describe a run of `S`.
pub fn scenario<S: Saga>() -> Scenario<S> {
    Scenario {
        wiring: Vec::new(),
        history: History::new(),
        metadata: metadata(),
        participant: Participant::default(),
        trigger: None,
        patience: Duration::from_secs(3_600),
        of: PhantomData,
    }
}

/// What has happened, what starts the saga, and what its participants do.
#[must_use = "nothing happens before `run`"]
pub struct Scenario<S: Saga> {
    wiring: Vec<fn(PlatformBuilder) -> PlatformBuilder>,
    history: History,
    metadata: Metadata,
    pub(super) participant: Participant,
    trigger: Option<Trigger>,
    patience: Duration,
    of: PhantomData<fn() -> S>,
}

impl<S: Saga> Scenario<S> {
    /// An aggregate that the saga or its trigger commands.
    pub fn aggregate<A: Aggregate>(mut self) -> Self {
        self.wiring.push(PlatformBuilder::aggregate::<A>);
        self
    }

    /// What has happened before.
    pub fn given(mut self, history: History) -> Self {
        self.history = history;
        self
    }

    /// The trigger comes with this metadata, such as another actor.
    pub fn with(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// What the participant of a step answers when it executes the call; null otherwise.
    pub fn answer(self, step: &str, answer: impl Into<Value>) -> Self {
        self.participant.answer(step, answer.into());
        self
    }

    /// What the participant of a step does with its first calls; it executes the rest.
    pub fn replies(self, step: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.participant.script(step, Direction::Do, replies);
        self
    }

    /// The same for the calls that undo the step.
    pub fn undo_replies(self, step: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.participant.script(step, Direction::Undo, replies);
        self
    }

    /// How long the saga may take by its own clock; an hour otherwise.
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The command whose events start the saga.
    pub fn when<C: Command>(mut self, command: C) -> Self {
        let metadata = self.metadata.clone();
        self.trigger = Some(Box::new(move |platform| {
            Box::pin(async move {
                match platform.send(Request::new(command, metadata)).await {
                    Ok(receipt) => receipt.sagas,
                    Err(error) => panic!("the trigger {} was not accepted: {}", C::NAME, chain(&error)),
                }
            })
        }));
        self
    }

    /// Runs the saga until it has ended, is stuck, or its time is over.
    ///
    /// # Panics
    /// When the wiring is wrong, the trigger is refused, or it starts no instance of the saga.
    #[track_caller]
    pub fn run(self) -> Ended {
        self.run_with(|graph, _| graph)
    }

    #[track_caller]
    pub(super) fn run_with(self, change: impl FnOnce(SagaGraph<S>, &MemoryLog) -> SagaGraph<S>) -> Ended {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime can be started: {error}"));
        let clock = Arc::new(FixedClock::new(NOW));
        let log = MemoryLog::new(Uuid::from_u128(1), Arc::<FixedClock>::clone(&clock));
        let graph = change(S::graph(), &log);
        runtime.block_on(self.play(graph, log, clock))
    }

    async fn play(self, graph: SagaGraph<S>, log: MemoryLog, clock: Arc<FixedClock>) -> Ended {
        let Self { wiring, history, participant, trigger, patience, .. } = self;
        let Some(trigger) = trigger else { panic!("nothing starts the saga: add .when(command)") };
        history.write(&log).await;
        let platform = build(&wiring, graph, &log, &clock, &participant);
        let started = trigger(platform.clone()).await;
        let [id] = started[..] else {
            panic!("the trigger started {} instances of {}, expected one", started.len(), S::NAME);
        };
        let waited = settle(&platform, &clock, id, patience).await;
        let described = platform.saga_view().describe(id).await;
        let described = described.unwrap_or_else(|error| panic!("{}", chain(&error)));
        let Some(saga) = described else { panic!("the saga has no row") };
        let mut events = Vec::new();
        loop {
            let page = log.read_all(Position::new(events.len() as u64), PAGE).await;
            let page = page.unwrap_or_else(|error| panic!("{}", chain(&error)));
            let last = page.len() < PAGE;
            events.extend(page);
            if last {
                return Ended { saga, events, executed: participant.executed(), took: waited };
            }
        }
    }
}

fn build<S: Saga>(
    wiring: &[fn(PlatformBuilder) -> PlatformBuilder],
    graph: SagaGraph<S>,
    log: &MemoryLog,
    clock: &Arc<FixedClock>,
    participant: &Participant,
) -> Platform {
    let mut builder = Platform::builder(Arc::new(log.clone()))
        .environment(Arc::<FixedClock>::clone(clock), Arc::new(SeededEntropy::new(1)))
        .roles(Roles { projector: false, saga: true, relay: false })
        .aggregate::<Refusing>();
    for step in graph.steps() {
        for action in [Some(step.action()), step.undo_action()].into_iter().flatten() {
            if let Action::Call { dependency, .. } = action {
                builder = builder.effect(dependency, Arc::new(participant.clone()));
            }
        }
    }
    for add in wiring {
        builder = add(builder);
    }
    match builder.registered_saga(register_graph(graph)).build() {
        Ok(platform) => platform,
        Err(errors) => panic!("{errors}"),
    }
}

/// Lets everything run that can, then moves the clock, until the instance has ended, is stuck or its time is over.
async fn settle(platform: &Platform, clock: &FixedClock, id: SagaId, patience: Duration) -> Duration {
    let (mut waited, mut head) = (Duration::ZERO, Position::START);
    loop {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let row = platform.saga_store().saga(id).await;
        let row = row.unwrap_or_else(|fault| panic!("{}", chain(&fault)));
        let status = row.map_or(SagaStatus::Running, |row| row.status);
        let now_at = platform.store().head().await.unwrap_or_else(|fault| panic!("{}", chain(&fault)));
        let moved = std::mem::replace(&mut head, now_at) != now_at;
        if status.is_terminal() || status == SagaStatus::Stuck || waited >= patience {
            return waited;
        }
        if !moved {
            clock.advance(TICK);
            waited += TICK;
        }
    }
}

impl<S: Saga> fmt::Debug for Scenario<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("saga", &S::NAME)
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}
