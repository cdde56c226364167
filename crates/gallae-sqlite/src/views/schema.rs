//! The file: its settings and its two fixed tables. The tables of a generation follow its shape, which is stored beside it.

use crate::{OpenError, error::fault, migrations::migrate};
use rusqlite::Connection;
use std::{path::Path, time::Duration};

/// How long to wait for another process that holds the file, such as a shell.
const BUSY: Duration = Duration::from_secs(5);
/// Statements kept prepared: those of some dozen projections.
const STATEMENTS: usize = 256;

/// Opens or creates the file for its only writer.
pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let failed =
        |error| OpenError::Failed { path: path.into(), source: fault("opening the database", error) };
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    migrate(&mut connection, path, MIGRATIONS)?;
    let mode = configure(&connection).map_err(failed)?;
    if mode != "wal" {
        return Err(OpenError::Setting { name: "journal_mode", wanted: "wal", found: mode });
    }
    Ok(connection)
}

/// Settles the connection and says which journal is in force: a refused one is not an error to SQLite.
fn configure(connection: &Connection) -> rusqlite::Result<String> {
    let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.pragma_update(None, "cache_size", -8_192)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok(mode)
}

const MIGRATIONS: &[&str] = &["
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
    shape       TEXT    NOT NULL,           -- JSON: the declared fields and texts
    cursor      INTEGER NOT NULL DEFAULT 0,
    retired     INTEGER NOT NULL DEFAULT 0, -- its tables are being dropped
    PRIMARY KEY (projection, generation)
) STRICT, WITHOUT ROWID;
"];
