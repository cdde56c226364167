//! What is SQLite's own. What every adapter promises is in `gallae-conformance`.

mod generations;
mod group;
mod pools;
mod queries;
mod search;
mod store;

use super::*;
use bytes::Bytes;
use gallae_core::{Field, FieldValue, Position};
use gallae_ports::{
    ApplyError, ProjectionSpec, ProjectionStore, Slot, ViewBatch, ViewQuery, ViewRow, ViewStore,
};
use tempfile::TempDir;

const FIELDS: &[Field] = &[Field::text("status"), Field::integer("placed_at")];
const ORDERS: ProjectionSpec = ProjectionSpec { name: "orders", revision: 1, fields: FIELDS, text: &[] };

fn opened() -> (TempDir, SqliteViews) {
    let directory = tempfile::tempdir().unwrap();
    let views = SqliteViews::open(directory.path()).unwrap();
    (directory, views)
}

fn row(key: impl AsRef<str>, document: &str, status: &str, placed_at: i64) -> ViewRow {
    ViewRow {
        key: key.into(),
        document: Bytes::copy_from_slice(document.as_bytes()),
        fields: vec![status.into(), placed_at.into()],
        changed_at: Position::new(7),
    }
}

fn batch(from: u64, to: u64, rows: Vec<ViewRow>) -> ViewBatch {
    ViewBatch { from: Position::new(from), to: Position::new(to), epoch: 1, rows, removed: Vec::new() }
}

async fn apply(views: &SqliteViews, slot: &Slot, batch: ViewBatch) -> Result<(), ApplyError> {
    ViewStore::apply(views, slot, batch).await
}

async fn document(views: &SqliteViews, projection: &str, key: &str) -> Option<String> {
    let found = views.get(projection, &key.into()).await.unwrap();
    found.map(|view| String::from_utf8(view.document.to_vec()).unwrap())
}

/// The files as a killed process leaves them: copied while the store is open.
fn as_killed(directory: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in [FILE.to_owned(), format!("{FILE}-wal")] {
        std::fs::copy(directory.path().join(&file), copy.path().join(&file)).unwrap();
    }
    copy
}

/// Waits until nothing of retired generations is left.
async fn settled(views: &SqliteViews) {
    let retired = "SELECT count(*) FROM generations WHERE retired";
    let left = || {
        views.on_reader("counting", |session| {
            Ok(session.connection.query_row(retired, (), |row| row.get::<_, i64>(0))?)
        })
    };
    while left().await.unwrap() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// The tables of generations in a closed file.
fn tables(directory: &TempDir) -> Vec<String> {
    let connection = rusqlite::Connection::open(directory.path().join(FILE)).unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB '[vcw][0-9]*' ORDER BY name";
    let mut select = connection.prepare(sql).unwrap();
    select.query_map((), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}
