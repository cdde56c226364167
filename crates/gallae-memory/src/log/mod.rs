//! The event store and everything that shares its database.

mod append;
mod check;
mod credentials;
mod cursors;
mod dead_letters;
mod leases;
mod records;
mod sagas;
mod snapshots;
mod subscribe;

use append::EncodedBatch;
use credentials::Credentials;
use cursors::Cursors;
use dead_letters::DeadLetters;
use futures::FutureExt;
use gallae_core::{CorrelationId, Position, RecordedEvent, StreamId, Timestamp, Version};
use gallae_ports::{
    AppendBatch, AppendError, Appended, BoxFuture, CheckDepth, CheckReport, Clock, EventPage, EventStore,
    EventStream, HeldClaim, IdempotencyRecord, ReadError, StoreFault, StreamInfo,
};
use leases::Leases;
use records::Records;
use sagas::Sagas;
use snapshots::Snapshots;
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use uuid::Uuid;

/// An event store in memory, with the sagas, snapshots, leases, dead letters and credentials that live beside it.
///
/// Clones are handles to the same store.
#[derive(Clone, Debug)]
pub struct MemoryLog {
    id: Uuid,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
    head: watch::Sender<Position>,
}

/// What the next append shall suffer, for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with [`AppendError::Unavailable`].
    Unavailable,
    /// It is written, and answered with [`AppendError::Indeterminate`]. One that would be refused is refused.
    IndeterminateWritten,
    /// It is not written, and answered with [`AppendError::Indeterminate`].
    IndeterminateLost,
}

/// Everything, under one lock: an append is one critical section, so it is atomic for every reader.
#[derive(Debug, Default)]
struct State {
    events: EventPage,
    streams: BTreeMap<StreamId, Vec<Position>>,
    flows: BTreeMap<CorrelationId, Vec<Position>>,
    records: Records,
    sagas: Sagas,
    snapshots: Snapshots,
    leases: Leases,
    dead_letters: DeadLetters,
    credentials: Credentials,
    cursors: Cursors,
    faults: VecDeque<Fault>,
    /// Whether pings fail.
    deaf: bool,
}

impl MemoryLog {
    /// An empty store. `clock` judges leases; events carry the times that their writers give them.
    pub fn new(id: Uuid, clock: Arc<dyn Clock>) -> Self {
        Self { id, clock, state: Arc::default(), head: watch::Sender::new(Position::START) }
    }

    /// Makes the next append fail; several calls make as many appends fail, in order.
    pub fn fail_next(&self, fault: Fault) {
        self.state().faults.push_back(fault);
    }

    /// Makes pings fail, until told otherwise.
    pub fn fail_pings(&self, fail: bool) {
        self.state().deaf = fail;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held can only come from a bug of a caller's `Clone`; the state stays whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append_now(&self, batch: AppendBatch) -> Result<Appended, AppendError> {
        let mut state = self.state();
        let fault = state.faults.pop_front();
        match fault {
            Some(Fault::Unavailable) => return Err(AppendError::Unavailable(injected())),
            Some(Fault::IndeterminateLost) => return Err(AppendError::Indeterminate(injected())),
            Some(Fault::IndeterminateWritten) | None => {}
        }
        let appended = state.append(EncodedBatch::new(batch)?)?;
        let head = state.head();
        // Told under the lock, so that the head never goes back.
        self.head.send_if_modified(|known| std::mem::replace(known, head) != head);
        match fault {
            Some(_) => Err(AppendError::Indeterminate(injected())),
            None => Ok(appended),
        }
    }
}

fn injected() -> StoreFault {
    StoreFault::new("appending to the log in memory")
        .because("a fault was asked for")
        .retry_after(Duration::ZERO)
}

impl State {
    fn head(&self) -> Position {
        Position::new(self.events.len() as u64)
    }

