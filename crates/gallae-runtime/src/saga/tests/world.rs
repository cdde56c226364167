//! A store, a participant with a ledger of its own, and nodes that can be killed between any two appends.

use super::shop::{self, Kind, Order, Place, Stock};
use crate::{
    dispatcher::{AggregateType, Dispatcher, Request},
    saga::{
        CallOutcome, EffectCall, EffectHandler, Effects, Limits, QueryOutcome, Resolution, SagaDescription,
        SagaEngine, SagaEngineParts, SagaRegistry, SagaSettings, SagaTriggers, SagaView,
    },
};
use futures::{FutureExt, future};
use gallae_core::{
    Actor, CorrelationId, Event, Id, Metadata, Position, SagaId, StreamId, Timestamp, Version,
    saga::{EffectKey, SagaStatus},
};
use gallae_memory::{ManualClock, MemoryLog, SeededEntropy};
use gallae_ports::{
    AppendBatch, AppendError, Appended, BoxFuture, CheckDepth, CheckReport, Clock, EffectRow, EffectState,
    EventPage, EventStore, EventStream, Fence, HeldClaim, IdempotencyRecord, Lease, LeaseStore, ReadError,
    SagaRow, SagaStore, StoreFault, StreamInfo,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What a participant does with a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    Work,
    Decline(&'static str),
    Fail,
    Throttle(Duration),
    /// Executes and loses the answer.
    LoseAnswer,
    /// Loses the request.
    LoseRequest,
    Break,
    /// Executes, and answers only after this long.
    Slow(Duration),
    Panic,
}

/// A participant that executes each key at most once and answers repetitions alike.
#[derive(Default)]
pub(super) struct Participant {
    script: Mutex<BTreeMap<String, VecDeque<Act>>>,
    /// Executed operations by key, in order.
    executed: Mutex<Vec<(String, &'static str, Value)>>,
    refused: Mutex<BTreeMap<String, String>>,
    pub(super) calls: Mutex<Vec<EffectCall>>,
    pub(super) queries: AtomicUsize,
    pub(super) resolution: Mutex<Option<Resolution>>,
    /// How many queries are answered with "not known yet".
    pub(super) hesitates: AtomicUsize,
    /// Calls that left before it was durable that they would. A panic here would only look like an unknown outcome.
    unannounced: AtomicUsize,
    /// Queries are never answered.
    pub(super) hangs: AtomicBool,
    clock: Mutex<Option<Arc<ManualClock>>>,
    log: Mutex<Option<MemoryLog>>,
}

impl Participant {
    pub(super) fn script(&self, operation: &str, acts: impl IntoIterator<Item = Act>) {
        self.script.lock().unwrap().entry(operation.to_owned()).or_default().extend(acts);
    }

    /// Operations executed, in order.
    pub(super) fn executed(&self) -> Vec<&'static str> {
        self.executed.lock().unwrap().iter().map(|(_, operation, _)| *operation).collect()
    }

    fn execute(&self, call: &EffectCall) -> Value {
        let mut executed = self.executed.lock().unwrap();
        let key = call.key.as_str();
        if let Some((.., answer)) = executed.iter().find(|(known, ..)| known == key) {
            return answer.clone();
        }
        let answer = json!(format!("{}-{}", call.operation, executed.len()));
        executed.push((key.to_owned(), call.operation, answer.clone()));
        answer
    }

    /// A call leaves only after it is durable that it is about to.
    async fn expect_announced(&self, call: &EffectCall) {
        let log = self.log.lock().unwrap().clone().unwrap();
        let effects = log.effects(call.saga).await.unwrap();
        let announced = |row: &EffectRow| {
            row.key == call.key.as_str() && row.state == EffectState::Sent && row.attempts == call.attempt
        };
        if !effects.iter().any(announced) {
            self.unannounced.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn next_act(&self, operation: &str) -> Act {
        let mut script = self.script.lock().unwrap();
        script.get_mut(operation).and_then(VecDeque::pop_front).unwrap_or(Act::Work)
    }
}

impl EffectHandler for Participant {
    fn call(&self, call: EffectCall) -> BoxFuture<'_, CallOutcome> {
        async move {
            self.expect_announced(&call).await;
            self.calls.lock().unwrap().push(call.clone());
            let known = self.refused.lock().unwrap().get(call.key.as_str()).cloned();
            if let Some(code) = known {
                return CallOutcome::Rejected { code, reason: "declined before".into() };
            }
            if self.executed.lock().unwrap().iter().any(|(key, ..)| key == call.key.as_str()) {
                return CallOutcome::Succeeded(self.execute(&call));
            }
            match self.next_act(call.operation) {
                Act::Work => CallOutcome::Succeeded(self.execute(&call)),
                Act::Decline(code) => {
                    self.refused.lock().unwrap().insert(call.key.as_str().to_owned(), code.to_owned());
                    CallOutcome::Rejected { code: code.to_owned(), reason: "declined".into() }
                }
                Act::Fail => CallOutcome::Transient("connection refused".into()),
                Act::Throttle(retry_after) => CallOutcome::Throttled { retry_after },
                Act::LoseAnswer => {
                    self.execute(&call);
                    CallOutcome::Unknown("connection reset".into())
                }
                Act::LoseRequest => CallOutcome::Unknown("connection reset".into()),
                Act::Break => CallOutcome::Permanent("400 bad request".into()),
                Act::Slow(duration) => {
                    let answer = self.execute(&call);
                    let clock = self.clock.lock().unwrap().clone().unwrap();
                    clock.sleep(duration).await;
                    CallOutcome::Succeeded(answer)
                }
                Act::Panic => panic!("a bug of the handler"),
            }
        }
        .boxed()
    }

    fn query<'a>(&'a self, key: &'a EffectKey, _operation: &'a str) -> BoxFuture<'a, QueryOutcome> {
        self.queries.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            return future::pending().boxed();
        }
        let hesitates = self.hesitates.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        let refused = self.refused.lock().unwrap().get(key.as_str()).cloned();
        let executed = self.executed.lock().unwrap();
        let found = executed.iter().find(|(known, ..)| known == key.as_str());
        let outcome = match (hesitates, refused, found) {
            (Ok(_), ..) => QueryOutcome::Unknown,
            (_, Some(code), _) => QueryOutcome::Refused { code, reason: "declined".into() },
            (_, None, Some((.., answer))) => QueryOutcome::Executed(answer.clone()),
            (_, None, None) => QueryOutcome::NotExecuted,
        };
        future::ready(outcome).boxed()
    }

    fn resolution(&self, _operation: &str) -> Resolution {
        self.resolution.lock().unwrap().unwrap_or(Resolution::Query)
    }
}

