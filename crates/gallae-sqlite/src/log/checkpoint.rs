//! Moving committed pages from the write-ahead log into the database file.

use rusqlite::Connection;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Pages between checkpoints under load: 32 MB.
const PAGES: usize = 8_000;

/// Readers that overlap for ever would let the log grow for ever; at this size the writer waits for them, a little.
const TOO_MANY_PAGES: usize = 16 * PAGES;
const WAIT_FOR_READERS: Duration = Duration::from_millis(50);

/// Decides when to make checkpoints. All of them happen on the writer's thread, between transactions.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// Pages in the write-ahead log after the last commit.
    pages: Arc<AtomicUsize>,
    /// Pages there at the last checkpoint.
    last: usize,
}

impl Checkpoints {
    /// Counts pages from now on.
    pub(super) fn watch(connection: &mut Connection) -> rusqlite::Result<Self> {
        // What a previous process left is counted as something, so that the first idle moment cleans it up.
        let pages = Arc::new(AtomicUsize::new(1));
        let counter = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            counter.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { pages, last: 0 })
    }

    /// Whether there is something to move.
    pub(super) fn pending(&self) -> bool {
        self.pages.load(Ordering::Relaxed) > 0
    }

    /// Under load: moves what no reader needs, and waits for nobody unless the log has grown out of bounds.
    pub(super) fn between_groups(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.last {
            // SQLite began the log anew: the last checkpoint had moved all of it.
            self.last = 0;
        }
        if pages < self.last + PAGES {
            return;
        }
        self.last = pages;
        if pages < TOO_MANY_PAGES {
            checkpoint(connection, "PASSIVE", None);
        } else if checkpoint(connection, "RESTART", Some(WAIT_FOR_READERS)) {
            self.last = 0;
        }
    }

    /// Without load: moves everything and makes the log's file empty.
    pub(super) fn when_idle(&mut self, connection: &Connection) {
        if checkpoint(connection, "TRUNCATE", Some(Duration::ZERO)) {
            self.pages.store(0, Ordering::Relaxed);
            self.last = 0;
        }
    }
}

/// Makes a checkpoint; says whether all was moved. A failure is not an error: the pages stay in the log and are moved later.
fn checkpoint(connection: &Connection, mode: &str, wait: Option<Duration>) -> bool {
    let run = || -> rusqlite::Result<bool> {
        if let Some(wait) = wait {
            connection.busy_timeout(wait)?;
        }
        let statement = format!("PRAGMA wal_checkpoint({mode})");
        connection.query_row(&statement, [], |row| Ok(row.get::<_, i64>(0)? == 0))
    };
    let outcome = run();
    if wait.is_some()
        && let Err(error) = crate::connection::restore_busy_timeout(connection)
    {
        tracing::warn!(error = %error, "the writer's waiting time could not be restored");
    }
    match outcome {
        Ok(complete) => complete,
        Err(error) => {
            tracing::warn!(error = %error, mode, "a checkpoint failed; it will be tried again");
            false
        }
    }
}
