//! Forward-only migrations, numbered from 1. A released script never changes; a change of schema is a new script.

use crate::{OpenError, error::fault};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Marks a file as ours: "gall".
const APPLICATION_ID: i32 = 0x6761_6c6c;

/// The schema of the log.
pub(crate) const LOG: &[&str] = &[include_str!("0001_log.sql"), include_str!("0002_early_messages.sql")];

/// Brings the database to the newest schema. Each script is a transaction of its own.
pub(crate) fn migrate(connection: &mut Connection, path: &Path, scripts: &[&str]) -> Result<(), OpenError> {
    let failed =
        |error| OpenError::Failed { path: path.into(), source: fault("migrating the schema", error) };
    if !is_ours(connection).map_err(failed)? {
        return Err(OpenError::Foreign { path: path.into() });
    }
    let found = schema(connection).map_err(failed)?;
    if found > scripts.len() {
        let (found, known) = (found as u32, scripts.len() as u32);
        return Err(OpenError::NewerSchema { path: path.into(), found, known });
    }
    for (index, script) in scripts.iter().enumerate().skip(found) {
        apply(connection, index + 1, script).map_err(failed)?;
    }
    Ok(())
}

fn schema(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(id == APPLICATION_ID || tables == 0)
}

fn apply(connection: &mut Connection, number: usize, script: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(script)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", number as i64)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_applied_once_and_in_order() {
        let mut connection = Connection::open_in_memory().unwrap();
        let path = Path::new("memory");
        migrate(&mut connection, path, &["CREATE TABLE a (x)"]).unwrap();
        migrate(&mut connection, path, &["CREATE TABLE a (x)", "ALTER TABLE a ADD COLUMN y"]).unwrap();
        connection.execute("INSERT INTO a (x, y) VALUES (1, 2)", []).unwrap();
        let older = migrate(&mut connection, path, &["CREATE TABLE a (x)"]).unwrap_err();
        assert!(matches!(older, OpenError::NewerSchema { found: 2, known: 1, .. }), "{older:?}");
    }

    #[test]
    fn a_script_that_fails_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        let script = "CREATE TABLE a (x); CREATE TABLE a (x)";
        assert!(migrate(&mut connection, Path::new("memory"), &[script]).is_err());
        assert_eq!(schema(&connection).unwrap(), 0);
        migrate(&mut connection, Path::new("memory"), &["CREATE TABLE a (x)"]).unwrap();
    }

    #[test]
    fn the_database_of_another_program_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
        let error = migrate(&mut connection, Path::new("memory"), LOG).unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    }
}
