//! What can go wrong, in the terms of the ports.

use gallae_ports::StoreFault;
use rusqlite::ErrorCode;
use std::{io, path::PathBuf};

/// Why a database of a data directory could not be opened. Nothing in it was changed, except that migrations which had
/// succeeded stay done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory, or a file in it, cannot be made or written.
    #[error(
        "{path} cannot be written: give the data directory to this user, on a disk that is mounted for writing"
    )]
    Directory {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process works in the directory.
    #[error(
        "the data directory {directory} is in use by {holder}: stop it first, or choose another directory"
    )]
    Locked {
        /// Which directory.
        directory: PathBuf,
        /// Who holds the lock, in words.
        holder: String,
    },
    /// A newer release has migrated the database.
    #[error(
        "{path} has schema {found} and this release knows up to {known}: start the release that wrote it, or a newer one"
    )]
    NewerSchema {
        /// Which file.
        path: PathBuf,
        /// The schema found.
        found: u32,
        /// The newest schema known here.
        known: u32,
    },
    /// The file belongs to another program.
    #[error("{path} was not made by this program: choose another data directory")]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// SQLite does not honour a setting that durability depends on.
    #[error(
        "SQLite runs with {name}={found} where {wanted} is needed: put the data directory on a local disk"
    )]
    Setting {
        /// The pragma.
        name: &'static str,
        /// The value asked for.
        wanted: &'static str,
        /// The value in force.
        found: String,
    },
    /// The newest events are damaged; writing on would bury the damage.
    #[error("{path} is damaged: {}; run the full check, and restore a backup", damage.join("; "))]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// One sentence per damage.
        damage: Vec<String>,
    },
    /// SQLite failed.
    #[error("{path} could not be opened")]
    Failed {
        /// Which file.
        path: PathBuf,
        /// What it was doing, and what SQLite said.
        source: StoreFault,
    },
}

/// A fault from what SQLite said.
pub(crate) fn fault(doing: &str, error: rusqlite::Error) -> StoreFault {
    StoreFault::new(doing).because(error)
}

/// Whether the disk, and not what was being written, is to blame: a neighbour would fail alike.
pub(crate) fn is_environmental(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::OutOfMemory
        )
    )
}

/// Whether a disk had no room for the frames of a commit. SQLite writes the frame that makes a commit valid last, so
/// nothing was committed.
pub(crate) fn is_disk_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}
