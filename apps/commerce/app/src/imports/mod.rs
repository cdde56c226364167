//! Real books and real orders, fed through the dispatcher like anybody's.
//!
//! Every id and every idempotency key is derived from what the file says, never from when or how often it is read. So an
//! import that is interrupted goes on where it was when it is started again, and a second import of the same file changes nothing.

mod books;
mod files;
mod retail;
pub mod routes;
mod sending;

pub use books::{BooksReport, import_books};
pub use files::{BOOKS, BOOKS_FILE, RETAIL_WEEK, RETAIL_WEEK_FILE};
pub use retail::{Amounts, OrdersReport, import_orders};

use gallae_ports::StoreFault;
use gallae_runtime::dispatcher::PeekError;
use serde::{Deserialize, Serialize};

/// How far an import has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What is being brought in now.
    pub phase: String,
    /// Things of this phase that are done.
    pub done: u64,
    /// Things of this phase.
    pub total: u64,
}

/// Who is told how far an import has come.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Things that an import brought, or found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Brought by this run.
    pub new: u64,
    /// There already, from an earlier run.
    pub already: u64,
}

impl Count {
    fn add(&mut self, new: bool) {
        *(if new { &mut self.new } else { &mut self.already }) += 1;
    }

    /// Both.
    pub fn all(&self) -> u64 {
        self.new + self.already
    }
}

/// A line that was not used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedLine {
    /// The line of the file, the header being line 1.
    pub line: u64,
    /// Stable.
    pub code: String,
    /// In words.
    pub reason: String,
}

/// Why an import stopped. What it had brought by then stays, and the same import goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file as a whole is not what it should be; nothing was brought in.
    #[error("the file cannot be read")]
    File(#[from] commerce_import::ReadError),
    /// The store did not take a command, or may have taken it.
    #[error("the import stopped at {what}: {reason}; import the same file again to go on")]
    Stopped {
        /// What was being brought in.
        what: String,
        /// What was in the way.
        reason: String,
    },
    /// The store cannot be read.
    #[error("the import stopped because the store cannot be read; import the same file again to go on")]
    Unavailable(#[from] StoreFault),
    /// An aggregate cannot be read.
    #[error("the import stopped because the store cannot be read; import the same file again to go on")]
    Unreadable(#[from] PeekError),
    /// The reader of the file died.
    #[error("the file could not be taken apart; nothing was brought in")]
    Reading,
}
