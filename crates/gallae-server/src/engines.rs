//! The engines of a profile, opened.

use gallae_memory::{MemoryBroker, MemoryLocks};
use gallae_ports::{Clock, Entropy};
use gallae_runtime::{SystemClock, SystemEntropy};
pub use gallae_sqlite::OpenError as EnginesError;
use gallae_sqlite::{SqliteLog, SqliteOptions, views::SqliteViews};
use std::{path::Path, sync::Arc};

/// Messages of each topic that are held for a slow subscriber.
const BROKER_CAPACITY: usize = 4_096;

/// The engines of the embedded profile: everything in this process and one folder.
#[derive(Clone, Debug)]
pub struct Engines {
    /// The log and everything that commits with it.
    pub log: Arc<SqliteLog>,
    /// Views, search and counters.
    pub views: Arc<SqliteViews>,
    /// Where the relay publishes to.
    pub broker: Arc<MemoryBroker>,
    /// Locks for efficiency.
    pub locks: Arc<MemoryLocks>,
    /// The machine's time.
    pub clock: Arc<dyn Clock>,
    /// The machine's chance.
    pub entropy: Arc<dyn Entropy>,
}

impl Engines {
    /// Opens, and if need be makes, the stores in `directory`. Blocks for the time of a few disk reads.
    ///
    /// # Errors
    /// When the directory is in use, cannot be written, is damaged, or was written by a newer release.
    pub fn embedded(directory: &Path, node: &str) -> Result<Self, EnginesError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let options =
            SqliteOptions { node: node.to_owned(), clock: Arc::clone(&clock), entropy: Arc::clone(&entropy) };
        // The log holds the directory's lock, so it is opened first.
        let log = Arc::new(SqliteLog::open(directory, options)?);
        let views = Arc::new(SqliteViews::open(directory)?);
        let broker = Arc::new(MemoryBroker::new(BROKER_CAPACITY));
        let locks = Arc::new(MemoryLocks::new(Arc::clone(&clock), Arc::clone(&entropy)));
        Ok(Self { log, views, broker, locks, clock, entropy })
    }
}
