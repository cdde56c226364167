//! The log.

use crate::{AppendBatch, AppendError, Appended, BoxFuture, IdempotencyRecord, StoreFault};
use futures::stream::BoxStream;
use gallae_core::{CorrelationId, Position, RecordedEvent, StreamId, Timestamp, Version};
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// Consecutive events, never empty when it comes out of a subscription.
pub type EventPage = Vec<Arc<RecordedEvent>>;

/// An endless sequence of pages.
pub type EventStream = BoxStream<'static, Result<EventPage, ReadError>>;

/// The append-only log, and everything that commits together with it.
///
/// ```text
///             position   1      2      3      4      5      6 → head
///                      ┌──────┬──────┬──────┬──────┬──────┬──────┐
///  the log             │ a v1 │ b v1 │ a v2 │ a v3 │ c v1 │ b v2 │   dense: no gap, ever
///                      └──────┴──────┴──────┴──────┴──────┴──────┘
///  stream a  versions    1             2      3                        contiguous
/// ```
///
/// * **All or nothing.** A batch is durable as a whole when `append` returns, or no part of it is.
/// * **Dense, in order.** Positions are 1, 2, 3 … in commit order. Whoever has read position *n* has read, or can read,
///   everything before it: nothing appears later at a lower position.
/// * **Submission order.** Batches are taken in the order in which `append` was *called* on this handle, so a batch may expect a
///   version that an earlier, unacknowledged one will write. If the earlier one fails, the later one gets a conflict.
/// * **Neighbours.** Batches may be committed together; one that is refused never fails another.
/// * **Unknown outcomes.** After [`AppendError::Indeterminate`] the caller appends the same batch again. A store finds that the
///   batch's first event already stands at its (stream, version) with the same id and answers with the original
///   positions and `replayed`; another id there is a conflict; nothing there is a new write. A first event for *any* version
///   is looked for where the batch that left the idempotency record began. This check comes before every other refusal.
/// * **Records.** Idempotency, claims, inbox, saga rows, timers, effects and the fence are checked and written in the same
///   transaction as the events.
pub trait EventStore: Send + Sync + 'static {
    /// Made when the store was created; part of effect keys and lock names.
    fn id(&self) -> Uuid;

    /// Writes a batch. Queued when called, not when polled. A batch that writes nothing succeeds at the present head.
    ///
    /// # Errors
    /// By consequence; see [`AppendError`].
    fn append(&self, batch: AppendBatch) -> BoxFuture<'static, Result<Appended, AppendError>>;

    /// The position of the last event that readers can see.
    fn head(&self) -> BoxFuture<'_, Result<Position, StoreFault>>;

    /// The last committed version of a stream; [`Version::NONE`] if it does not exist.
    fn stream_head(&self, stream: &StreamId) -> BoxFuture<'_, Result<Version, StoreFault>>;

    /// At most `limit` events of a stream after `after`, in order. Fewer than `limit` means its end.
    fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> BoxFuture<'_, Result<EventPage, ReadError>>;

    /// At most `limit` events of the log after `after`, in order. Fewer than `limit` means the head.
    ///
    /// # Errors
    /// [`ReadError::Gap`] when positions are not dense: the log is damaged.
    fn read_all(&self, after: Position, limit: usize) -> BoxFuture<'_, Result<EventPage, ReadError>>;

    /// At most `limit` events of one business flow after `after`, in position order.
    fn read_correlation(
        &self,
        correlation: &CorrelationId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<EventPage, ReadError>>;

    /// Every event after `after`: first what is there, then what comes. Never skips, never repeats, never reorders;
    /// holds at most a page in memory for a slow reader; is woken by commits and does not need to be. The stream owns
    /// what it needs and outlives this handle's borrow. It ends only after an error.
    ///
    /// # Errors
    /// [`ReadError::Regressed`] when the log's head is before `after`.
    fn subscribe(&self, after: Position) -> EventStream;

    /// Streams whose name starts with `prefix`, by name, after `after`.
    fn list_streams(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StreamInfo>, StoreFault>>;

    /// The idempotency record with this key, if it has not expired at `now`.
    fn idempotency(
        &self,
        key: &str,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<IdempotencyRecord>, StoreFault>>;

    /// Who holds a unique key at `now`.
    fn claim(&self, key: &str, now: Timestamp) -> BoxFuture<'_, Result<Option<HeldClaim>, StoreFault>>;

    /// Deletes idempotency records, claims, inbox entries and early messages that expired before `now`, at most `limit` of each;
    /// says how many.
    /// Inbox entries older than a week are expired.
    fn purge(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreFault>>;

    /// Looks for damage.
    fn check(&self, depth: CheckDepth) -> BoxFuture<'_, Result<CheckReport, StoreFault>>;

    /// A trivial round trip through the writer; the health of commands.
    fn ping(&self) -> BoxFuture<'_, Result<Duration, StoreFault>>;
}

/// A stream in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name.
    pub stream: StreamId,
    /// Its last version.
    pub version: Version,
}

/// A unique key that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldClaim {
    /// Who holds it.
    pub owner: String,
    /// Until when; for ever if absent.
    pub expires_at: Option<Timestamp>,
}

/// How far [`EventStore::check`] looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckDepth {
    /// The last thousand events: at every start, in milliseconds.
    Tail,
    /// Every event, every head, every index.
    Full,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// Events looked at.
    pub events: u64,
    /// One sentence per damage; empty if sound.
    pub damage: Vec<String>,
}

/// Why events could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Try again later.
    #[error("the store is unavailable for reading")]
    Unavailable(#[source] StoreFault),
    /// Positions or versions are not dense: the log is damaged. Stop, and run the full check.
    #[error("the log is damaged: after position {after} comes {found}")]
    Gap {
        /// The last position read.
        after: Position,
        /// The next one found.
        found: Position,
    },
    /// The log ends before the position asked for: its tail was lost, or the position belongs to another log.
    #[error("the log ends at {head}, before the position asked for ({after})")]
    Regressed {
        /// The position asked for.
        after: Position,
        /// The head.
        head: Position,
    },
}

/// A database that carries the log and everything that commits or lives beside it.
pub trait Log:
    EventStore
    + crate::SagaStore
    + crate::SnapshotStore
    + crate::LeaseStore
    + crate::DeadLetterStore
    + crate::CursorStore
{
}

impl<T> Log for T where
    T: EventStore
        + crate::SagaStore
        + crate::SnapshotStore
        + crate::LeaseStore
        + crate::DeadLetterStore
        + crate::CursorStore
{
}
