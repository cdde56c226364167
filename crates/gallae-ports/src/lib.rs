//! The traits between the runtime and what it runs on.
//!
//! A trait's documentation is its specification: an adapter does what it says, and `gallae-conformance` holds one suite
//! per port that every adapter passes unchanged. The traits are object safe and return boxed futures: one allocation for a
//! call that crosses a disk or a network, and no type parameter that travels through an application.
//!
//! Every call may be made from any task. Futures that are dropped do not undo what the call has begun.

mod append;
mod broker;
mod clock;
mod counters;
mod credentials;
mod cursors;
mod dead_letters;
mod event_store;
mod fault;
mod leases;
mod locks;
mod page_cursor;
mod partitions;
mod pools;
mod projections;
mod recent;
mod saga_store;
mod search;
mod shape;
mod snapshots;
pub mod text;
mod views;

pub use append::{
    AppendBatch, AppendError, Appended, Claim, Expected, Fence, Guard, IdempotencyRecord, InboxEntry,
    MAX_APPEND_BYTES, NewEvent, StreamAppend,
};
pub use broker::{Broker, BrokerError, Message, MessageStream};
pub use clock::{Clock, Entropy};
pub use counters::{COUNTER_BUCKET, CounterBatch, CounterBucket, CounterRange, CounterStore};
pub use credentials::{Credential, CredentialError, CredentialStore, RefreshToken, TokenUse};
pub use cursors::CursorStore;
pub use dead_letters::{DeadLetter, DeadLetterStore};
pub use event_store::{
    CheckDepth, CheckReport, EventPage, EventStore, EventStream, HeldClaim, Log, ReadError, StreamInfo,
};
pub use fault::StoreFault;
pub use leases::{Lease, LeaseStore};
pub use locks::{LockGrant, LockRefusal, LockService, LockState};
pub use page_cursor::PageCursor;
pub use partitions::{PARTITIONS, Partitions};
pub use pools::{Pool, PoolRole, Pools};
pub use projections::{ApplyError, Generation, ProjectionSpec, ProjectionStore, Slot, SlotState};
pub use recent::RecentEvents;
pub use saga_store::{
    DueTimers, EarlyMessage, EarlyWrite, EffectRow, EffectState, LiveVersion, SagaCount, SagaFilter, SagaRow,
    SagaStore, SagaWrite, TimerKind, TimerRow, TimerWrite,
};
pub use search::{Highlight, SearchBatch, SearchHit, SearchPage, SearchQuery, SearchRow, SearchStore};
pub use shape::{Kind, Mismatch, Shape};
pub use snapshots::{Snapshot, SnapshotStore};
pub use views::{
    Comparison, Condition, Order, Paging, StoredView, ViewBatch, ViewPage, ViewQuery, ViewRow, ViewStore,
};

/// What every port returns: a future that can be held, sent and raced.
pub type BoxFuture<'a, T> = futures::future::BoxFuture<'a, T>;
