//! How busy a thread that writes is.

use gallae_ports::{Pool, PoolRole};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What waits for a writer, and whether it is at work: counted by those who hand it work and by itself.
#[derive(Debug, Default)]
pub(crate) struct WriterLoad {
    waiting: AtomicUsize,
    busy: AtomicBool,
}

impl WriterLoad {
    /// A call was queued.
    pub(crate) fn queued(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// The writer took a call off its queue.
    pub(crate) fn taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// The writer begins or ends a transaction.
    pub(crate) fn at_work(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    pub(crate) fn figures(&self, name: &'static str) -> Pool {
        let in_use = usize::from(self.busy.load(Ordering::Relaxed));
        Pool::new(name, PoolRole::Write, 1, in_use, self.waiting.load(Ordering::Relaxed))
    }
}