/// When a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    Never,
    /// Instead of its n-th append.
    Before(usize),
    /// With its n-th append durable and nothing after it done.
    After(usize),
}

/// A store as one process sees it: from its death on nothing comes back.
pub(super) struct Mortal {
    log: MemoryLog,
    death: Death,
    appends: AtomicUsize,
    /// Leases are not answered for.
    pub(super) deaf: AtomicBool,
    /// Appends are written when called and answered a turn later.
    pub(super) answers_late: AtomicBool,
}

impl Mortal {
    /// How often it was asked to append.
    pub(super) fn appended(&self) -> usize {
        self.appends.load(Ordering::SeqCst)
    }

    pub(super) fn is_dead(&self) -> bool {
        match self.death {
            Death::Never => false,
            Death::Before(last) | Death::After(last) => self.appends.load(Ordering::SeqCst) >= last,
        }
    }
}

impl EventStore for Mortal {
    fn id(&self) -> Uuid {
        self.log.id()
    }
    fn append(&self, batch: AppendBatch) -> BoxFuture<'static, Result<Appended, AppendError>> {
        let number = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
        match self.death {
            Death::Before(last) if number >= last => future::pending().boxed(),
            Death::After(last) if number > last => future::pending().boxed(),
            Death::After(last) if number == last => {
                let written = self.log.append(batch);
                async move {
                    let _ = written.await;
                    future::pending().await
                }
                .boxed()
            }
            _ if self.answers_late.load(Ordering::SeqCst) => {
                let written = self.log.append(batch);
                async move {
                    tokio::task::yield_now().await;
                    written.await
                }
                .boxed()
            }
            _ => self.log.append(batch),
        }
    }
    fn head(&self) -> BoxFuture<'_, Result<Position, StoreFault>> {
        self.log.head()
    }
    fn stream_head(&self, stream: &StreamId) -> BoxFuture<'_, Result<Version, StoreFault>> {
        self.log.stream_head(stream)
    }
    fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> BoxFuture<'_, Result<EventPage, ReadError>> {
        self.log.read_stream(stream, after, limit)
    }
    fn read_all(&self, after: Position, limit: usize) -> BoxFuture<'_, Result<EventPage, ReadError>> {
        self.log.read_all(after, limit)
    }
    fn read_correlation(
        &self,
        correlation: &CorrelationId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<EventPage, ReadError>> {
        self.log.read_correlation(correlation, after, limit)
    }
    fn subscribe(&self, after: Position) -> EventStream {
        self.log.subscribe(after)
    }
    fn list_streams(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StreamInfo>, StoreFault>> {
        self.log.list_streams(prefix, after, limit)
    }
    fn idempotency(
        &self,
        key: &str,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<IdempotencyRecord>, StoreFault>> {
        self.log.idempotency(key, now)
    }
    fn claim(&self, key: &str, now: Timestamp) -> BoxFuture<'_, Result<Option<HeldClaim>, StoreFault>> {
        self.log.claim(key, now)
    }
    fn purge(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreFault>> {
        self.log.purge(now, limit)
    }
    fn check(&self, depth: CheckDepth) -> BoxFuture<'_, Result<CheckReport, StoreFault>> {
        self.log.check(depth)
    }
    fn ping(&self) -> BoxFuture<'_, Result<Duration, StoreFault>> {
        self.log.ping()
    }
}

