//! What the cases write.

use bytes::Bytes;
use futures::StreamExt;
use gallae_core::{Actor, EventId, Metadata, Position, RecordedEvent, StreamId, Timestamp, Version};
use gallae_ports::{
    AppendBatch, AppendError, Appended, EventPage, EventStore, EventStream, Expected, IdempotencyRecord,
    NewEvent,
};
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use uuid::Uuid;

/// When the cases take place.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_125);

/// `NOW` and some seconds.
pub(crate) fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

/// Ids of the same shape as real ones that repeat within a process only after 2^48 calls.
pub(crate) fn uuid() -> Uuid {
    static MADE: AtomicU64 = AtomicU64::new(1_790_000_000_000);
    let count = MADE.fetch_add(1, Ordering::Relaxed);
    uuid::Builder::from_unix_timestamp_millis(count, &[7; 10]).into_uuid()
}

pub(crate) fn stream(name: &str) -> StreamId {
    name.parse().expect("a stream name of a case is valid")
}

pub(crate) fn metadata(correlation: &str) -> Arc<Metadata> {
    let correlation = correlation.parse().expect("a correlation id of a case is valid");
    Arc::new(Metadata::new(correlation, Actor::System("conformance".into()), "node-1"))
}

pub(crate) fn batch() -> AppendBatch {
    AppendBatch::new(NOW, metadata("flow-1"))
}

pub(crate) fn event() -> NewEvent {
    event_with("{\"amount\":1}")
}

pub(crate) fn event_with(payload: impl Into<Bytes>) -> NewEvent {
    NewEvent {
        id: EventId::new(uuid()),
        event_type: "ParcelSent".into(),
        schema_version: 1,
        payload: payload.into(),
    }
}

pub(crate) fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|_| event()).collect()
}

/// A batch of `count` events for one stream.
pub(crate) fn write(name: &str, expected: Expected, count: usize) -> AppendBatch {
    batch().stream(stream(name), expected, events(count))
}

pub(crate) fn exact(version: u64) -> Expected {
    Expected::Exact(Version::new(version))
}

pub(crate) fn record(key: &str, response: &'static str, expires_at: Timestamp) -> IdempotencyRecord {
    IdempotencyRecord {
        key: key.to_owned(),
        fingerprint: "fingerprint".to_owned(),
        response: Bytes::from_static(response.as_bytes()),
        expires_at,
    }
}

/// Appends a batch that must succeed.
pub(crate) async fn append(store: &impl EventStore, batch: AppendBatch) -> Appended {
    store.append(batch).await.expect("the append should succeed")
}

/// Appends a batch that must be refused.
pub(crate) async fn refused(store: &impl EventStore, batch: AppendBatch) -> AppendError {
    store.append(batch).await.expect_err("the append should be refused")
}

/// The whole log.
pub(crate) async fn log(store: &impl EventStore) -> EventPage {
    let mut log = EventPage::new();
    loop {
        let after = log.last().map_or(Position::START, |event| event.position);
        let page = store.read_all(after, 1000).await.expect("the log can be read");
        let end = page.len() < 1000;
        log.extend(page);
        if end {
            return log;
        }
    }
}

/// The next `count` events of a subscription.
pub(crate) async fn take(subscription: &mut EventStream, count: usize) -> EventPage {
    let mut taken = EventPage::new();
    while taken.len() < count {
        let page = within(subscription.next()).await.expect("a subscription does not end");
        let page = page.expect("a subscription can be read");
        assert!(!page.is_empty(), "a page of a subscription is never empty");
        taken.extend(page);
    }
    taken
}

/// Checks that events are those right after `after`, without a gap.
pub(crate) fn assert_dense(events: &[Arc<RecordedEvent>], after: Position) {
    let mut last = after;
    for event in events {
        assert_eq!(event.position, last.next(), "after position {last} comes {}", event.position);
        last = event.position;
    }
}

pub(crate) fn positions(events: &[Arc<RecordedEvent>]) -> Vec<u64> {
    events.iter().map(|event| event.position.get()).collect()
}

/// Fails the case instead of letting it hang.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("nothing came for 30 seconds")
}
