//! A log, a shelf of views, and projections to run on them.

use super::shelf::{Fuse, Letters, Shelf};
use crate::{
    SystemClock, SystemEntropy,
    projector::{self, Projections, ProjectorPorts, Registration},
    supervisor::Supervisor,
};
use bytes::Bytes;
use gallae_core::*;
use gallae_memory::MemoryLog;
use gallae_ports::*;
use serde::{Deserialize, Serialize};
use std::{cell::Cell, collections::BTreeMap, sync::Arc, time::Duration};

thread_local! {
    /// Whether the fold of this test's thread has learned to cope with what poisons it.
    pub(super) static MENDED: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone, Debug, PartialEq, gallae_core::Event)]
pub(super) enum Move {
    /// Adds to the tally.
    #[event(name = "Added", version = 1)]
    Added { by: i64 },
    /// Cannot be folded until the fold is mended.
    #[event(name = "Poisoned", version = 1)]
    Poisoned { by: i64 },
    /// The tally is gone.
    #[event(name = "Cleared", version = 1)]
    Cleared,
}

/// What the tallies of a stream add up to, and which events did it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) sum: i64,
    pub(super) seen: Vec<u64>,
    cleared: bool,
    #[serde(serialize_with = "unlucky")]
    thirteen: bool,
}

/// A tally that has seen a thirteen cannot be written.
fn unlucky<S: serde::Serializer>(thirteen: &bool, to: S) -> Result<S::Ok, S::Error> {
    match thirteen {
        true if !MENDED.get() => Err(serde::ser::Error::custom("thirteen")),
        _ => to.serialize_bool(*thirteen),
    }
}

impl View for Tally {
    const FIELDS: &'static [Field] = &[Field::integer("sum")];
    fn fields(&self) -> Vec<FieldValue> {
        vec![self.sum.into()]
    }
    fn removed(&self) -> bool {
        self.cleared
    }
}

impl Tally {
    fn add(&mut self, by: i64, event: &Recorded<Move>) {
        self.sum += by;
        self.thirteen |= by == 13;
        self.seen.push(event.position().get());
    }
}

pub(super) struct Tallies;

impl Projection for Tallies {
    const NAME: &'static str = "tallies";
    const REVISION: u32 = 1;
    type Events = Move;
    type View = Tally;

    fn key(event: &Recorded<Move>) -> Option<ViewKey> {
        Some(event.stream().key().into())
    }

    fn project(view: &mut Tally, event: &Recorded<Move>) {
        match event.event {
            Move::Added { by } => view.add(by, event),
            Move::Poisoned { .. } if !MENDED.get() => panic!("poison"),
            Move::Poisoned { by } => view.add(by, event),
            Move::Cleared => view.cleared = true,
        }
    }
}

/// The same under a new revision, counting double.
pub(super) struct DoubleTallies;

impl Projection for DoubleTallies {
    const NAME: &'static str = Tallies::NAME;
    const REVISION: u32 = 2;
    type Events = Move;
    type View = Tally;

    fn key(event: &Recorded<Move>) -> Option<ViewKey> {
        Tallies::key(event)
    }

    fn project(view: &mut Tally, event: &Recorded<Move>) {
        Tallies::project(view, event);
        if let Move::Added { by } = event.event {
            view.sum += by;
        }
    }
}

/// Everything that was added, ever.
pub(super) struct Total;

impl CounterProjection for Total {
    const NAME: &'static str = "total";
    const REVISION: u32 = 1;
    type Events = Move;

    fn count(event: &Recorded<Move>) -> Vec<Increment> {
        match event.event {
            Move::Added { by } => vec![Increment::new("sum", event.time(), by)],
            Move::Poisoned { .. } if !MENDED.get() => panic!("poison"),
            Move::Poisoned { by } => vec![Increment::new("sum", event.time(), by)],
            Move::Cleared => Vec::new(),
        }
    }
}

pub(super) struct World {
    pub(super) log: MemoryLog,
    pub(super) shelf: Arc<Shelf>,
    pub(super) fuse: Arc<Fuse>,
    clock: Arc<dyn Clock>,
    entropy: SystemEntropy,
}

/// Long enough for anything that happens at all.
pub(super) const SOON: Duration = Duration::from_secs(10);

