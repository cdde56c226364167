//! What goes wrong between SQLite and a port.

use gallae_ports::{Mismatch, StoreFault};

/// Why a call came to nothing. Whatever it wrote is undone.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The call does not fit what is stored; trying again does not help.
    #[error(transparent)]
    Wrong(#[from] Mismatch),
    /// The thread that does the work is gone.
    #[error("its thread has stopped; open the store again")]
    Stopped,
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl Trouble {
    pub(super) fn wrong(what: impl Into<String>) -> Self {
        Self::Wrong(Mismatch(what.into()))
    }

    pub(super) fn while_doing(self, doing: &str) -> StoreFault {
        match self {
            Self::Sqlite(error) => StoreFault::new(doing).because(error),
            other => StoreFault::new(doing).because(other),
        }
    }
}
