//! The engines of a profile, opened.

use crate::config::{BehindThen, PlatformSettings, Postgres as PostgresSettings, Profile};
use gallae_memory::{MemoryBroker, MemoryLocks};
use gallae_ports::{
    Broker, Clock, CounterStore, CredentialStore, Entropy, LockService, Log, Pools, SearchStore, ViewStore,
};
use gallae_postgres::{
    Postgres, Settings,
    views::{Behind, PostgresViews, Then},
};
use gallae_runtime::{SystemClock, SystemEntropy};
use gallae_sqlite::{SqliteLog, SqliteOptions, views::SqliteViews};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Messages of each topic that are held for a slow subscriber.
const BROKER_CAPACITY: usize = 4_096;

/// The engines of a profile, behind their ports: what uses them does not know where it runs.
#[derive(Clone)]
pub struct Engines {
    /// The log and everything that commits with it.
    pub log: Arc<dyn Log>,
    /// What people log in with.
    pub credentials: Arc<dyn CredentialStore>,
    /// Views.
    pub views: Arc<dyn ViewStore>,
    /// Search.
    pub search: Arc<dyn SearchStore>,
    /// Counters.
    pub counters: Arc<dyn CounterStore>,
    /// Where the relay publishes to.
    pub broker: Arc<dyn Broker>,
    /// Locks for efficiency.
    pub locks: Arc<dyn LockService>,
    /// What the engines' connections are doing.
    pub pools: Vec<Arc<dyn Pools>>,
    /// The machine's time.
    pub clock: Arc<dyn Clock>,
    /// The machine's chance.
    pub entropy: Arc<dyn Entropy>,
    /// Names this process as an owner of leases. Where a lock on the data excludes a second process it is the node's name, so that a
    /// restart need not wait for its leases to run out; elsewhere no two processes share one, even if their nodes do.
    pub owner: String,
}

/// Why the engines could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnginesError {
    /// The folder of the embedded engines.
    #[error(transparent)]
    Embedded(#[from] gallae_sqlite::OpenError),
    /// The folder of a node without embedded engines.
    #[error("the data directory {} cannot be made", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database of the distributed profile.
    #[error(transparent)]
    Distributed(#[from] gallae_postgres::OpenError),
}

impl Engines {
    /// Opens what the profile says, and makes it if need be.
    ///
    /// # Errors
    /// When the directory is in use, cannot be written, is damaged, or was written by a newer release; or the same of a database.
    pub async fn open(settings: &PlatformSettings) -> Result<Self, EnginesError> {
        match settings.profile {
            Profile::Embedded => Self::embedded(&settings.data.dir, &settings.node),
            Profile::Distributed => {
                // The node's own: what its command line finds it by.
                let made = fs::create_dir_all(&settings.data.dir);
                made.map_err(|source| EnginesError::Directory { path: settings.data.dir.clone(), source })?;
                Self::distributed(&settings.postgres, &settings.node).await
            }
        }
    }

    /// Opens, and if need be makes, the stores in `directory`. Blocks for the time of a few disk reads.
    ///
    /// # Errors
    /// When the directory is in use, cannot be written, is damaged, or was written by a newer release.
    pub fn embedded(directory: &Path, node: &str) -> Result<Self, EnginesError> {
        let (clock, entropy) = environment();
        let options =
            SqliteOptions { node: node.to_owned(), clock: Arc::clone(&clock), entropy: Arc::clone(&entropy) };
        // The log holds the directory's lock, so it is opened first.
        let log = Arc::new(SqliteLog::open(directory, options)?);
        let views = Arc::new(SqliteViews::open(directory)?);
        Ok(Self {
            credentials: log.clone(),
            pools: vec![log.clone(), views.clone()],
            log,
            views: views.clone(),
            search: views.clone(),
            counters: views,
            broker: Arc::new(MemoryBroker::new(BROKER_CAPACITY)),
            locks: Arc::new(MemoryLocks::new(Arc::clone(&clock), Arc::clone(&entropy))),
            clock,
            entropy,
            owner: node.to_owned(),
        })
    }

    /// Connects to PostgreSQL and brings its schema to the newest number. Several nodes may do so at once.
    ///
    /// # Errors
    /// When the database cannot be reached or used; each reason in one sentence.
    pub async fn distributed(settings: &PostgresSettings, node: &str) -> Result<Self, EnginesError> {
        let (clock, entropy) = environment();
        let postgres = Postgres::open(connection(settings, node)).await?;
        let then = match settings.behind_then {
            BehindThen::AskPrimary => Then::AskPrimary,
            BehindThen::AnswerBehind => Then::AnswerBehind,
        };
        let wait = Duration::from_millis(settings.behind_wait_ms);
        let views = Arc::new(PostgresViews::new(&postgres, Behind { wait, then }));
        let owner = format!("{node}@{}", entropy.uuid());
        Ok(Self {
            log: postgres.log(),
            credentials: postgres.credentials(),
            views: views.clone(),
            search: views.clone(),
            counters: views,
            // Messages reach those who listen on the node that relays; everybody else reads the log.
            broker: Arc::new(MemoryBroker::new(BROKER_CAPACITY)),
            locks: Arc::new(MemoryLocks::new(Arc::clone(&clock), Arc::clone(&entropy))),
            pools: vec![Arc::new(postgres)],
            clock,
            entropy,
            owner,
        })
    }
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engines").field("owner", &self.owner).finish_non_exhaustive()
    }
}

fn environment() -> (Arc<dyn Clock>, Arc<dyn Entropy>) {
    (Arc::new(SystemClock::new()), Arc::new(SystemEntropy))
}

fn connection(settings: &PostgresSettings, node: &str) -> Settings {
    let given = |url: &gallae_http::auth::Secret| Some(url.reveal().to_owned()).filter(|url| !url.is_empty());
    Settings {
        read_url: given(&settings.read_url),
        direct_url: given(&settings.direct_url),
        schema: settings.schema.clone(),
        write_connections: settings.write_connections,
        read_connections: settings.read_connections,
        prepare: settings.prepare,
        application_name: format!("gallae {node}"),
        ..Settings::new(settings.write_url.reveal())
    }
}
