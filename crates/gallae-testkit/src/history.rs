//! Events as the log holds them.

use crate::{NOW, given::chain, metadata};
use gallae_core::{
    Aggregate, Event, EventId, EventSet, EventType, Id, Metadata, Position, Recorded, RecordedEvent,
    StoredMetadata, StreamId, Timestamp, Version, decode_into_set,
};
use gallae_memory::MemoryLog;
use gallae_ports::{AppendBatch, EventStore, Expected, NewEvent};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use uuid::Uuid;

/// What has happened, in order: positions and versions are counted, and each event is a second later than the one before
/// unless a time is named.
#[derive(Clone, Debug)]
#[must_use]
pub struct History {
    entries: Vec<Entry>,
    time: Timestamp,
    metadata: Arc<Metadata>,
}

/// One event, before it has its place.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) stream: StreamId,
    event_type: EventType,
    payload: Vec<u8>,
    id: EventId,
    time: Timestamp,
    metadata: Arc<Metadata>,
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

impl History {
    /// Nothing yet; the first event happens at [`NOW`].
    pub fn new() -> Self {
        Self { entries: Vec::new(), time: NOW, metadata: Arc::new(metadata()) }
    }

    /// The next event happens at this time.
    pub fn at(mut self, time: Timestamp) -> Self {
        self.time = time;
        self
    }

    /// The events from here on have this metadata.
    pub fn with(mut self, metadata: Metadata) -> Self {
        self.metadata = Arc::new(metadata);
        self
    }

    /// These events happen to this aggregate.
    ///
    /// # Panics
    /// When one of them cannot be written as JSON.
    #[track_caller]
    pub fn events<A: Aggregate>(mut self, id: Id<A>, events: impl IntoIterator<Item = A::Event>) -> Self {
        for event in events {
            let mut payload = Vec::new();
            if let Err(error) = event.encode(&mut payload) {
                panic!("{}", chain(&error));
            }
            self.entries.push(Entry {
                stream: id.stream(),
                event_type: event.event_type(),
                payload,
                id: EventId::new(Uuid::from_u128(self.entries.len() as u128 + 1)),
                time: self.time,
                metadata: Arc::clone(&self.metadata),
            });
            self.time = self.time.after(Duration::from_secs(1));
        }
        self
    }

    /// All events, as the log would hand them out.
    pub fn recorded(&self) -> Vec<Arc<RecordedEvent>> {
        place(&self.entries)
    }

    /// The events of a set, decoded.
    ///
    /// # Panics
    /// When one cannot be read.
    #[track_caller]
    pub fn of<S: EventSet>(&self) -> Vec<Recorded<S>> {
        self.recorded().iter().filter_map(read).collect()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Appends everything to a log.
    pub(crate) async fn write(&self, log: &MemoryLog) {
        let mut versions: BTreeMap<&StreamId, Version> = BTreeMap::new();
        for entry in &self.entries {
            let version = versions.entry(&entry.stream).or_default();
            let expected =
                if *version == Version::NONE { Expected::NoStream } else { Expected::Exact(*version) };
            *version = version.next();
            let event = NewEvent::new(entry.id, entry.event_type, entry.payload.clone().into());
            let batch = AppendBatch::new(entry.time, Arc::clone(&entry.metadata));
            if let Err(error) = log.append(batch.stream(entry.stream.clone(), expected, vec![event])).await {
                panic!("the history cannot be written: {}", chain(&error));
            }
        }
    }
}

/// Gives each event its version and position in this order.
pub(crate) fn place<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Arc<RecordedEvent>> {
    let mut versions: BTreeMap<&StreamId, Version> = BTreeMap::new();
    let mut position = Position::START;
    let mut recorded = Vec::new();
    for entry in entries {
        let version = versions.entry(&entry.stream).or_default();
        (*version, position) = (version.next(), position.next());
        let metadata = StoredMetadata::encode(Arc::clone(&entry.metadata));
        recorded.push(Arc::new(RecordedEvent {
            position,
            stream: entry.stream.clone(),
            version: *version,
            id: entry.id,
            event_type: entry.event_type.name.into(),
            schema_version: entry.event_type.version,
            time: entry.time,
            metadata,
            payload: entry.payload.clone().into(),
        }));
    }
    recorded
}

/// Reads an event if it is in the set.
#[track_caller]
pub(crate) fn read<S: EventSet>(event: &Arc<RecordedEvent>) -> Option<Recorded<S>> {
    decode_into_set(event).unwrap_or_else(|error| panic!("{}", chain(&error)))
}