impl World {
    pub(super) fn new() -> Self {
        MENDED.set(false);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let entropy = SystemEntropy;
        let log = MemoryLog::new(entropy.uuid(), Arc::clone(&clock));
        let shelf = Arc::new(Shelf::default());
        let fuse = Arc::clone(&shelf.fuse);
        Self { log, shelf, fuse, clock, entropy }
    }

    pub(super) fn ports(&self, node: &str, lease: Duration) -> ProjectorPorts {
        ProjectorPorts {
            log: Arc::new(self.log.clone()),
            dead_letters: Arc::new(Letters { log: self.log.clone(), fuse: Arc::clone(&self.fuse) }),
            leases: Arc::new(self.log.clone()),
            pace: Duration::ZERO,
            clock: Arc::clone(&self.clock),
            node: node.into(),
            lease,
        }
    }

    pub(super) fn tallies(&self) -> Registration {
        projector::view::<Tallies>(self.shelf.clone())
    }

    pub(super) fn total(&self) -> Registration {
        projector::counters::<Total>(self.shelf.clone())
    }

    /// Starts projections as node `n1`.
    pub(super) fn start(&self, registrations: Vec<Registration>) -> (Projections, Supervisor) {
        let supervisor = Supervisor::new(Arc::clone(&self.clock));
        let ports = self.ports("n1", Duration::from_secs(10));
        (projector::start(registrations, &ports, &supervisor, true).unwrap(), supervisor)
    }

    pub(super) fn supervisor(&self) -> Supervisor {
        Supervisor::new(Arc::clone(&self.clock))
    }

    /// Appends one event to `tally-{key}`.
    pub(super) async fn append(&self, key: &str, event: Move) -> Position {
        let mut payload = Vec::new();
        event.encode(&mut payload).unwrap();
        self.append_raw(key, event.event_type(), payload.into()).await
    }

    pub(super) async fn add(&self, key: &str, by: i64) -> Position {
        self.append(key, Move::Added { by }).await
    }

    pub(super) async fn append_raw(&self, key: &str, event_type: EventType, payload: Bytes) -> Position {
        let stream: StreamId = format!("tally-{key}").parse().unwrap();
        let head = self.log.stream_head(&stream).await.unwrap();
        let correlation = CorrelationId::new(self.entropy.uuid());
        let metadata = Arc::new(Metadata::new(correlation, Actor::Anonymous, "n1"));
        let event = NewEvent::new(EventId::new(self.entropy.uuid()), event_type, payload);
        let batch = AppendBatch::new(self.clock.now(), metadata);
        let batch = batch.stream(stream, Expected::Exact(head), vec![event]);
        self.log.append(batch).await.unwrap().position
    }

    pub(super) async fn head(&self) -> Position {
        self.log.head().await.unwrap()
    }

    /// The live tallies.
    pub(super) fn views(&self) -> BTreeMap<String, Tally> {
        let rows = self.shelf.live("tallies").views;
        rows.into_iter()
            .map(|(key, row)| (key.to_string(), serde_json::from_slice(&row.document).unwrap()))
            .collect()
    }

    pub(super) fn tally(&self, key: &str) -> Tally {
        self.views().remove(key).unwrap_or_default()
    }

    /// What the tallies must be: the whole log folded by `P`, one event after the other.
    pub(super) async fn folded<P: Projection<Events = Move, View = Tally>>(&self) -> BTreeMap<String, Tally> {
        let mut views: BTreeMap<String, Tally> = BTreeMap::new();
        for event in self.log.read_all(Position::START, usize::MAX).await.unwrap() {
            let Some(event) = decode_into_set::<Move>(&event).unwrap() else { continue };
            let key = P::key(&event).unwrap().to_string();
            let view = views.entry(key.clone()).or_default();
            P::project(view, &event);
            if view.removed() {
                views.remove(&key);
            }
        }
        views
    }

    pub(super) async fn letters(&self) -> Vec<(String, u64, u32)> {
        let letters = self.log.dead_letters(None, None, 1000).await.unwrap();
        let brief = |letter: DeadLetter| (letter.key.to_string(), letter.position.get(), letter.attempts);
        letters.into_iter().map(brief).collect()
    }
}
