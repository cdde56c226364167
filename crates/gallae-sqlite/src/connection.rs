//! Connections with the settings that durability and speed depend on.

use crate::{OpenError, error::fault};
use rusqlite::{Connection, OpenFlags};
use std::{path::Path, time::Duration};

/// What must be in force on a connection that writes: name, value asked for, value reported.
const WRITER_SETTINGS: &[(&str, &str, &str)] = &[
    // Fixed when the file is made, so it comes first.
    ("page_size", "4096", "4096"),
    ("journal_mode", "WAL", "wal"),
    // Every commit reaches the disk before it is acknowledged.
    ("synchronous", "FULL", "2"),
    ("fullfsync", "ON", "1"),
    ("checkpoint_fullfsync", "ON", "1"),
    // The writer makes checkpoints itself, between commits.
    ("wal_autocheckpoint", "0", "0"),
    ("cache_size", "-8192", "-8192"),
    ("mmap_size", "0", "0"),
];

const READER_SETTINGS: &[(&str, &str, &str)] =
    &[("cache_size", "-4096", "-4096"), ("mmap_size", "0", "0"), ("query_only", "ON", "1")];

/// Waited for a foreign process, such as a shell, that holds the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const STATEMENT_CACHE: usize = 96;

/// Opens the database for its only writer, making it if need be.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    open(path, flags, WRITER_SETTINGS)
}

/// Opens the database for reading beside its writer.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_SETTINGS)
}

/// Undoes a shorter wait.
pub(crate) fn restore_busy_timeout(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)
}

fn open(
    path: &Path,
    flags: OpenFlags,
    settings: &[(&'static str, &'static str, &'static str)],
) -> Result<Connection, OpenError> {
    let failed =
        |error| OpenError::Failed { path: path.into(), source: fault("opening the database", error) };
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    for &(name, wanted, reported) in settings {
        connection.pragma_update(None, name, wanted).map_err(failed)?;
        let found = setting(&connection, name).map_err(failed)?;
        if found != reported {
            return Err(OpenError::Setting { name, wanted, found });
        }
    }
    Ok(connection)
}

fn setting(connection: &Connection, name: &str) -> rusqlite::Result<String> {
    connection.pragma_query_value(None, name, |row| {
        let value: rusqlite::types::Value = row.get(0)?;
        Ok(match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_not_in_force_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("small.db");
        let small = Connection::open(&path).unwrap();
        small.execute_batch("PRAGMA page_size = 8192; CREATE TABLE t (x)").unwrap();
        match open_writer(&path) {
            Err(OpenError::Setting { name: "page_size", wanted: "4096", found }) => assert_eq!(found, "8192"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn writers_and_readers_run_with_their_settings() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.db");
        let writer = open_writer(&path).unwrap();
        writer.execute_batch("CREATE TABLE t (x)").unwrap();
        for &(name, _, reported) in WRITER_SETTINGS {
            assert_eq!(setting(&writer, name).unwrap(), reported, "{name}");
        }
        let reader = open_reader(&path).unwrap();
        assert!(reader.execute_batch("INSERT INTO t VALUES (1)").is_err());
        assert_eq!(setting(&reader, "journal_mode").unwrap(), "wal");
    }
}