impl LeaseStore for Mortal {
    fn acquire(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Option<Lease>, StoreFault>> {
        self.heard(|| self.log.acquire(name, owner, ttl))
    }
    fn renew(
        &self,
        name: &str,
        owner: &str,
        epoch: u64,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<bool, StoreFault>> {
        self.heard(|| self.log.renew(name, owner, epoch, ttl))
    }
    fn release(&self, name: &str, owner: &str, epoch: u64) -> BoxFuture<'_, Result<(), StoreFault>> {
        self.heard(|| self.log.release(name, owner, epoch))
    }
    fn acquire_each(
        &self,
        names: &[String],
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Vec<Lease>, StoreFault>> {
        self.heard(|| self.log.acquire_each(names, owner, ttl))
    }
    fn renew_each(
        &self,
        held: &[Fence],
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Vec<String>, StoreFault>> {
        self.heard(|| self.log.renew_each(held, owner, ttl))
    }
    fn release_each(&self, held: &[Fence], owner: &str) -> BoxFuture<'_, Result<(), StoreFault>> {
        self.heard(|| self.log.release_each(held, owner))
    }
    fn leases(&self) -> BoxFuture<'_, Result<Vec<Lease>, StoreFault>> {
        self.heard(|| self.log.leases())
    }
}

impl Mortal {
    fn heard<'a, T: Send + 'a>(
        &self,
        answer: impl FnOnce() -> BoxFuture<'a, Result<T, StoreFault>>,
    ) -> BoxFuture<'a, Result<T, StoreFault>> {
        if self.deaf.load(Ordering::SeqCst) {
            return future::ready(Err(StoreFault::new("asking for leases"))).boxed();
        }
        answer()
    }
}

/// What outlives every node.
pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) entropy: Arc<SeededEntropy>,
    pub(super) log: MemoryLog,
    pub(super) outside: Arc<Participant>,
    /// Of the nodes started from now on.
    pub(super) limits: Mutex<BTreeMap<&'static str, Limits>>,
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(
                self.outside.unannounced.load(Ordering::SeqCst),
                0,
                "calls left before they were durable"
            );
        }
    }
}

