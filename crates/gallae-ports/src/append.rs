//! One durable commit: what it may hold, and how it may fail.

use crate::{EarlyWrite, EffectRow, SagaWrite, StoreFault, TimerWrite};
use bytes::Bytes;
use gallae_core::{EventId, EventType, Metadata, Position, SagaId, StreamId, Timestamp, Version};
use std::{borrow::Cow, sync::Arc};

/// The largest batch accepted, counting payloads and idempotent responses: 1 MB.
pub const MAX_APPEND_BYTES: usize = 1_000_000;

/// Everything that one transaction writes. All of it becomes durable, or none.
#[derive(Clone, Debug)]
pub struct AppendBatch {
    /// The time of every event in the batch, by the writer's clock. Claims expire against it.
    pub time: Timestamp,
    /// Shared by every event in the batch.
    pub metadata: Arc<Metadata>,
    /// Streams written; each at most once.
    pub streams: Vec<StreamAppend>,
    /// Streams read by the decision and not written.
    pub guards: Vec<Guard>,
    /// Unique keys taken or given back.
    pub claims: Vec<Claim>,
    /// Makes the whole batch happen at most once per key.
    pub idempotency: Option<IdempotencyRecord>,
    /// Saga instances inserted or moved on.
    pub sagas: Vec<SagaWrite>,
    /// Timers set or removed.
    pub timers: Vec<TimerWrite>,
    /// Messages that must not be applied twice.
    pub inbox: Vec<InboxEntry>,
    /// Effects inserted or moved on, by effect key.
    pub effects: Vec<EffectRow>,
    /// Messages for instances that have not begun, kept or removed.
    pub early: Vec<EarlyWrite>,
    /// The lease that must still be held.
    pub fence: Option<Fence>,
}

impl AppendBatch {
    /// A batch that writes nothing yet.
    pub fn new(time: Timestamp, metadata: Arc<Metadata>) -> Self {
        Self {
            time,
            metadata,
            streams: Vec::new(),
            guards: Vec::new(),
            claims: Vec::new(),
            idempotency: None,
            sagas: Vec::new(),
            timers: Vec::new(),
            inbox: Vec::new(),
            effects: Vec::new(),
            early: Vec::new(),
            fence: None,
        }
    }

    /// Adds events to a stream.
    #[must_use]
    pub fn stream(mut self, stream: StreamId, expected: Expected, events: Vec<NewEvent>) -> Self {
        self.streams.push(StreamAppend { stream, expected, events });
        self
    }

    /// The bytes that count against [`MAX_APPEND_BYTES`].
    pub fn size(&self) -> usize {
        let events = self.streams.iter().flat_map(|append| &append.events);
        let payloads: usize = events.map(|event| event.payload.len()).sum();
        payloads + self.idempotency.as_ref().map_or(0, |record| record.response.len())
    }

    /// Checks what every store refuses before it looks at its data.
    ///
    /// # Errors
    /// [`AppendError::TooLarge`] or [`AppendError::Invalid`].
    pub fn validate(&self) -> Result<(), AppendError> {
        let size = self.size();
        if size > MAX_APPEND_BYTES {
            return Err(AppendError::TooLarge { size, limit: MAX_APPEND_BYTES });
        }
        for (index, append) in self.streams.iter().enumerate() {
            if self.streams[..index].iter().any(|earlier| earlier.stream == append.stream) {
                return Err(AppendError::Invalid { reason: "a stream is written twice in one batch" });
            }
            if append.expected == Expected::Any && self.idempotency.is_none() {
                return Err(AppendError::Invalid {
                    reason: "an append at any version needs an idempotency record: without one an unknown outcome could not be resolved",
                });
            }
        }
        Ok(())
    }
}

/// Events for one stream.
#[derive(Clone, Debug)]
pub struct StreamAppend {
    /// Which stream.
    pub stream: StreamId,
    /// Where it must stand before.
    pub expected: Expected,
    /// In order. None at all makes this a guard.
    pub events: Vec<NewEvent>,
}

/// An event about to be written.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Made by the caller (UUIDv7), and kept for a retry.
    pub id: EventId,
    /// Stable name.
    pub event_type: Cow<'static, str>,
    /// Version of the payload's schema.
    pub schema_version: u32,
    /// JSON.
    pub payload: Bytes,
}

impl NewEvent {
    /// An event of a type known to the program.
    pub fn new(id: EventId, event_type: EventType, payload: Bytes) -> Self {
        let EventType { name, version } = event_type;
        Self { id, event_type: Cow::Borrowed(name), schema_version: version, payload }
    }
}

