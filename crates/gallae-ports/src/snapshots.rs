//! Snapshots of aggregates: an optimisation that never changes a result.

use crate::{BoxFuture, StoreFault};
use bytes::Bytes;
use gallae_core::{StreamId, Version};

/// Keeps the newest snapshot of a stream. Losing one costs time, never truth.
pub trait SnapshotStore: Send + Sync + 'static {
    /// The snapshot of a stream, if there is one of this revision.
    fn snapshot(
        &self,
        stream: &StreamId,
        revision: u32,
    ) -> BoxFuture<'_, Result<Option<Snapshot>, StoreFault>>;

    /// Keeps a snapshot unless a newer one of the same revision is there. Need not be durable when it returns.
    fn save_snapshot(
        &self,
        stream: &StreamId,
        revision: u32,
        snapshot: Snapshot,
    ) -> BoxFuture<'_, Result<(), StoreFault>>;
}

/// The state of an aggregate at a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last event folded in.
    pub version: Version,
    /// JSON.
    pub state: Bytes,
}
