//! Snapshots of aggregates with long streams.

use super::{Dispatcher, execute::Part, registry::SNAPSHOT_EVERY};
use crate::supervisor::error_chain;
use gallae_core::StreamId;
use gallae_ports::Snapshot;
use std::sync::Arc;

impl Dispatcher {
    /// Snapshots of the states that have come far enough since their last one.
    pub(super) fn due_snapshots(&self, parts: &mut [Part]) -> Vec<(StreamId, u32, Snapshot)> {
        let due = |part: &mut Part| {
            let loaded = part.slot.as_mut()?;
            let since = loaded.version.get() - loaded.snapshot_version.get();
            if since < SNAPSHOT_EVERY || part.events.is_empty() {
                return None;
            }
            let revision = self.inner.types.get(part.aggregate)?.snapshot_revision;
            let state = loaded.state.to_json().ok()?.into();
            loaded.snapshot_version = loaded.version;
            Some((part.stream.clone(), revision, Snapshot { version: loaded.version, state }))
        };
        parts.iter_mut().filter_map(due).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "a snapshot is worth no waiting and may be lost")]
    /// Keeps snapshots once what they hold is durable.
    pub(super) fn save_snapshots(&self, snapshots: Vec<(StreamId, u32, Snapshot)>) {
        for (stream, revision, snapshot) in snapshots {
            let store = Arc::clone(&self.inner.snapshots);
            tokio::spawn(async move {
                if let Err(fault) = store.save_snapshot(&stream, revision, snapshot).await {
                    tracing::warn!(%stream, error = error_chain(&fault), "a snapshot was not saved; the next one will be");
                }
            });
        }
    }
}
