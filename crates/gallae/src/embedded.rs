//! Stores that need no service.

use gallae_memory::MemoryLog;
use gallae_ports::Entropy;
use gallae_runtime::{SystemClock, SystemEntropy};
use gallae_sqlite::{OpenError, SqliteLog, SqliteOptions, views::SqliteViews};
use std::{fmt, path::Path, sync::Arc};

/// A log that is gone when the process ends: for a first try and for tests.
pub fn in_memory() -> Arc<MemoryLog> {
    Arc::new(MemoryLog::new(SystemEntropy.uuid(), Arc::new(SystemClock::new())))
}

/// A log and its views in one folder, durable, for one process at a time.
#[derive(Clone)]
pub struct Embedded {
    /// The log, and everything that commits with it.
    pub log: Arc<SqliteLog>,
    /// Views, search and counters.
    pub views: Arc<SqliteViews>,
}

impl Embedded {
    /// Opens the folder, making it if it is not there.
    ///
    /// # Errors
    /// When another process holds it, it was written by a newer release, or the disk refuses.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, OpenError> {
        let options = SqliteOptions {
            node: "node-1".to_owned(),
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy),
        };
        let log = Arc::new(SqliteLog::open(&folder, options)?);
        let views = Arc::new(SqliteViews::open(folder)?);
        Ok(Self { log, views })
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}
