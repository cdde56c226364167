//! Pages of events from disk.

use super::{
    cache::Cache,
    readers::Reader,
    sql::{self, CorrelationKey},
};
use bytes::{Bytes, BytesMut};
use gallae_core::{EventId, Position, RecordedEvent, StoredMetadata, StreamId, Timestamp, Version};
use gallae_ports::{EventPage, StreamInfo};
use rusqlite::{Connection, OptionalExtension, Params, Row};
use std::sync::Arc;

/// Stream names that one reader remembers: at about 120 bytes each, some 1 MB at most.
const STREAMS: usize = 4_096;

/// Pages are allocated for at most this many events at first.
const FIRST_ALLOCATION: usize = 1_024;

/// The names behind stored numbers. What a number means never changes.
#[derive(Debug)]
pub(super) struct Names {
    streams: Cache<i64, StreamId>,
    /// By number: few, and dense.
    types: Vec<Option<(Arc<str>, u32)>>,
}

macro_rules! select_events {
    ($rest:literal) => {
        concat!(
            "SELECT position, stream, version, event_type, time, id, metadata, payload FROM events ",
            $rest
        )
    };
}

const OF_STREAM: &str = select_events!("WHERE stream = ?1 AND version > ?2 ORDER BY version LIMIT ?3");
const OF_LOG: &str = select_events!("WHERE position > ?1 ORDER BY position LIMIT ?2");
/// From where the flow begins in each stream, as far as it goes on there.
const OF_CORRELATION: &str = concat!(
    "WITH RECURSIVE flow (position, stream, version) AS (
         SELECT position, stream, version FROM events WHERE correlation = ?1 AND begins_flow = 1
         UNION ALL
         SELECT e.position, e.stream, e.version FROM flow JOIN events e
         ON e.stream = flow.stream AND e.version = flow.version + 1
         WHERE e.begins_flow = 0
     ) ",
    select_events!(
        "WHERE position IN (SELECT position FROM flow WHERE position > ?2) ORDER BY position LIMIT ?3"
    )
);

impl Reader {
    pub(super) fn stream_head(&mut self, stream: &StreamId) -> rusqlite::Result<Version> {
        let head = self
            .connection
            .prepare_cached(
                "SELECT max(version) FROM events WHERE stream = (SELECT id FROM streams WHERE name = ?1)",
            )?
            .query_row([stream.as_str()], |row| row.get::<_, Option<i64>>(0))?;
        Ok(head.map_or(Version::NONE, |head| Version::new(head.cast_unsigned())))
    }

