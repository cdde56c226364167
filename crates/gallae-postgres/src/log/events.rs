//! Pages of events from rows.

use super::statement::integer;
use crate::fault::Trouble;
use bytes::{Bytes, BytesMut};
use gallae_core::{EventId, Position, RecordedEvent, StoredMetadata, StreamId, Timestamp, Version};
use gallae_ports::EventPage;
use std::{
    collections::HashSet,
    sync::{Arc, RwLock},
};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

macro_rules! select_events {
    ($rest:literal) => {
        concat!(
            "SELECT position, version, schema_version, time, id, stream, event_type, metadata, payload FROM ",
            $rest
        )
    };
}

/// Of one stream, after a version.
pub(super) const OF_STREAM: &str =
    select_events!("@.events WHERE stream = $1 AND version > $2 ORDER BY version LIMIT $3");

/// Of the log, after a position.
pub(super) const OF_LOG: &str = select_events!("@.events WHERE position > $1 ORDER BY position LIMIT $2");

/// Of one correlation, after a position.
pub(super) const OF_CORRELATION: &str =
    select_events!("@.events WHERE correlation = $1 AND position > $2 ORDER BY position LIMIT $3");

/// Of the log, after one position and up to another; no more once the payloads before hold so many bytes.
pub(super) const OF_LOG_UP_TO: &str = select_events!(
    "(SELECT e.*, sum(octet_length(payload)) OVER (ORDER BY position) - octet_length(payload) AS before
      FROM @.events e WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3) e
      WHERE before < $4 ORDER BY position"
);

/// A page of a reader that goes on holds at most this many events, and not many more bytes than this.
const PAGE_EVENTS: i64 = 1_000;
const PAGE_BYTES: i64 = 2 * 1024 * 1024;

/// The parameters of [`OF_LOG_UP_TO`].
pub(super) struct UpTo([i64; 4]);

pub(super) fn up_to(after: Position, end: Position) -> UpTo {
    UpTo([integer(after.get()), integer(end.get()), PAGE_EVENTS, PAGE_BYTES])
}

impl UpTo {
    pub(super) fn borrowed(&self) -> [(&(dyn ToSql + Sync), Type); 4] {
        self.0.each_ref().map(|value| (value as &(dyn ToSql + Sync), Type::INT8))
    }
}

/// Event types seen, each stored once.
#[derive(Debug, Default)]
pub(super) struct Names {
    types: RwLock<HashSet<Arc<str>>>,
}

impl Names {
    /// Reads rows of the statements above.
    pub(super) fn page(&self, rows: &[Row]) -> Result<EventPage, Trouble> {
        let mut page: EventPage = Vec::with_capacity(rows.len());
        let mut copies = Copies::default();
        for row in rows {
            let event = self.event(row, page.last(), &mut copies)?;
            page.push(Arc::new(event));
        }
        Ok(page)
    }

    fn event(
        &self,
        row: &Row,
        previous: Option<&Arc<RecordedEvent>>,
        copies: &mut Copies,
    ) -> Result<RecordedEvent, Trouble> {
        let name: &str = row.try_get(5)?;
        let stream = match previous {
            Some(previous) if previous.stream.as_str() == name => previous.stream.clone(),
            _ => stream_id(name)?,
        };
        let metadata: &[u8] = row.try_get(7)?;
        let metadata = match previous {
            // Events of one append share theirs.
            Some(previous) if previous.metadata.bytes() == metadata => previous.metadata.clone(),
            _ => StoredMetadata::from_bytes(copies.copy(metadata)),
        };
        let event_type = self.event_type(row.try_get(6)?);
        Ok(RecordedEvent {
            position: Position::new(row.try_get::<_, i64>(0)?.cast_unsigned()),
            stream,
            version: Version::new(row.try_get::<_, i64>(1)?.cast_unsigned()),
            id: EventId::new(row.try_get(4)?),
            event_type,
            schema_version: row.try_get::<_, i32>(2)?.cast_unsigned(),
            time: Timestamp::from_micros(row.try_get(3)?),
            metadata,
            payload: copies.copy(row.try_get(8)?),
        })
    }

    fn event_type(&self, name: &str) -> Arc<str> {
        let known = self.types.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(name).cloned();
        known.unwrap_or_else(|| {
            let shared: Arc<str> = name.into();
            self.types.write().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(Arc::clone(&shared));
            shared
        })
    }
}

/// A stream's name as it is stored.
pub(super) fn stream_id(name: &str) -> Result<StreamId, Trouble> {
    name.parse()
        .map_err(|error| Trouble::Unreadable(format!("{name:?} is not the name of a stream: {error}")))
}

/// Copies of a page's bytes in a few large pieces of memory instead of two small ones per event. An event that is kept keeps its
/// piece: at most [`PIECE`] bytes, unless it is larger itself.
#[derive(Debug, Default)]
struct Copies {
    piece: BytesMut,
    last_size: usize,
}

/// From the first piece to the largest.
const FIRST_PIECE: usize = 4 * 1024;
const PIECE: usize = 64 * 1024;

impl Copies {
    fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if self.piece.capacity() < bytes.len() {
            self.last_size = (self.last_size * 2).clamp(FIRST_PIECE, PIECE);
            self.piece = BytesMut::with_capacity(self.last_size.max(bytes.len()));
        }
        self.piece.extend_from_slice(bytes);
        self.piece.split().freeze()
    }
}
