//! What the server or the network said, by consequence.

use deadpool_postgres::{PoolError, TimeoutType};
use gallae_ports::StoreFault;
use std::{fmt, time::Duration};
use tokio_postgres::error::{Error, Severity, SqlState};

/// Advised while the primary changes: the next attempt soon meets the new one.
const FAILOVER_WAIT: Duration = Duration::from_millis(500);

/// Why a statement has no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server, or the way to it, said so.
    Driver(Error),
    /// No answer came in this time; the connection was dropped.
    Deadline(Duration),
    /// The server confirmed a commit that its standbys have not: an administrator cancelled the wait. It may be lost.
    Unreplicated,
    /// No connection came free in time.
    Exhausted,
    /// What was read is not what was ever written.
    Unreadable(String),
}

impl Trouble {
    pub(crate) fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Driver(error) => error.code(),
            _ => None,
        }
    }

    /// The constraint that a row violated.
    pub(crate) fn constraint(&self) -> Option<&str> {
        match self {
            Self::Driver(error) => error.as_db_error()?.constraint(),
            _ => None,
        }
    }

    /// Whether the connection is not to be used again, and others to the same server are doubtful.
    pub(crate) fn breaks_connection(&self) -> bool {
        match self {
            Self::Driver(error) => match error.as_db_error() {
                Some(said) => is_fatal(said.parsed_severity()) || is_of_the_server(said.code()),
                // Closed, refused, or not understood.
                None => true,
            },
            Self::Deadline(_) | Self::Unreplicated => true,
            Self::Exhausted | Self::Unreadable(_) => false,
        }
    }

    /// Whether a statement that had been sent as a whole, its commit included, may have taken effect all the same. An error that
    /// is an answer to the statement means that it was rolled back.
    pub(crate) fn leaves_outcome_open(&self) -> bool {
        match self {
            Self::Driver(error) => match error.as_db_error() {
                // A primary that has become a standby did not execute it.
                Some(said) if *said.code() == SqlState::READ_ONLY_SQL_TRANSACTION => false,
                Some(said) => is_fatal(said.parsed_severity()) || is_of_the_server(said.code()),
                None => true,
            },
            Self::Deadline(_) | Self::Unreplicated => true,
            Self::Exhausted | Self::Unreadable(_) => false,
        }
    }

    /// Whether the server, and not what was sent, is to blame: a neighbour would fail alike.
    pub(crate) fn is_environmental(&self) -> bool {
        let Some(code) = self.code() else { return true };
        // Resources, operator's intervention, system, and what a lost race for a lock leaves.
        let classes = ["53", "57", "58", "08", "25", "XX", "55", "40", "42"];
        classes.iter().any(|class| code.code().starts_with(class))
    }

    pub(crate) fn into_fault(self, doing: impl Into<String>) -> StoreFault {
        let wait = self.breaks_connection().then_some(FAILOVER_WAIT);
        let fault = StoreFault::new(doing).because(self);
        match wait {
            Some(wait) => fault.retry_after(wait),
            None => fault,
        }
    }
}

fn is_fatal(severity: Option<Severity>) -> bool {
    matches!(severity, Some(Severity::Fatal | Severity::Panic))
}

/// Codes after which the session, or the role of its server, is not what it was: shutting down, crashed, starting, no longer
/// reachable behind a pooler, or read-only where writing was expected.
fn is_of_the_server(code: &SqlState) -> bool {
    let code_text = code.code();
    code_text.starts_with("57P")
        || code_text.starts_with("08")
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(error) => match error.as_db_error() {
                Some(said) => write!(f, "PostgreSQL says: {} ({})", said.message(), said.code().code()),
                None => write!(f, "the connection to PostgreSQL failed: {error}"),
            },
            Self::Deadline(waited) => write!(f, "PostgreSQL did not answer within {waited:?}"),
            Self::Unreplicated => f.write_str("the wait for the standbys was cancelled after the commit"),
            Self::Exhausted => f.write_str("every connection is in use"),
            Self::Unreadable(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Trouble {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Driver(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl Trouble {
    pub(crate) fn of_pool(error: PoolError, waited: Duration) -> Self {
        match error {
            PoolError::Backend(error) => Self::Driver(error),
            PoolError::Timeout(TimeoutType::Wait) | PoolError::Closed => Self::Exhausted,
            PoolError::Timeout(_) => Self::Deadline(waited),
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::Unreadable(error.to_string())
            }
        }
    }
}
