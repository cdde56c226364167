//! Why a database could not be opened.

use crate::{fault::Trouble, target::Target};
use gallae_ports::StoreFault;
use std::io;
use tokio_postgres::error::SqlState;

/// Why the store could not be opened. Nothing was changed, except that migrations which had succeeded stay done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting cannot be used.
    #[error("{what} cannot be used: {reason}")]
    Settings {
        /// Which setting.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers.
    #[error("PostgreSQL cannot be reached at {place}: check the host and port, and that the server runs")]
    Unreachable {
        /// Hosts and database.
        place: String,
        /// What the system said.
        source: StoreFault,
    },
    /// The server does not let the user in.
    #[error("PostgreSQL at {place} refuses the user {user}: check the user, the password and pg_hba.conf")]
    Refused {
        /// Hosts and database.
        place: String,
        /// Who asked.
        user: String,
        /// What the server said.
        source: StoreFault,
    },
    /// The encrypted connection could not be made.
    #[error(
        "no encrypted connection to PostgreSQL at {place}: check sslmode and sslrootcert against the server's certificate"
    )]
    Tls {
        /// Hosts and database.
        place: String,
        /// What went wrong.
        source: StoreFault,
    },
    /// There is no such database.
    #[error("PostgreSQL at {place} has no database {database}: create it first")]
    NoDatabase {
        /// Hosts and database.
        place: String,
        /// Which database.
        database: String,
    },
    /// The write URL leads to a server that does not accept writing.
    #[error(
        "{place} is a standby, which cannot be written: give the write URL the primary, or every host of the cluster"
    )]
    Standby {
        /// Hosts and database.
        place: String,
    },
    /// The server is too old.
    #[error("PostgreSQL at {place} has version {found}: at least version 14 is needed")]
    OldServer {
        /// Hosts and database.
        place: String,
        /// Its version.
        found: String,
    },
    /// A newer release has migrated the schema.
    #[error(
        "the schema {schema} at {place} has number {found} and this release knows up to {known}: start the release that wrote it, or a newer one"
    )]
    NewerSchema {
        /// Hosts and database.
        place: String,
        /// Which schema.
        schema: String,
        /// The number found.
        found: u32,
        /// The newest number known here.
        known: u32,
    },
    /// The schema holds tables of another application.
    #[error(
        "the schema {schema} at {place} holds {table}, which this program did not make: choose another schema or database"
    )]
    Foreign {
        /// Hosts and database.
        place: String,
        /// Which schema.
        schema: String,
        /// One of its tables.
        table: String,
    },
    /// The user lacks a right.
    #[error("the user {user} lacks a right at {place}: as the database's owner, run {grant}")]
    MissingRight {
        /// Hosts and database.
        place: String,
        /// Who asked.
        user: String,
        /// The statement that gives it.
        grant: String,
        /// What the server said.
        source: Box<StoreFault>,
    },
    /// The newest events are damaged; writing on would bury the damage.
    #[error("the log at {place} is damaged: {}; run the full check, and restore a backup", damage.join("; "))]
    Damaged {
        /// Hosts and database.
        place: String,
        /// One sentence per damage.
        damage: Vec<String>,
    },
    /// PostgreSQL failed.
    #[error("PostgreSQL at {place} could not be opened")]
    Failed {
        /// Hosts and database.
        place: String,
        /// What it was doing, and what PostgreSQL said.
        source: StoreFault,
    },
}

impl OpenError {
    /// What a failure to connect means.
    pub(crate) fn connecting(target: &Target, trouble: Trouble) -> Self {
        let (place, user) = (target.place.clone(), target.user().to_owned());
        let kind = ConnectFailure::of(&trouble);
        let source = trouble.into_fault("connecting");
        match kind {
            ConnectFailure::Refused => Self::Refused { place, user, source },
            ConnectFailure::NoDatabase => Self::NoDatabase { place, database: target.database().to_owned() },
            ConnectFailure::MissingRight => {
                let database = target.database();
                let grant = format!("GRANT CONNECT ON DATABASE \"{database}\" TO \"{user}\"");
                Self::MissingRight { place, user, grant, source: Box::new(source) }
            }
            ConnectFailure::Standby => Self::Standby { place },
            ConnectFailure::Tls => Self::Tls { place, source },
            ConnectFailure::Unreachable => Self::Unreachable { place, source },
            ConnectFailure::Other => Self::Failed { place, source },
        }
    }
}

enum ConnectFailure {
    Refused,
    NoDatabase,
    MissingRight,
    Standby,
    Tls,
    Unreachable,
    Other,
}

impl ConnectFailure {
    fn of(trouble: &Trouble) -> Self {
        if let Some(code) = trouble.code() {
            return match *code {
                SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Self::Refused,
                SqlState::INVALID_CATALOG_NAME => Self::NoDatabase,
                SqlState::INSUFFICIENT_PRIVILEGE => Self::MissingRight,
                SqlState::CANNOT_CONNECT_NOW => Self::Unreachable,
                _ => Self::Other,
            };
        }
        let Trouble::Driver(error) = trouble else { return Self::Unreachable };
        let said = error.to_string();
        let source = std::error::Error::source(error);
        let io = source.and_then(|source| source.downcast_ref::<io::Error>());
        if io.is_some_and(|io| io.kind() == io::ErrorKind::PermissionDenied) {
            // How the driver says that the last of the hosts does not accept writing.
            Self::Standby
        } else if said.contains("TLS") {
            Self::Tls
        } else if said.contains("authentication") || said.contains("configuration") {
            // The server asks for a password and there is none, or for a method that we do not speak.
            Self::Refused
        } else {
            Self::Unreachable
        }
    }
}
