//! What the batcher knows without asking the database.

use super::cache::Cache;
use gallae_core::{SagaId, StreamId};
use std::{collections::HashSet, sync::Arc};

/// Heads remembered: at about 150 bytes each, some 30 MB at most.
const HEADS: usize = 100_000;

/// Saga rows remembered.
const SAGAS: usize = 20_000;

/// Where a saga row stands: version and epoch.
pub(super) type SagaPlace = (u64, u64);

/// The log as of the last transaction that this process has seen succeed, and of the one in progress. Holds as long as the
/// counter's batch number is the one below: whoever else writes moves it on.
#[derive(Debug)]
pub(super) struct Known {
    /// The last position given out.
    pub(super) position: u64,
    /// The number of the last transaction of appends.
    pub(super) batch: u64,
    /// The last version of streams.
    pub(super) heads: Cache<StreamId, u64>,
    pub(super) sagas: Cache<SagaId, SagaPlace>,
    /// Shared names of event types.
    types: HashSet<Arc<str>>,
}

impl Known {
    pub(super) fn at(position: u64, batch: u64) -> Self {
        let (heads, sagas) = (Cache::new(HEADS), Cache::new(SAGAS));
        Self { position, batch, heads, sagas, types: HashSet::new() }
    }

    /// Forgets what may have changed.
    pub(super) fn restart(&mut self, position: u64, batch: u64) {
        self.position = position;
        self.batch = batch;
        self.heads = Cache::new(HEADS);
        self.sagas = Cache::new(SAGAS);
    }

    /// Lets go of what was not used lately.
    pub(super) fn age(&mut self) {
        self.heads.age();
        self.sagas.age();
    }

    /// The shared name of an event type: few are ever seen.
    pub(super) fn event_type(&mut self, name: &str) -> Arc<str> {
        if let Some(shared) = self.types.get(name) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = name.into();
        self.types.insert(Arc::clone(&shared));
        shared
    }
}
