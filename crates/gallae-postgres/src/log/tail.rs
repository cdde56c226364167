//! The end of the log as this process knows it, in order and without gaps, shared by everyone who reads there.
//!
//! ```text
//!   own commits ─────────────┐
//!                            ├─► in order ─► recent events, head ─► subscriptions
//!   what others committed ───┘
//!   (read by the follower)
//! ```

use gallae_core::{Position, RecordedEvent};
use gallae_ports::RecentEvents;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

/// Events kept in memory for readers at the head.
const RECENT_EVENTS: usize = 8_192;
const RECENT_BYTES: usize = 8 * 1024 * 1024;

/// Own commits that wait for those of others before them: beyond this they are dropped and read like the others'.
const PARKED_EVENTS: usize = 10_000;

/// Where the log ends.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) position: Position,
    pub(super) recent: Arc<RecentEvents>,
    /// Counts how often the log has lost its end.
    pub(super) history: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Tail {
    head: watch::Sender<Head>,
    inner: Mutex<Inner>,
    /// Wakes the follower.
    pub(super) behind: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// Own commits by their first position.
    parked: BTreeMap<u64, Vec<Arc<RecordedEvent>>>,
    parked_events: usize,
    /// The last position that is known to be committed.
    known: Position,
    /// The event at the head, if it was seen.
    last: Option<(Position, Uuid)>,
}