    fn stream_head(&self, stream: &StreamId) -> Version {
        Version::new(self.streams.get(stream).map_or(0, Vec::len) as u64)
    }

    fn event(&self, position: Position) -> Option<&Arc<RecordedEvent>> {
        self.events.get(position.get().checked_sub(1)? as usize)
    }

    fn events_at<'a>(&self, positions: impl Iterator<Item = &'a Position>, limit: usize) -> EventPage {
        positions.take(limit).filter_map(|position| self.event(*position)).cloned().collect()
    }

    fn events_after(&self, after: Position, limit: usize) -> EventPage {
        let skip = usize::try_from(after.get()).unwrap_or(usize::MAX);
        self.events.iter().skip(skip).take(limit).cloned().collect()
    }
}

impl EventStore for MemoryLog {
    fn id(&self) -> Uuid {
        self.id
    }

    fn append(&self, batch: AppendBatch) -> BoxFuture<'static, Result<Appended, AppendError>> {
        std::future::ready(self.append_now(batch)).boxed()
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, StoreFault>> {
        ready(self.state().head())
    }

    fn stream_head(&self, stream: &StreamId) -> BoxFuture<'_, Result<Version, StoreFault>> {
        ready(self.state().stream_head(stream))
    }

    fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> BoxFuture<'_, Result<EventPage, ReadError>> {
        let state = self.state();
        let positions = state.streams.get(stream).map_or(&[][..], Vec::as_slice);
        let skip = usize::try_from(after.get()).unwrap_or(usize::MAX);
        ready(state.events_at(positions.iter().skip(skip), limit))
    }

    fn read_all(&self, after: Position, limit: usize) -> BoxFuture<'_, Result<EventPage, ReadError>> {
        ready(self.state().events_after(after, limit))
    }

    fn read_correlation(
        &self,
        correlation: &CorrelationId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<EventPage, ReadError>> {
        let state = self.state();
        let positions = state.flows.get(correlation).map_or(&[][..], Vec::as_slice);
        let skip = positions.partition_point(|position| *position <= after);
        ready(state.events_at(positions[skip..].iter(), limit))
    }

    fn subscribe(&self, after: Position) -> EventStream {
        subscribe::stream(Arc::clone(&self.state), self.head.subscribe(), after)
    }

    fn list_streams(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StreamInfo>, StoreFault>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.state();
        let streams = state.streams.range((from, Bound::Unbounded));
        let wanted = streams.filter(|(stream, _)| stream.as_str().starts_with(prefix)).take(limit);
        let info = |(stream, positions): (&StreamId, &Vec<Position>)| StreamInfo {
            stream: stream.clone(),
            version: Version::new(positions.len() as u64),
        };
        ready(wanted.map(info).collect())
    }

    fn idempotency(
        &self,
        key: &str,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<IdempotencyRecord>, StoreFault>> {
        ready(self.state().records.idempotency(key, now).cloned())
    }

    fn claim(&self, key: &str, now: Timestamp) -> BoxFuture<'_, Result<Option<HeldClaim>, StoreFault>> {
        ready(self.state().records.claim(key, now).cloned())
    }

    fn purge(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreFault>> {
        let mut state = self.state();
        ready(state.records.purge(now, limit) + state.sagas.purge(now, limit))
    }

    fn check(&self, depth: CheckDepth) -> BoxFuture<'_, Result<CheckReport, StoreFault>> {
        ready(self.state().check(depth))
    }

    fn ping(&self) -> BoxFuture<'_, Result<Duration, StoreFault>> {
        let asked = self.clock.monotonic();
        if self.state().deaf {
            return std::future::ready(Err(injected())).boxed();
        }
        ready(self.clock.monotonic().saturating_sub(asked))
    }
}

/// The answer of a call that has done its work.
fn ready<T: Send + 'static, E: Send + 'static>(answer: T) -> BoxFuture<'static, Result<T, E>> {
    std::future::ready(Ok(answer)).boxed()
}
