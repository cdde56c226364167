//! Looking for damage.

use super::{FILE, event_store::aside};
use crate::{OpenError, connection::open_reader, error::fault};
use gallae_ports::{CheckDepth, CheckReport, StoreFault};
use rusqlite::{Connection, Error, ErrorCode, Row};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// Events that [`CheckDepth::Tail`] looks at.
const TAIL: i64 = 1_000;

/// Sentences after which a check has said enough.
const ENOUGH: usize = 100;

const CHECKING: &str = "checking the log";

/// Checks the log of a data directory without opening it for writing: also while another process does, and also when it is
/// too damaged to be opened.
///
/// # Errors
/// [`OpenError::Failed`] when there is no log, or it cannot be read at all.
pub fn check_directory(directory: impl AsRef<Path>, depth: CheckDepth) -> Result<CheckReport, OpenError> {
    let path = directory.as_ref().join(FILE);
    let connection = open_reader(&path)?;
    check(&connection, depth).map_err(|error| OpenError::Failed { path, source: fault(CHECKING, error) })
}

/// The full check on a thread and a connection of its own.
pub(super) fn check_aside(path: PathBuf) -> impl Future<Output = Result<CheckReport, StoreFault>> + Send {
    aside(CHECKING, move || {
        let connection = open_reader(&path).map_err(|error| StoreFault::new(CHECKING).because(error))?;
        check(&connection, CheckDepth::Full).map_err(|error| fault(CHECKING, error))
    })
}

/// Looks at one snapshot of the log, however many appends go on meanwhile.
pub(super) fn check(connection: &Connection, depth: CheckDepth) -> rusqlite::Result<CheckReport> {
    let snapshot = connection.unchecked_transaction()?;
    let mut report = CheckReport::default();
    let found = match depth {
        CheckDepth::Tail => check_tail(&snapshot, &mut report),
        CheckDepth::Full => check_all(&snapshot, &mut report),
    };
    match found {
        Err(error) if is_damage(&error) => report.damage.push(format!("the file cannot be read: {error}")),
        other => other?,
    }
    snapshot.finish()?;
    Ok(report)
}

fn is_damage(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(error, Error::InvalidColumnType(..) | Error::FromSqlConversionFailure(..))
}

fn check_tail(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let head: i64 =
        connection.query_row("SELECT coalesce(max(position), 0) FROM events", [], |row| row.get(0))?;
    let start = (head - TAIL).max(0);
    Scan::after(start).run(connection, report)
}

fn check_all(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut integrity = connection.prepare("PRAGMA integrity_check(100)")?;
    let mut rows = integrity.query([])?;
    while let Some(row) = rows.next()? {
        let sentence: String = row.get(0)?;
        if sentence != "ok" {
            note(report, || sentence);
        }
    }
    Scan::after(0).run(connection, report)?;
    check_flows(connection, report)
}

/// A walk over events in position order.
struct Scan {
    last: i64,
    /// The last version seen of each stream.
    versions: HashMap<i64, i64>,
}

impl Scan {
    fn after(position: i64) -> Self {
        Self { last: position, versions: HashMap::new() }
    }

    fn run(&mut self, connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
        let whole = self.last == 0;
        let mut statement = connection.prepare(
            "SELECT e.position, e.stream, e.version, length(e.id), s.id IS NOT NULL, t.id IS NOT NULL
             FROM events e LEFT JOIN streams s ON s.id = e.stream LEFT JOIN event_types t ON t.id = e.event_type
             WHERE e.position > ?1 ORDER BY e.position",
        )?;
        let mut rows = statement.query([self.last])?;
        while let Some(row) = rows.next()? {
            self.event(row, whole, report)?;
        }
        Ok(())
    }

    fn event(&mut self, row: &Row<'_>, whole: bool, report: &mut CheckReport) -> rusqlite::Result<()> {
        let (position, stream, version): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        report.events += 1;
        if position != self.last + 1 {
            let last = self.last;
            note(report, || format!("after position {last} comes {position}"));
        }
        self.last = position;
        let before = self.versions.insert(stream, version).or(whole.then_some(0));
        if before.is_some_and(|before| version != before + 1) || version < 1 {
            note(report, || {
                format!("position {position} has version {version} of its stream, which does not follow")
            });
        }
        if row.get::<_, i64>(3)? != 16 {
            note(report, || format!("the event at position {position} has no readable id"));
        }
        if !row.get::<_, bool>(4)? {
            note(report, || format!("the stream of the event at position {position} is not known"));
        }
        if !row.get::<_, bool>(5)? {
            note(report, || format!("the type of the event at position {position} is not known"));
        }
        Ok(())
    }
}

/// An event that claims to continue a flow must follow one of that flow, or it could not be found by it.
fn check_flows(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT e.position FROM events e
         LEFT JOIN events before ON before.stream = e.stream AND before.version = e.version - 1
         WHERE e.begins_flow = 0 AND before.correlation IS NOT e.correlation",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let position: i64 = row.get(0)?;
        note(report, || format!("the event at position {position} cannot be found by its flow"));
    }
    Ok(())
}

fn note(report: &mut CheckReport, sentence: impl FnOnce() -> String) {
    if report.damage.len() < ENOUGH {
        report.damage.push(sentence());
    }
}
