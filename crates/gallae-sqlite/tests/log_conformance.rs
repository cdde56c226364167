//! The log passes the suites of its ports.

mod support;

use gallae_conformance::{DurableHarness, Harness};
use gallae_core::Timestamp;
use gallae_memory::ManualClock;
use gallae_ports::EventStore;
use gallae_sqlite::{SqliteLog, SqliteOptions};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use uuid::Uuid;

/// Each case has a clock and directories of its own.
struct Log {
    clock: Arc<ManualClock>,
    directories: Mutex<HashMap<Uuid, TempDir>>,
}

impl Log {
    fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_micros(1_790_000_000_000_000));
        Self { clock: Arc::new(clock), directories: Mutex::default() }
    }

    fn open(&self, directory: TempDir) -> SqliteLog {
        let clock = Arc::<ManualClock>::clone(&self.clock);
        let log = SqliteLog::open(directory.path(), SqliteOptions { clock, ..support::options() }).unwrap();
        self.directories.lock().unwrap().insert(log.id(), directory);
        log
    }
}

impl Harness for Log {
    type Store = SqliteLog;

    async fn fresh(&self) -> SqliteLog {
        self.open(tempfile::tempdir().unwrap())
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

impl DurableHarness for Log {
    async fn reopen(&self, store: SqliteLog) -> SqliteLog {
        let directory = self.directories.lock().unwrap().remove(&store.id()).unwrap();
        drop(store);
        self.open(directory)
    }
}

gallae_conformance::event_store_suite!(Log::new());
gallae_conformance::event_store_durability_suite!(Log::new());
gallae_conformance::saga_store_suite!(Log::new());
gallae_conformance::snapshot_store_suite!(Log::new());
gallae_conformance::lease_store_suite!(Log::new());
gallae_conformance::dead_letter_store_suite!(Log::new());
gallae_conformance::credential_store_suite!(Log::new());
