//! The file: its settings, its two fixed tables, and its version.

use rusqlite::{Connection, OpenFlags};
use std::{path::Path, path::PathBuf, time::Duration};

/// The version of the fixed tables. The tables of a generation follow its shape, stored beside it.
const VERSION: i64 = 1;
/// Marks the file as ours ("GlVw").
const APPLICATION: i64 = 0x476c_5677;
/// How long to wait for another process that holds the file, such as a shell or a backup.
const BUSY: Duration = Duration::from_secs(5);

/// Why `views.db` could not be opened. The file is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A newer release wrote it.
    #[error(
        "{path} has schema {found} and this release knows up to {known}: start the newer release, or move the file away and \
         let the views be rebuilt from the log"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema this release reads.
        known: i64,
    },
    /// Another application's database lies there.
    #[error("{path} is not a file of views: move it away")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// SQLite refuses.
    #[error(
        "{path} cannot be opened: check the directory and its permissions; a damaged file may be moved away, its views are \
         rebuilt from the log"
    )]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The operating system refuses a thread.
    #[error("a thread for {path} cannot be started")]
    Thread {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

/// Opens or creates the file for writing.
pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    let fault = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let connection = Connection::open(path).map_err(fault)?;
    connection.busy_timeout(BUSY).map_err(fault)?;
    let (found, application, empty) = identity(&connection).map_err(fault)?;
    if found > VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    if application != APPLICATION && !empty {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    prepare(&connection, empty).map_err(fault)?;
    Ok(connection)
}

/// Opens the file for reading.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

fn identity(connection: &Connection) -> rusqlite::Result<(i64, i64, bool)> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    Ok((number("user_version")?, number("application_id")?, tables == 0))
}

fn prepare(connection: &Connection, empty: bool) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.set_prepared_statement_cache_capacity(256);
    if empty {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id={APPLICATION}; PRAGMA user_version={VERSION}; COMMIT"
        ))?;
    }
    // Nobody fills the shadows of an earlier process any more.
    connection.execute(
        "UPDATE generations SET retired = 1 WHERE NOT retired
         AND generation <> (SELECT live FROM projections WHERE id = projection)",
        (),
    )?;
    Ok(())
}

const TABLES: &str = "
CREATE TABLE projections (
    id      INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL UNIQUE,
    live    INTEGER NOT NULL,           -- the generation that queries read
    newest  INTEGER NOT NULL,           -- the highest generation ever made: none is used twice
    paused  INTEGER NOT NULL DEFAULT 0,
    epoch   INTEGER NOT NULL DEFAULT 0  -- the newest writer seen
) STRICT;
CREATE TABLE generations (
    projection  INTEGER NOT NULL REFERENCES projections (id),
    generation  INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    shape       TEXT    NOT NULL,       -- JSON: the declared fields and texts
    cursor      INTEGER NOT NULL DEFAULT 0,
    retired     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (projection, generation)
) STRICT, WITHOUT ROWID;
";