/// Where a stream must stand for an append to happen. There is no default: the caller always chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It has no events. Stores may skip reading its head.
    NoStream,
    /// Its last event has this version.
    Exact(Version),
    /// Anywhere. Only together with an idempotency record.
    Any,
}

impl Expected {
    /// Whether a stream whose last version is `actual` satisfies this.
    pub fn accepts(self, actual: Version) -> bool {
        match self {
            Self::NoStream => actual == Version::NONE,
            Self::Exact(version) => actual == version,
            Self::Any => true,
        }
    }
}

/// A stream that must stand at a version but is not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Which stream.
    pub stream: StreamId,
    /// Where it must stand; never [`Expected::Any`].
    pub expected: Expected,
}

/// A change to a unique key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Take the key. Succeeds when it is free, expired at the batch's time, or already the owner's (which renews it).
    Take {
        /// Unique across the store.
        key: String,
        /// Named in the conflict that others get.
        owner: String,
        /// Until when; for ever if absent.
        expires_at: Option<Timestamp>,
    },
    /// Give the key back. Does nothing when the owner does not hold it.
    Release {
        /// The key.
        key: String,
        /// Who held it.
        owner: String,
    },
}

/// A record that makes a request happen once: stored with its effect, replayed afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Scope and key, such as `user:…|POST|/orders|k-1`; unique across the store.
    pub key: String,
    /// Identifies the content of the request.
    pub fingerprint: String,
    /// The answer to replay.
    pub response: Bytes,
    /// The record may be dropped after this.
    pub expires_at: Timestamp,
}

/// A message that a consumer must not apply twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    /// Who applies it.
    pub consumer: String,
    /// Which message.
    pub message_id: String,
}

/// A lease that must still be held at this epoch when the batch commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The lease's name.
    pub lease: String,
    /// The epoch under which the writer holds it.
    pub epoch: u64,
}

/// A batch that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The position of the batch's last event; the head of the log when it has none. The token that clients hand back.
    pub position: Position,
    /// The last version of each of the batch's streams, in their order; where it stands, for one without events.
    pub versions: Vec<Version>,
    /// Whether the batch had been written before: this call was the retry of an unknown outcome.
    pub replayed: bool,
}

/// Why a batch was not acknowledged, by consequence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A stream stands elsewhere. Nothing was written; load, decide and append again.
    #[error("{stream} stands at version {actual}, not where the append expected it ({expected:?})")]
    Conflict {
        /// Which stream.
        stream: StreamId,
        /// Where the batch wanted it.
        expected: Expected,
        /// Where it is; [`Version::NONE`] if it does not exist.
        actual: Version,
    },
    /// Somebody else holds a unique key. Nothing was written.
    #[error("{key} is held by {owner}")]
    ClaimTaken {
        /// The key.
        key: String,
        /// Who holds it.
        owner: String,
        /// Until when.
        expires_at: Option<Timestamp>,
    },
    /// The idempotency key has been used. Nothing was written now; the record says what was answered then.
    #[error("the idempotency key {:?} has been used", .0.key)]
    Duplicate(IdempotencyRecord),
    /// A message had been applied. Nothing was written.
    #[error("{consumer} has applied message {message_id} before")]
    InboxDuplicate {
        /// Who applied it.
        consumer: String,
        /// Which message.
        message_id: String,
    },
    /// A saga row stands elsewhere, or under a newer epoch. Nothing was written; load it again.
    #[error("saga {saga} was moved on by somebody else")]
    SagaConflict {
        /// Which instance.
        saga: SagaId,
    },
    /// The lease is held under another epoch. Nothing was written; stop this work.
    #[error("the lease {lease} is no longer held at epoch {epoch}")]
    Fenced {
        /// The lease.
        lease: String,
        /// The epoch that the writer believed in.
        epoch: u64,
    },
    /// Nothing was written; the batch can never be.
    #[error("the batch holds {size} bytes, more than the {limit} that one append may carry")]
    TooLarge {
        /// Bytes in the batch.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Nothing was written; the batch can never be.
    #[error("the batch is not valid: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing was written; try again later.
    #[error("the store is unavailable; nothing was written")]
    Unavailable(#[source] StoreFault),
    /// The batch may have been written. Retry the same batch, ids and all: that resolves it to one outcome.
    #[error("the store failed during the commit; the batch may have been written, retry it unchanged")]
    Indeterminate(#[source] StoreFault),
}
