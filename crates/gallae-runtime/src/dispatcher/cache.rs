//! Aggregates in memory.

use gallae_core::{AnyState, StreamId, Version};
use lru::LruCache;
use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

/// Aggregates kept at once, over all shards.
const CAPACITY: usize = 8 * 1024;
const SHARDS: usize = 16;

/// The aggregates used last. Two slots may exist for one stream after an eviction; versions keep them honest.
pub(super) struct Cache {
    shards: Vec<Mutex<LruCache<StreamId, Slot>>>,
    hasher: RandomState,
}

/// The place of one aggregate. Its lock is fair: commands are decided, and queued at the store, in the order of arrival.
pub(super) type Slot = Arc<tokio::sync::Mutex<Option<Loaded>>>;

/// An aggregate after everything that was appended to it, committed or still in flight.
pub(super) struct Loaded {
    pub(super) state: Box<dyn AnyState>,
    pub(super) version: Version,
    pub(super) snapshot_version: Version,
}

impl Cache {
    pub(super) fn new() -> Self {
        let capacity = NonZeroUsize::new(CAPACITY / SHARDS).unwrap_or(NonZeroUsize::MIN);
        let shards = (0..SHARDS).map(|_| Mutex::new(LruCache::new(capacity))).collect();
        Self { shards, hasher: RandomState::new() }
    }

    pub(super) fn slot(&self, stream: &StreamId) -> Slot {
        let shard = &self.shards[self.hasher.hash_one(stream) as usize % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = shard.get(stream) {
            return Arc::clone(slot);
        }
        let slot = Slot::default();
        shard.put(stream.clone(), Arc::clone(&slot));
        slot
    }
}