    pub(super) fn stream_page(
        &mut self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> rusqlite::Result<EventPage> {
        let number = self
            .connection
            .prepare_cached("SELECT id FROM streams WHERE name = ?1")?
            .query_row([stream.as_str()], |row| row.get::<_, i64>(0))
            .optional()?;
        let Some(number) = number else { return Ok(Vec::new()) };
        self.names.streams.insert(number, stream.clone());
        self.page(OF_STREAM, (number, sql::integer(after.get()), sql::limit(limit)), limit, usize::MAX)
    }

    /// At most `limit` events, and no more once their payloads hold `bytes`.
    pub(super) fn log_page(
        &mut self,
        after: Position,
        limit: usize,
        bytes: usize,
    ) -> rusqlite::Result<EventPage> {
        self.page(OF_LOG, (sql::integer(after.get()), sql::limit(limit)), limit, bytes)
    }

    pub(super) fn correlation_page(
        &mut self,
        correlation: &CorrelationKey,
        after: Position,
        limit: usize,
    ) -> rusqlite::Result<EventPage> {
        let params = (correlation, sql::integer(after.get()), sql::limit(limit));
        self.page(OF_CORRELATION, params, limit, usize::MAX)
    }

    /// Streams by name, from `prefix` on and after `after`, as long as they start with `prefix`.
    pub(super) fn streams(
        &mut self,
        prefix: &str,
        after: Option<&StreamId>,
        limit: usize,
    ) -> rusqlite::Result<Vec<StreamInfo>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name, (SELECT max(version) FROM events WHERE stream = streams.id)
             FROM streams WHERE name >= ?1 AND name > ?2 ORDER BY name LIMIT ?3",
        )?;
        let mut rows = statement.query((prefix, after.map_or("", StreamId::as_str), sql::limit(limit)))?;
        let mut streams = Vec::new();
        while let Some(row) = rows.next()? {
            let stream: StreamId = sql::word(row, 0, str::parse)?;
            if !stream.as_str().starts_with(prefix) {
                break;
            }
            streams.push(StreamInfo { stream, version: Version::new(sql::unsigned(row, 1)?) });
        }
        Ok(streams)
    }

    fn page(
        &mut self,
        query: &str,
        params: impl Params,
        limit: usize,
        max_bytes: usize,
    ) -> rusqlite::Result<EventPage> {
        let Self { connection, names } = self;
        names.streams.age();
        let mut statement = connection.prepare_cached(query)?;
        let mut rows = statement.query(params)?;
        let mut page: EventPage = Vec::with_capacity(limit.min(FIRST_ALLOCATION));
        let mut copies = Copies::default();
        let mut bytes = 0;
        while bytes < max_bytes
            && let Some(row) = rows.next()?
        {
            let event = names.event(connection, row, page.last(), &mut copies)?;
            bytes += event.payload.len();
            page.push(Arc::new(event));
        }
        Ok(page)
    }
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

impl Names {
    pub(super) fn new() -> Self {
        Self { streams: Cache::new(STREAMS), types: Vec::new() }
    }

    fn event(
        &mut self,
        connection: &Connection,
        row: &Row<'_>,
        previous: Option<&Arc<RecordedEvent>>,
        copies: &mut Copies,
    ) -> rusqlite::Result<RecordedEvent> {
        let (event_type, schema_version) = self.event_type(connection, row.get(3)?)?;
        let metadata = row.get_ref(6)?.as_blob()?;
        let metadata = match previous {
            // Events of one append share theirs.
            Some(previous) if previous.metadata.bytes() == metadata => previous.metadata.clone(),
            _ => StoredMetadata::from_bytes(copies.copy(metadata)),
        };
        Ok(RecordedEvent {
            position: Position::new(row.get::<_, i64>(0)?.cast_unsigned()),
            stream: self.stream(connection, row.get(1)?)?,
            version: Version::new(row.get::<_, i64>(2)?.cast_unsigned()),
            id: EventId::new(sql::uuid(row, 5)?),
            event_type,
            schema_version,
            time: Timestamp::from_micros(row.get(4)?),
            metadata,
            payload: copies.copy(row.get_ref(7)?.as_blob()?),
        })
    }

    fn stream(&mut self, connection: &Connection, number: i64) -> rusqlite::Result<StreamId> {
        if let Some(stream) = self.streams.get(&number) {
            return Ok(stream);
        }
        let stream: StreamId = connection
            .prepare_cached("SELECT name FROM streams WHERE id = ?1")?
            .query_row([number], |row| sql::word(row, 0, str::parse))?;
        self.streams.insert(number, stream.clone());
        Ok(stream)
    }

    fn event_type(&mut self, connection: &Connection, number: i64) -> rusqlite::Result<(Arc<str>, u32)> {
        let index =
            usize::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(3, number))?;
        if let Some(Some((name, schema_version))) = self.types.get(index) {
            return Ok((Arc::clone(name), *schema_version));
        }
        let (name, schema_version) = connection
            .prepare_cached("SELECT name, schema_version FROM event_types WHERE id = ?1")?
            .query_row([number], |row| Ok((row.get_ref(0)?.as_str()?.into(), sql::small(row, 1)?)))?;
        let known: (Arc<str>, u32) = (name, schema_version);
        if self.types.len() <= index {
            self.types.resize(index + 1, None);
        }
        self.types[index] = Some(known.clone());
        Ok(known)
    }
}
