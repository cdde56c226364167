//! Events: what happened, typed for the domain and encoded for the log.

use crate::{
    EventId, Id, InvalidMetadata, Metadata, Position, StreamId, Timestamp, Upcaster, Version,
    aggregate::Aggregate, metadata,
};
use bytes::Bytes;
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// The stable name of an event and the version of its payload's schema, such as `OrderCreated` v1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType {
    /// Unique across the whole platform, in the past tense.
    pub name: &'static str,
    /// Counts up from 1 with each change of the payload's shape.
    pub version: u32,
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}

/// The events of one aggregate: an enum, so that replay must handle every one. Usually derived:
///
/// ```
/// #[derive(Clone, Debug, PartialEq, gallae_core::Event)]
/// enum DoorEvent {
///     #[event(name = "DoorOpened", version = 1)]
///     Opened { by: String },
///     #[event(name = "DoorClosed", version = 1)]
///     Closed,
/// }
/// ```
///
/// The payload holds the variant's fields alone; name and schema version travel beside it.
pub trait Event: Clone + PartialEq + fmt::Debug + Send + Sync + 'static {
    /// Every event type of this enum, at the version now written.
    const TYPES: &'static [EventType];

    /// The type of this event.
    fn event_type(&self) -> EventType;

    /// Appends the payload as JSON.
    fn encode(&self, payload: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Reads the payload of the event called `name`, written at the current schema version.
    ///
    /// # Errors
    /// [`DecodeError::UnknownType`] when this enum has no such event, [`DecodeError::Payload`] when the bytes do not fit.
    fn decode(name: &str, payload: &[u8]) -> Result<Self, DecodeError>;

    /// The steps that lift payloads of older schema versions, one version at a time.
    fn upcasters() -> &'static [Upcaster] {
        &[]
    }
}

/// Events of one or several aggregates, as a projection or a saga's trigger wants them. Every [`Event`] is one; an enum
/// over several is derived with `#[derive(EventSet)]`.
pub trait EventSet: Clone + fmt::Debug + Send + Sync + Sized + 'static {
    /// Every event type in the set.
    fn types() -> Vec<EventType>;

    /// Reads an event of any schema version, or `None` when it is not in the set.
    ///
    /// # Errors
    /// [`DecodeError`] when the event is in the set and its bytes do not fit.
    fn read(name: &str, schema_version: u32, payload: &[u8]) -> Result<Option<Self>, DecodeError>;
}

impl<E: Event> EventSet for E {
    fn types() -> Vec<EventType> {
        E::TYPES.to_vec()
    }

    fn read(name: &str, schema_version: u32, payload: &[u8]) -> Result<Option<Self>, DecodeError> {
        match crate::decode::<E>(name, schema_version, payload) {
            Ok(event) => Ok(Some(event)),
            Err(DecodeError::UnknownType { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// An event could not be written as JSON: a fault of the event's own `Serialize`.
#[derive(Debug, thiserror::Error)]
#[error("event {event_type} cannot be written as JSON")]
pub struct EncodeError {
    /// Which event.
    pub event_type: EventType,
    /// What its serialiser said.
    pub source: serde_json::Error,
}

/// A stored event could not be read. Nothing is lost: the bytes stay in the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No event of this name is known here.
    #[error("no event called {name:?} is known here")]
    UnknownType {
        /// The name found.
        name: String,
    },
    /// The payload was written by a newer release.
    #[error(
        "{name} was written at schema version {found}, this release reads up to {known}: upgrade this node"
    )]
    NewerSchema {
        /// The event's name.
        name: String,
        /// The version found.
        found: u32,
        /// The newest version read here.
        known: u32,
    },
    /// An older payload has no way up to the current version.
    #[error("{name} v{from} has no upcaster to v{to}: add one to the event's definition")]
    NoUpcaster {
        /// The event's name.
        name: String,
        /// The version that cannot be lifted.
        from: u32,
        /// The version wanted.
        to: u32,
    },
    /// The bytes are not the JSON expected.
    #[error("the payload of {name} does not fit its type")]
    Payload {
        /// The event's name.
        name: String,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The stored metadata is damaged, or of a newer release.
    #[error("the metadata of an event cannot be read")]
    Metadata(#[source] InvalidMetadata),
}

/// An event as the log holds it: every field of the envelope, the payload still bytes.
#[derive(Clone, Debug)]
pub struct RecordedEvent {
    /// Place in the whole log, dense.
    pub position: Position,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// Place in that stream.
    pub version: Version,
    /// Made by the writer.
    pub id: EventId,
    /// The event's stable name.
    pub event_type: Arc<str>,
    /// The version of the payload's schema.
    pub schema_version: u32,
    /// When it was decided, by the writer's clock.
    pub time: Timestamp,
    /// Correlation, causation, actor, node, trace.
    pub metadata: StoredMetadata,
    /// JSON.
    pub payload: Bytes,
}

/// Metadata as stored, parsed when first asked for: most readers of the log never ask.
#[derive(Clone, Debug)]
pub struct StoredMetadata {
    bytes: Bytes,
    parsed: OnceLock<Arc<Metadata>>,
}

impl StoredMetadata {
    /// From the bytes a store holds.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self { bytes, parsed: OnceLock::new() }
    }

    /// From metadata about to be stored.
    pub fn encode(metadata: Arc<Metadata>) -> Self {
        let bytes = Bytes::from(metadata::write(&metadata));
        Self { bytes, parsed: OnceLock::from(metadata) }
    }

    /// The bytes as stored.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The metadata itself.
    ///
    /// # Errors
    /// [`DecodeError::Metadata`] when the stored bytes are not metadata.
    pub fn get(&self) -> Result<&Arc<Metadata>, DecodeError> {
        if self.parsed.get().is_none() {
            let metadata = metadata::read(&self.bytes).map_err(DecodeError::Metadata)?;
            // Two readers may parse at once; both get equal values and one is kept.
            let _ = self.parsed.set(Arc::new(metadata));
        }
        Ok(self.parsed.get_or_init(|| unreachable!("set just above")))
    }
}

/// A typed event together with its envelope.
#[derive(Clone, Debug)]
pub struct Recorded<E> {
    /// The event, typed.
    pub event: E,
    /// Where, when and by whom it was recorded.
    pub envelope: Arc<RecordedEvent>,
}

impl<E> Recorded<E> {
    /// The stream it belongs to.
    pub fn stream(&self) -> &StreamId {
        &self.envelope.stream
    }

    /// Place in its stream.
    pub fn version(&self) -> Version {
        self.envelope.version
    }

    /// Place in the whole log.
    pub fn position(&self) -> Position {
        self.envelope.position
    }

    /// When it was decided.
    pub fn time(&self) -> Timestamp {
        self.envelope.time
    }

    /// The aggregate whose stream this is, when it is one of type `A`.
    pub fn id<A: Aggregate>(&self) -> Option<Id<A>> {
        self.envelope.stream.id()
    }
}