/// One process.
pub(super) struct Node {
    pub(super) engine: SagaEngine,
    pub(super) dispatcher: Dispatcher,
    pub(super) store: Arc<Mortal>,
    pub(super) stop: CancellationToken,
    task: JoinHandle<()>,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
        let log = MemoryLog::new(Uuid::from_u128(7), Arc::<ManualClock>::clone(&clock));
        let outside = Arc::<Participant>::default();
        *outside.clock.lock().unwrap() = Some(Arc::clone(&clock));
        *outside.log.lock().unwrap() = Some(log.clone());
        Self { clock, entropy: Arc::new(SeededEntropy::new(1)), log, outside, limits: Mutex::default() }
    }

    pub(super) fn effects(&self) -> Effects {
        let outside = || Arc::<Participant>::clone(&self.outside);
        let effects =
            Effects::new().with("bank", outside()).with("mail", outside()).with("agency", outside());
        let limits = self.limits.lock().unwrap();
        limits.iter().fold(effects, |effects, (name, limits)| effects.limited(*name, *limits))
    }

    /// Starts a process that owns the sagas as soon as it can.
    pub(super) fn node(&self, owner: &str, death: Death) -> Node {
        self.node_with(owner, death, |_| {})
    }

    pub(super) fn node_with(
        &self,
        owner: &str,
        death: Death,
        change: impl FnOnce(&mut SagaSettings),
    ) -> Node {
        let (appends, answers_late, deaf) =
            (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
        let store = Arc::new(Mortal { log: self.log.clone(), death, appends, deaf, answers_late });
        let effects = self.effects();
        let registry = SagaRegistry::new(shop::registrations(), &effects).unwrap();
        let mut settings = SagaSettings::new(owner);
        change(&mut settings);
        let triggers = SagaTriggers::new(registry, settings.max_queued);
        let types = [("order", AggregateType::of::<Order>()), ("stock", AggregateType::of::<Stock>())].into();
        let dispatcher = Dispatcher::new(
            Arc::<Mortal>::clone(&store),
            Arc::new(self.log.clone()),
            Arc::<ManualClock>::clone(&self.clock),
            Arc::<SeededEntropy>::clone(&self.entropy),
            types,
            Arc::new(triggers.clone()),
        );
        let engine = SagaEngine::new(SagaEngineParts {
            triggers,
            effects,
            dispatcher: dispatcher.clone(),
            store: Arc::<Mortal>::clone(&store),
            sagas: Arc::new(self.log.clone()),
            leases: Arc::<Mortal>::clone(&store),
            clock: Arc::<ManualClock>::clone(&self.clock),
            entropy: Arc::<SeededEntropy>::clone(&self.entropy),
            node: owner.into(),
            settings,
        });
        let stop = CancellationToken::new();
        let run = engine.clone().run(stop.clone());
        let task = tokio::spawn(async move { run.await.unwrap() });
        Node { engine, dispatcher, store, stop, task }
    }

    pub(super) async fn row(&self, saga: SagaId) -> SagaRow {
        self.log.saga(saga).await.unwrap().unwrap()
    }

    pub(super) async fn describe(&self, saga: SagaId) -> SagaDescription {
        self.view().describe(saga).await.unwrap().unwrap()
    }

    pub(super) fn view(&self) -> SagaView {
        SagaView::new(Arc::new(self.log.clone()), Arc::new(self.log.clone()))
    }

    /// The names of a saga's events.
    pub(super) async fn story(&self, saga: SagaId) -> Vec<&'static str> {
        let name =
            |entry: &crate::saga::TimelineEntry| entry.event.event_type().name.trim_start_matches("Saga");
        self.describe(saga).await.timeline.iter().map(name).collect()
    }

    /// The nodes that wrote a saga's transitions, without its start.
    pub(super) async fn writers(&self, saga: SagaId) -> Vec<String> {
        let events = self.log.read_stream(&saga.stream(), Version::new(1), 1_000).await.unwrap();
        events.iter().map(|event| event.metadata.get().unwrap().node.to_string()).collect()
    }

    /// Lets everything run that can run without time passing.
    pub(super) async fn settle(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn pass(&self, time: Duration) {
        let step = Duration::from_millis(100);
        let mut left = time;
        while !left.is_zero() {
            let now = left.min(step);
            self.settle().await;
            self.clock.advance(now);
            left -= now;
        }
        self.settle().await;
    }

    /// Lets time pass until the saga has one of these statuses, at most ten minutes.
    pub(super) async fn until(&self, saga: SagaId, statuses: &[SagaStatus]) -> SagaRow {
        for _ in 0..6_000 {
            self.settle().await;
            if let Some(row) = self.log.saga(saga).await.unwrap()
                && statuses.contains(&row.status)
            {
                return row;
            }
            self.clock.advance(Duration::from_millis(100));
        }
        panic!("after ten minutes it is still {:?}", self.log.saga(saga).await);
    }

    pub(super) async fn until_ended(&self, saga: SagaId) -> SagaRow {
        use SagaStatus::{Abandoned, Compensated, Completed, Rejected};
        self.until(saga, &[Completed, Rejected, Compensated, Abandoned]).await
    }
}

impl Node {
    pub(super) async fn place(&self, number: u128, kind: Kind, refuses: Option<&str>) -> (Id<Order>, SagaId) {
        let order = Id::new(Uuid::from_u128(number));
        let place = Place { order, kind, refuses: refuses.map(str::to_owned) };
        let user = Actor::User(Uuid::from_u128(99));
        let metadata = Metadata::new(format!("flow-{number}").parse().unwrap(), user, "test");
        let receipt = self.dispatcher.send(Request::new(place, metadata)).await.unwrap();
        assert_eq!(receipt.sagas.len(), 1);
        (order, receipt.sagas[0])
    }

    pub(super) async fn checkout(&self, number: u128) -> (Id<Order>, SagaId) {
        self.place(number, Kind::Checkout, None).await
    }

    /// The process is gone at once: no future of it runs on.
    pub(super) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub(super) async fn drain(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// An order's notes, read by nobody's cache.
pub(super) async fn notes(world: &World, order: Id<Order>) -> Vec<String> {
    let mut state = Order::default();
    for event in world.log.read_stream(&order.stream(), Version::NONE, 1_000).await.unwrap() {
        gallae_core::AnyState::evolve_recorded(&mut state, &event).unwrap();
    }
    state.notes
}

pub(super) async fn reserved(world: &World) -> u32 {
    let mut state = Stock::default();
    for event in world.log.read_stream(&shop::the_stock().stream(), Version::NONE, 1_000).await.unwrap() {
        gallae_core::AnyState::evolve_recorded(&mut state, &event).unwrap();
    }
    state.reserved
}
