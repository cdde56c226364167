//! The newest events in memory, shared by every live reader of one process.

use gallae_core::{Position, RecordedEvent};
use std::{
    collections::VecDeque,
    sync::{Arc, RwLock},
};

/// A bounded run of the log's last events. A writer adds what it has just made durable; readers at the head take their
/// events from here instead of from disk, readers behind it read the store.
#[derive(Debug)]
pub struct RecentEvents {
    inner: RwLock<Inner>,
    max_events: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    events: VecDeque<Arc<RecordedEvent>>,
    bytes: usize,
}

impl RecentEvents {
    /// Keeps at most `max_events` events and `max_bytes` of payload.
    pub fn new(max_events: usize, max_bytes: usize) -> Self {
        Self { inner: RwLock::default(), max_events, max_bytes }
    }

    /// Adds events that follow those held; a gap drops what was held, so a reader never sees across it.
    pub fn push(&self, events: impl IntoIterator<Item = Arc<RecordedEvent>>) {
        let mut inner = self.inner.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        for event in events {
            if inner.events.back().is_some_and(|last| last.position.next() != event.position) {
                *inner = Inner::default();
            }
            inner.bytes += event.payload.len();
            inner.events.push_back(event);
        }
        while inner.events.len() > self.max_events || inner.bytes > self.max_bytes {
            let Some(dropped) = inner.events.pop_front() else { break };
            inner.bytes -= dropped.payload.len();
        }
    }

    /// At most `limit` events after `after`, or `None` when the first of them is no longer, or not yet, held.
    pub fn after(&self, after: Position, limit: usize) -> Option<Vec<Arc<RecordedEvent>>> {
        let inner = self.inner.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        let first = inner.events.front()?.position;
        let skip = after.next().get().checked_sub(first.get())? as usize;
        if skip >= inner.events.len() {
            return None;
        }
        Some(inner.events.range(skip..).take(limit).cloned().collect())
    }
}
