//! What the tests of the log share.
#![allow(dead_code, reason = "each test uses a part of it")]

use bytes::Bytes;
use gallae_core::{Actor, EventId, Metadata, Position, RecordedEvent, StreamId, Timestamp};
use gallae_ports::{AppendBatch, Clock, Entropy, EventStore, Expected, NewEvent};
use gallae_runtime::{SystemClock, SystemEntropy};
use gallae_sqlite::{OpenError, SqliteLog, SqliteOptions};
use std::{borrow::Cow, path::Path, sync::Arc};
use uuid::Uuid;

pub(crate) fn options() -> SqliteOptions {
    SqliteOptions {
        node: "node-1".to_owned(),
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(SystemEntropy),
    }
}

pub(crate) fn try_open(directory: &Path) -> Result<SqliteLog, OpenError> {
    SqliteLog::open(directory, options())
}

pub(crate) fn open(directory: &Path) -> SqliteLog {
    try_open(directory).unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

pub(crate) fn new_uuid() -> Uuid {
    SystemEntropy.uuid()
}

pub(crate) fn now() -> Timestamp {
    SystemClock::new().now()
}

pub(crate) fn stream(name: &str) -> StreamId {
    name.parse().unwrap()
}

pub(crate) fn event(payload: impl Into<Bytes>) -> NewEvent {
    NewEvent {
        id: EventId::new(new_uuid()),
        event_type: Cow::Borrowed("ThingHappened"),
        schema_version: 1,
        payload: payload.into(),
    }
}

/// A batch with a correlation of its own.
pub(crate) fn batch() -> AppendBatch {
    correlated(&new_uuid().to_string())
}

pub(crate) fn correlated(correlation: &str) -> AppendBatch {
    let metadata = Metadata::new(correlation.parse().unwrap(), Actor::System("test".into()), "node-1");
    AppendBatch::new(now(), Arc::new(metadata))
}

/// One event for one stream.
pub(crate) fn one(name: &str, expected: Expected, payload: &str) -> AppendBatch {
    batch().stream(stream(name), expected, vec![event(payload.to_owned())])
}

/// Every event of the log.
pub(crate) async fn everything(log: &SqliteLog) -> Vec<Arc<RecordedEvent>> {
    let mut all: Vec<Arc<RecordedEvent>> = Vec::new();
    loop {
        let after = all.last().map_or(Position::START, |event| event.position);
        let page = log.read_all(after, 1_000).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// What two readings of the same event have in common.
pub(crate) fn told(event: &RecordedEvent) -> String {
    format!(
        "{} {} {} {} {} v{} {} {:?} {:?}",
        event.position,
        event.stream,
        event.version,
        event.id,
        event.event_type,
        event.schema_version,
        event.time,
        event.metadata.bytes(),
        event.payload
    )
}
