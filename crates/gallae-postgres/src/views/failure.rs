//! What goes wrong between PostgreSQL and a port.

use crate::fault::Trouble;
use gallae_ports::{Mismatch, StoreFault};
use tokio_postgres::error::SqlState;

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The call does not fit what is stored; trying again does not help.
    Wrong(Mismatch),
    /// PostgreSQL, or the way to it.
    Trouble(Trouble),
}

impl Failure {
    pub(super) fn wrong(what: impl Into<String>) -> Self {
        Self::Wrong(Mismatch(what.into()))
    }

    pub(super) fn unknown(projection: &str) -> Self {
        Self::wrong(format!("no projection {projection:?} is known"))
    }

    pub(super) fn while_doing(self, doing: &'static str) -> StoreFault {
        match self {
            Self::Wrong(mismatch) => StoreFault::new(doing).because(mismatch),
            Self::Trouble(trouble) => trouble.into_fault(doing),
        }
    }

    /// Whether a table is not there: its generation has been dropped, or a standby has not heard of it yet.
    pub(super) fn is_missing_table(&self) -> bool {
        matches!(self, Self::Trouble(trouble) if trouble.code() == Some(&SqlState::UNDEFINED_TABLE))
    }

    /// Whether another transaction was in the way, and nothing was done.
    pub(super) fn is_conflict(&self) -> bool {
        let Self::Trouble(trouble) = self else { return false };
        trouble.code().is_some_and(|code| code.code().starts_with("40"))
    }
}

impl From<Mismatch> for Failure {
    fn from(mismatch: Mismatch) -> Self {
        Self::Wrong(mismatch)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}
