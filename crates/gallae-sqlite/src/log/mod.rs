//! The log and everything that commits with it, in one SQLite file.
//!
//! ```text
//!   append ──┐                      ┌─► recent events ──► subscriptions at the head
//!   append ──┼─► queue ─► writer ───┤
//!   lease  ──┘   (order   (one      └─► log.db (WAL) ──► readers ──► pages, sagas, catch-up
//!                of calls) thread)
//! ```
//!
//! The writer takes all that is queued into one transaction, decides each request in the order of calls, commits, and
//! only then answers. A request that is refused leaves no trace; while one commit reaches the disk the next one gathers.

mod append;
mod backup;
mod cache;
mod check;
mod checkpoint;
mod credentials;
mod cursors;
mod dead_letters;
mod event_store;
mod events;
mod leases;
mod pools;
mod purge;
mod readers;
mod records;
mod replay;
mod requests;
mod saga_store;
mod saga_writes;
mod snapshots;
mod sql;
mod state;
mod subscription;
mod writer;

pub use backup::{BackupError, BackupProgress, backup_directory};
pub use check::check_directory;

use crate::{
    OpenError, connection,
    error::fault,
    lock::DirectoryLock,
    migrations::{self, migrate},
};
use gallae_core::Position;
use gallae_ports::{BoxFuture, CheckDepth, Clock, Entropy, RecentEvents, StoreFault};
use readers::{Reader, Readers};
use rusqlite::{Connection, OptionalExtension};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;
use uuid::Uuid;
use writer::WriterHandle;

/// The database's name in its data directory.
pub(crate) const FILE: &str = "log.db";

/// Events kept in memory for readers at the head.
const RECENT_EVENTS: usize = 8_192;
const RECENT_BYTES: usize = 8 * 1024 * 1024;

/// What a log needs from its process.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Names this process to whoever finds the data directory locked.
    pub node: String,
    /// Judges leases and measures pings.
    pub clock: Arc<dyn Clock>,
    /// Makes the id of a new store.
    pub entropy: Arc<dyn Entropy>,
}

/// The embedded event store. A cheap handle; dropping the last one waits until everything queued is written, and ends
/// the subscriptions with an error.
#[derive(Clone)]
pub struct SqliteLog {
    inner: Arc<Inner>,
}

struct Inner {
    id: Uuid,
    path: PathBuf,
    clock: Arc<dyn Clock>,
    recent: Arc<RecentEvents>,
    head: watch::Receiver<Position>,
    // Dropped in this order: nobody reads or writes when the directory is unlocked.
    readers: Readers,
    writer: WriterHandle,
    _lock: DirectoryLock,
}

impl SqliteLog {
    /// Opens the log in `directory`, making both if need be: takes the lock, migrates the schema, checks the last thousand
    /// events. Blocks for the time of a few disk reads.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(directory: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        let directory = directory.as_ref();
        std::fs::create_dir_all(directory)
            .map_err(|source| OpenError::Directory { path: directory.into(), source })?;
        let lock = DirectoryLock::acquire(directory, &options.node, options.clock.now())?;
        let path = directory.join(FILE);
        let mut connection = connection::open_writer(&path)?;
        migrate(&mut connection, &path, migrations::LOG)?;
        let failed = |doing| move |source| (doing, source);
        let opened = store_id(&connection, &options)
            .map_err(failed("reading the store's id"))
            .and_then(|id| {
                let report = check::check(&connection, CheckDepth::Tail);
                report.map(|report| (id, report)).map_err(failed("checking the log's tail"))
            })
            .map_err(|(doing, error)| OpenError::Failed { path: path.clone(), source: fault(doing, error) });
        let (id, report) = opened?;
        if !report.damage.is_empty() {
            return Err(OpenError::Damaged { path, damage: report.damage });
        }
        Self::start(id, path, connection, lock, options)
    }

    fn start(
        id: Uuid,
        path: PathBuf,
        connection: Connection,
        lock: DirectoryLock,
        options: SqliteOptions,
    ) -> Result<Self, OpenError> {
        let recent = Arc::new(RecentEvents::new(RECENT_EVENTS, RECENT_BYTES));
        let failed = |source| OpenError::Failed { path: path.clone(), source };
        let clock = options.clock;
        let (writer, head) =
            writer::start(connection, Arc::clone(&recent), Arc::clone(&clock)).map_err(failed)?;
        let readers = Readers::start(&path)?;
        Ok(Self { inner: Arc::new(Inner { id, clock, recent, head, readers, writer, _lock: lock, path }) })
    }

    /// Runs `work` on a reading connection.
    fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreFault>> {
        self.inner.readers.queue().read(doing, work)
    }

    /// Runs `work` in the writer's transaction, in the order of calls. It may be run again after a neighbour failed, so it must
    /// leave its captures as they were.
    fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreFault>> {
        self.inner.writer.submitter().write(doing, work)
    }

    /// Pretends that the disk has room for `pages` pages, so that tests can fill it.
    #[doc(hidden)]
    pub async fn limit_pages(&self, pages: u32) -> Result<(), StoreFault> {
        self.write("limiting the database's size", move |connection| {
            connection.pragma_update(None, "max_page_count", pages)
        })
        .await
    }
}

impl fmt::Debug for SqliteLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLog")
            .field("id", &self.inner.id)
            .field("path", &self.inner.path)
            .field("head", &*self.inner.head.borrow())
            .finish_non_exhaustive()
    }
}

fn store_id(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<Uuid> {
    let stored = connection.query_row("SELECT id FROM store", [], |row| sql::uuid(row, 0)).optional()?;
    if let Some(id) = stored {
        return Ok(id);
    }
    let id = options.entropy.uuid();
    connection.execute(
        "INSERT INTO store (only_row, id, created_at, probed_at) VALUES (1, ?1, ?2, ?2)",
        (id.as_bytes(), options.clock.now().as_micros()),
    )?;
    Ok(id)
}
