//! The newest snapshot of each stream.

use super::{MemoryLog, ready};
use gallae_core::StreamId;
use gallae_ports::{BoxFuture, Snapshot, SnapshotStore, StoreFault};
use std::collections::BTreeMap;

/// One per stream, with its revision.
pub(super) type Snapshots = BTreeMap<StreamId, (u32, Snapshot)>;

impl SnapshotStore for MemoryLog {
    fn snapshot(
        &self,
        stream: &StreamId,
        revision: u32,
    ) -> BoxFuture<'_, Result<Option<Snapshot>, StoreFault>> {
        let state = self.state();
        let kept = state.snapshots.get(stream).filter(|(kept, _)| *kept == revision);
        ready(kept.map(|(_, snapshot)| snapshot.clone()))
    }

    fn save_snapshot(
        &self,
        stream: &StreamId,
        revision: u32,
        snapshot: Snapshot,
    ) -> BoxFuture<'_, Result<(), StoreFault>> {
        let mut state = self.state();
        let newer = state
            .snapshots
            .get(stream)
            .is_some_and(|(kept, other)| *kept == revision && other.version > snapshot.version);
        if !newer {
            state.snapshots.insert(stream.clone(), (revision, snapshot));
        }
        ready(())
    }
}