impl Tail {
    pub(super) fn new(position: Position) -> Self {
        let head = watch::Sender::new(Head { position, recent: new_ring(), history: 0 });
        let inner = Inner { known: position, ..Inner::default() };
        Self { head, inner: Mutex::new(inner), behind: Notify::new() }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    pub(super) fn position(&self) -> Position {
        self.head.borrow().position
    }

    /// The event at the head, if it was seen: proof that a log is the one that was read so far.
    pub(super) fn last(&self) -> Option<(Position, Uuid)> {
        self.lock().last
    }

    /// Whether anybody reads here.
    pub(super) fn has_readers(&self) -> bool {
        self.head.receiver_count() > 0
    }

    /// Takes an own commit that has been acknowledged. The follower may have read it already, being told as others are.
    pub(super) fn committed(&self, mut events: Vec<Arc<RecordedEvent>>) {
        let mut inner = self.lock();
        if let Some(lost) = self.first_replaced(&events) {
            self.reset(&mut inner, Position::new(lost.get() - 1));
        }
        let head = self.position();
        events.retain(|event| event.position > head);
        let Some(first) = events.first().map(|event| event.position) else { return };
        if first > head.next() && self.has_readers() {
            inner.known = inner.known.max(events[events.len() - 1].position);
            inner.park(events);
            self.behind.notify_one();
        } else {
            self.push(&mut inner, events);
        }
    }

    /// Learns that the log reaches to `position`.
    pub(super) fn heard(&self, position: Position) {
        let mut inner = self.lock();
        inner.known = inner.known.max(position);
        if self.has_readers() {
            if inner.known > self.position() {
                self.behind.notify_one();
            }
            return;
        }
        // Nobody wants what is between; whoever comes reads it from the database.
        let known = inner.known;
        if known > self.position() {
            inner.last = None;
            self.head.send_if_modified(|head| {
                head.position = known;
                true
            });
        }
    }

    /// From where to where the follower is to read, if anywhere.
    pub(super) fn missing(&self) -> Option<(Position, Position)> {
        let inner = self.lock();
        let head = self.position();
        let before_parked = inner.parked.keys().next().map(|first| Position::new(first - 1));
        let end = before_parked.map_or(inner.known, |parked| parked.min(inner.known));
        (end > head).then_some((head, end))
    }

    /// Takes what the follower has read.
    pub(super) fn fetched(&self, events: Vec<Arc<RecordedEvent>>) {
        let mut inner = self.lock();
        let head = self.position();
        let new: Vec<_> = events.into_iter().skip_while(|event| event.position <= head).collect();
        if new.first().is_some_and(|first| first.position == head.next()) {
            self.push(&mut inner, new);
        }
    }

    /// The first of these positions where another event was seen before: the log had lost its end, and has grown again.
    fn first_replaced(&self, events: &[Arc<RecordedEvent>]) -> Option<Position> {
        let first = events.first()?.position;
        let head = self.head.borrow();
        if first > head.position {
            return None;
        }
        let seen = head.recent.after(Position::new(first.get() - 1), events.len())?;
        let mut pairs = seen.iter().zip(events);
        pairs.find(|(seen, event)| seen.id != event.id).map(|(seen, _)| seen.position)
    }

    /// The log has been found to end at `position`, before what was known: acknowledged events are lost.
    pub(super) fn regressed(&self, position: Position) {
        self.reset(&mut self.lock(), position);
    }

    fn reset(&self, inner: &mut Inner, position: Position) {
        let was = self.position();
        tracing::error!(%was, %position, "the log has lost its end: events that were acknowledged are gone");
        metrics::counter!("gallae_log_regressions_total").increment(1);
        *inner = Inner { known: position, ..Inner::default() };
        self.head.send_modify(|head| {
            *head =
                Head { position: head.position.min(position), recent: new_ring(), history: head.history + 1 };
        });
    }

    /// Adds events to the end, and what was parked behind them.
    fn push(&self, inner: &mut Inner, events: Vec<Arc<RecordedEvent>>) {
        let mut next = Some(events);
        self.head.send_if_modified(|head| {
            let mut moved = false;
            while let Some(events) = next.take() {
                let Some(last) = events.last() else { break };
                head.position = last.position;
                inner.last = Some((last.position, last.id.uuid()));
                head.recent.push(events);
                moved = true;
                inner.drop_parked_up_to(head.position);
                next = inner.unpark(head.position.next().get());
            }
            moved
        });
        inner.known = inner.known.max(self.position());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Inner {
    fn park(&mut self, events: Vec<Arc<RecordedEvent>>) {
        self.parked_events += events.len();
        self.parked.insert(events[0].position.get(), events);
        if self.parked_events > PARKED_EVENTS {
            self.parked.clear();
            self.parked_events = 0;
        }
    }

    /// What the follower has read meanwhile is not waited with any more: it would hide what is missing behind it.
    fn drop_parked_up_to(&mut self, position: Position) {
        while let Some(first) = self.parked.first_entry().filter(|first| *first.key() <= position.get()) {
            self.parked_events -= first.remove().len();
        }
    }

    fn unpark(&mut self, position: u64) -> Option<Vec<Arc<RecordedEvent>>> {
        let events = self.parked.remove(&position)?;
        self.parked_events -= events.len();
        Some(events)
    }
}

fn new_ring() -> Arc<RecentEvents> {
    Arc::new(RecentEvents::new(RECENT_EVENTS, RECENT_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gallae_core::{EventId, StoredMetadata, Timestamp, Version};

    fn event(position: u64) -> Arc<RecordedEvent> {
        Arc::new(RecordedEvent {
            position: Position::new(position),
            stream: "a-1".parse().unwrap(),
            version: Version::new(position),
            id: EventId::new(Uuid::from_u128(u128::from(position))),
            event_type: "Happened".into(),
            schema_version: 1,
            time: Timestamp::from_micros(0),
            metadata: StoredMetadata::from_bytes("{}".into()),
            payload: "{}".into(),
        })
    }

    fn events(positions: std::ops::RangeInclusive<u64>) -> Vec<Arc<RecordedEvent>> {
        positions.map(event).collect()
    }

    fn recent(tail: &Tail, after: u64) -> Option<Vec<u64>> {
        let page = tail.head.borrow().recent.after(Position::new(after), 100)?;
        Some(page.iter().map(|event| event.position.get()).collect())
    }

    #[test]
    fn own_commits_wait_for_those_of_others_before_them() {
        let tail = Tail::new(Position::START);
        let _reader = tail.subscribe();
        tail.committed(events(1..=2));
        tail.committed(events(5..=6));
        assert_eq!(tail.position(), Position::new(2));
        assert_eq!(tail.missing(), Some((Position::new(2), Position::new(4))));
        tail.fetched(events(2..=3));
        assert_eq!(tail.missing(), Some((Position::new(3), Position::new(4))));
        tail.fetched(events(4..=4));
        assert_eq!((tail.position(), tail.missing()), (Position::new(6), None));
        tail.committed(events(5..=6));
        assert_eq!(recent(&tail, 0), Some(vec![1, 2, 3, 4, 5, 6]));
        assert_eq!(tail.last(), Some((Position::new(6), Uuid::from_u128(6))));
    }

    #[test]
    fn what_the_follower_read_first_hides_nothing_behind_it() {
        let tail = Tail::new(Position::START);
        let _reader = tail.subscribe();
        tail.committed(events(8..=9));
        assert_eq!(tail.missing(), Some((Position::START, Position::new(7))));
        // While the follower reads up to there, an own commit comes that is among it.
        tail.committed(events(4..=5));
        tail.fetched(events(1..=7));
        assert_eq!(tail.position(), Position::new(9));
        tail.heard(Position::new(12));
        assert_eq!(tail.missing(), Some((Position::new(9), Position::new(12))));
    }

    #[test]
    fn without_readers_nothing_is_waited_for() {
        let tail = Tail::new(Position::START);
        tail.committed(events(5..=6));
        tail.heard(Position::new(9));
        assert_eq!((tail.position(), tail.missing()), (Position::new(9), None));
        let _reader = tail.subscribe();
        tail.committed(events(10..=11));
        assert_eq!(tail.position(), Position::new(11));
        assert_eq!(recent(&tail, 9), Some(vec![10, 11]));
    }

    #[test]
    fn a_log_that_lost_its_end_begins_a_new_history() {
        let tail = Tail::new(Position::START);
        let reader = tail.subscribe();
        tail.committed(events(1..=6));
        tail.regressed(Position::new(4));
        assert_eq!((reader.borrow().position, reader.borrow().history), (Position::new(4), 1));
        assert_eq!(recent(&tail, 3), None, "what is lost is not shown again");
        tail.committed(events(5..=6));
        // Another event where one was seen: the end was lost once more, and nobody had said so.
        let mut other = (*event(6)).clone();
        other.id = EventId::new(Uuid::from_u128(66));
        tail.committed(vec![Arc::new(other), event(7)]);
        assert_eq!((reader.borrow().position, reader.borrow().history), (Position::new(7), 2));
        assert_eq!(recent(&tail, 4), None);
    }

    #[test]
    fn own_commits_that_the_follower_read_first_are_no_loss() {
        let tail = Tail::new(Position::START);
        let reader = tail.subscribe();
        tail.heard(Position::new(4));
        tail.fetched(events(1..=4));
        tail.committed(events(2..=3));
        tail.committed(events(4..=5));
        assert_eq!((reader.borrow().position, reader.borrow().history), (Position::new(5), 0));
        assert_eq!(recent(&tail, 0), Some(vec![1, 2, 3, 4, 5]));
        drop(reader);
        // Without readers only positions are known.
        tail.heard(Position::new(9));
        tail.committed(events(8..=9));
        assert_eq!((tail.position(), tail.head.borrow().history), (Position::new(9), 0));
    }
}
