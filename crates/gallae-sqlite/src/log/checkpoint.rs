//! Moving committed pages from the write-ahead log into the database file.
//!
//! ```text
//!   writer   ──commit──commit──commit──commit──┬─ the little that came meanwhile ─┬─ begins the log anew ──►
//!   aside         └── moves the bulk, syncs ───┘
//! ```

use crate::connection::open_writer;
use rusqlite::Connection;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Pages between checkpoints under load: 16 MB.
const PAGES: usize = 4_000;

/// Readers that overlap for ever would let the log grow for ever; at this size the writer waits for them, a little.
const TOO_MANY_PAGES: usize = 32 * PAGES;
const WAIT_FOR_READERS: Duration = Duration::from_millis(50);

/// Decides when to make checkpoints.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// Pages in the write-ahead log after the last commit.
    pages: Arc<AtomicUsize>,
    /// Pages there at the last checkpoint.
    last: usize,
    /// `None` when its thread could not be started: the writer then does everything itself.
    aside: Option<Aside>,
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
        let aside = connection.path().map(PathBuf::from).and_then(Aside::start);
        Ok(Self { pages, last: 0, aside })
    }

    /// Whether there is something to move.
    pub(super) fn pending(&self) -> bool {
        self.pages.load(Ordering::Relaxed) > 0
    }

    /// Pages in the write-ahead log after the last commit.
    #[cfg(test)]
    pub(super) fn pages(&self) -> usize {
        self.pages.load(Ordering::Relaxed)
    }

    /// Under load: has moved what no reader needs, and waits for nobody unless the log has grown out of bounds.
    pub(super) fn between_groups(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if self.aside.as_ref().is_some_and(Aside::has_finished) {
            // All but the last pages is moved and synced. With these the next commit begins the log anew.
            checkpoint(connection, "PASSIVE", None);
            self.last = pages;
        }
        if pages < self.last {
            // SQLite began the log anew: the last checkpoint had moved all of it.
            self.last = 0;
        }
        if pages < self.last + PAGES {
            return;
        }
        self.last = pages;
        if pages >= TOO_MANY_PAGES {
            if checkpoint(connection, "RESTART", Some(WAIT_FOR_READERS)) {
                self.last = 0;
            }
        } else if !self.aside.as_mut().is_some_and(Aside::begin) {
            checkpoint(connection, "PASSIVE", None);
        }
    }

    /// Waits until nothing is moved aside any more, for good.
    pub(super) fn end(&mut self) {
        self.aside = None;
    }

    /// Without load: moves everything and makes the log's file empty.
    pub(super) fn when_idle(&mut self, connection: &Connection) {
        if checkpoint(connection, "TRUNCATE", Some(Duration::ZERO)) {
            self.pages.store(0, Ordering::Relaxed);
            self.last = 0;
        }
    }
}

/// A thread that moves the bulk while the writer goes on: SQLite lets one connection write and another make a checkpoint.
#[derive(Debug)]
struct Aside {
    orders: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Set by the thread after each checkpoint.
    finished: Arc<AtomicBool>,
}

impl Aside {
    fn start(path: PathBuf) -> Option<Self> {
        let (orders, incoming) = mpsc::sync_channel(1);
        let finished = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&finished);
        let work = move || {
            let connection = match open_writer(&path) {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::warn!(error = %error, "checkpoints are made by the writer itself");
                    return;
                }
            };
            for () in incoming {
                checkpoint(&connection, "PASSIVE", None);
                done.store(true, Ordering::Release);
            }
        };
        let thread = thread::Builder::new().name("gallae-log-checkpoint".to_owned()).spawn(work).ok()?;
        Some(Self { orders: Some(orders), thread: Some(thread), finished })
    }

    /// Asks for a checkpoint; `false` when nobody is there to make it.
    fn begin(&mut self) -> bool {
        use mpsc::TrySendError::{Disconnected, Full};
        match self.orders.as_ref().map(|orders| orders.try_send(())) {
            // One that waits already will move these pages too.
            Some(Ok(()) | Err(Full(()))) => true,
            Some(Err(Disconnected(()))) | None => false,
        }
    }

    /// Whether a checkpoint has ended since this was last asked.
    fn has_finished(&self) -> bool {
        self.finished.swap(false, Ordering::Acquire)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A checkpoint that panicked has left the pages where they were.
            let _ = thread.join();
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
