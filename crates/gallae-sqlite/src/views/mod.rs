//! Views, search and counters in one file, `views.db`.
//!
//! ```text
//!   apply, switch, repair ──► queue ──► writer thread      one transaction for all that waits
//!                                           │
//!                                       views.db (WAL)
//!                                           │
//!   get, query, search, read ─► queue ──► reader threads   read-only connections, a snapshot per call
//! ```
//!
//! The file is written with `synchronous=NORMAL`: a commit is not synced, so a power failure may take back the last ones. That
//! loses nothing. The rows of a projection and its cursor are in one transaction, so they step back together, and what is
//! missing is read again from the log, which syncs every append before it is acknowledged. A killed process takes back nothing.

mod backup;
mod counters;
mod documents;
mod filter;
mod generations;
mod pools;
mod query;
mod readers;
mod schema;
mod search;
mod session;
mod shape;
#[cfg(test)]
mod tests;
mod trouble;
mod view_store;
mod writer;

pub use backup::BackupError;

use crate::OpenError;
use gallae_ports::StoreFault;
use readers::Readers;
use session::Session;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use trouble::Trouble;
use writer::Writer;

/// The file's name within the data directory.
pub const FILE: &str = "views.db";

/// The views, search documents and counters of a data directory. Cheap to clone; the file is closed, with all that was
/// queued written, when the last clone is dropped.
#[derive(Clone)]
pub struct SqliteViews {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    readers: Readers,
    writer: Writer,
}

impl SqliteViews {
    /// Opens `views.db` in `directory`, which must exist, and creates the file if it is new.
    ///
    /// The caller sees to it that one process at a time opens the directory: whoever has opened the log holds its lock.
    ///
    /// # Errors
    /// See [`OpenError`]. A file that is damaged or too new may be moved away: its rows are folded from the log again.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = directory.as_ref().join(FILE);
        let connection = schema::open_writer(&path)?;
        let readers = Readers::start(&path)?;
        let writer = Writer::start(Session::new(connection), &path)?;
        Ok(Self { inner: Arc::new(Inner { path, readers, writer }) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Runs `work` in a transaction of the writer, perhaps with others. It may run twice, the first time undone.
    async fn on_writer<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnMut(&mut Session) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreFault> {
        self.inner.writer.run(work).await.map_err(|trouble| trouble.while_doing(doing))
    }

    /// Runs `work` on a snapshot.
    async fn on_reader<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Session) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreFault> {
        self.inner.readers.run(work).await.map_err(|trouble| trouble.while_doing(doing))
    }
}

impl fmt::Debug for SqliteViews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteViews").field("path", &self.inner.path).finish_non_exhaustive()
    }
}
