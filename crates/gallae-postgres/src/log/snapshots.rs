//! Snapshots of aggregates.

use super::{PostgresLog, event_store::number, statement::integer};
use crate::{fault::Trouble, pool::Param};
use bytes::Bytes;
use gallae_core::{StreamId, Version};
use gallae_ports::{BoxFuture, Snapshot, SnapshotStore, StoreFault};
use tokio_postgres::{Row, types::Type};

const LOAD: &str = "SELECT version, state FROM @.snapshots WHERE stream = $1 AND revision = $2";

/// Nobody waits for a disk, or for a standby: a snapshot that is lost is made again.
const SAVE: &str = "WITH hurried AS (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO @.snapshots AS s (stream, revision, version, state) SELECT $1, $2, $3, $4 FROM hurried
    ON CONFLICT (stream, revision) DO UPDATE SET version = $3, state = $4 WHERE s.version < $3";

impl SnapshotStore for PostgresLog {
    fn snapshot(
        &self,
        stream: &StreamId,
        revision: u32,
    ) -> BoxFuture<'_, Result<Option<Snapshot>, StoreFault>> {
        let (stream, revision) = (stream.clone(), i64::from(revision));
        Box::pin(async move {
            const DOING: &str = "reading a snapshot";
            let params: [Param<'_>; 2] = [(&stream.as_str(), Type::TEXT), (&revision, Type::INT8)];
            let rows = self.write_pool().read(DOING, LOAD, &params).await?;
            rows.first().map(snapshot).transpose().map_err(|trouble| trouble.into_fault(DOING))
        })
    }

    fn save_snapshot(
        &self,
        stream: &StreamId,
        revision: u32,
        snapshot: Snapshot,
    ) -> BoxFuture<'_, Result<(), StoreFault>> {
        let (stream, revision) = (stream.clone(), i64::from(revision));
        Box::pin(async move {
            let version = integer(snapshot.version.get());
            let params: [Param<'_>; 4] = [
                (&stream.as_str(), Type::TEXT),
                (&revision, Type::INT8),
                (&version, Type::INT8),
                (&&snapshot.state[..], Type::BYTEA),
            ];
            self.write_pool().execute("saving a snapshot", SAVE, &params).await.map(drop)
        })
    }
}

fn snapshot(row: &Row) -> Result<Snapshot, Trouble> {
    Ok(Snapshot { version: Version::new(number(row, 0)?), state: Bytes::copy_from_slice(row.try_get(1)?) })
}
