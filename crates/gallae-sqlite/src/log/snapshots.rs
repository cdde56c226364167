//! Snapshots of aggregates.

use super::{SqliteLog, sql};
use bytes::Bytes;
use gallae_core::{StreamId, Version};
use gallae_ports::{BoxFuture, Snapshot, SnapshotStore, StoreFault};
use rusqlite::OptionalExtension;

impl SnapshotStore for SqliteLog {
    fn snapshot(
        &self,
        stream: &StreamId,
        revision: u32,
    ) -> BoxFuture<'_, Result<Option<Snapshot>, StoreFault>> {
        let stream = stream.clone();
        self.read("reading a snapshot", move |reader| {
            reader
                .connection
                .prepare_cached("SELECT version, state FROM snapshots WHERE stream = ?1 AND revision = ?2")?
                .query_row((stream.as_str(), revision), |row| {
                    let version = Version::new(sql::unsigned(row, 0)?);
                    Ok(Snapshot { version, state: Bytes::copy_from_slice(row.get_ref(1)?.as_blob()?) })
                })
                .optional()
        })
    }

    fn save_snapshot(
        &self,
        stream: &StreamId,
        revision: u32,
        snapshot: Snapshot,
    ) -> BoxFuture<'_, Result<(), StoreFault>> {
        let stream = stream.clone();
        self.write("saving a snapshot", move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO snapshots (stream, revision, version, state) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (stream, revision) DO UPDATE SET version = ?3, state = ?4 WHERE version < ?3",
                )?
                .execute((
                    stream.as_str(),
                    revision,
                    sql::integer(snapshot.version.get()),
                    &snapshot.state[..],
                ))
                .map(drop)
        })
    }
}
