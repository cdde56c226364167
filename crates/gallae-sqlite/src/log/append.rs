//! One batch: decided against the uncommitted state, then written.

use super::{
    records, replay, saga_writes,
    sql::{self, CorrelationKey},
    state::State,
};
use gallae_core::{Position, RecordedEvent, StoredMetadata, StreamId, Version};
use gallae_ports::{AppendBatch, AppendError, Appended, StreamAppend};
use rusqlite::{CachedStatement, Connection};
use std::sync::Arc;

/// A batch with everything computed that the writer's thread need not do.
#[derive(Debug)]
pub(super) struct Prepared {
    batch: AppendBatch,
    metadata: StoredMetadata,
    correlation: CorrelationKey,
    size: usize,
}

impl Prepared {
    pub(super) fn new(batch: AppendBatch) -> Result<Self, AppendError> {
        batch.validate()?;
        let metadata = StoredMetadata::encode(Arc::clone(&batch.metadata));
        let correlation = CorrelationKey::from(&batch.metadata.correlation_id);
        let size = batch.size();
        Ok(Self { batch, metadata, correlation, size })
    }

    /// Bytes of payloads and response.
    pub(super) fn size(&self) -> usize {
        self.size
    }
}

/// Why a batch was not written.
#[derive(Debug)]
pub(super) enum Stop {
    /// By a rule. It left no trace.
    Refused(AppendError),
    /// By SQLite. The whole transaction is to be rolled back.
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<AppendError> for Stop {
    fn from(error: AppendError) -> Self {
        Self::Refused(error)
    }
}

/// Appends batches within one transaction.
pub(super) struct Appender<'a> {
    connection: &'a Connection,
    state: &'a mut State,
    find_stream: CachedStatement<'a>,
    insert_event: CachedStatement<'a>,
}

impl<'a> Appender<'a> {
    pub(super) fn new(connection: &'a Connection, state: &'a mut State) -> rusqlite::Result<Self> {
        let find_stream = connection.prepare_cached(super::state::FIND_STREAM)?;
        let insert_event = connection.prepare_cached(
            "INSERT INTO events
             (position, stream, version, event_type, time, id, correlation, begins_flow, metadata, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        Ok(Self { connection, state, find_stream, insert_event })
    }

    /// Writes a batch, or refuses it before anything of it is written.
    pub(super) fn append(&mut self, prepared: &Prepared) -> Result<Appended, Stop> {
        let batch = &prepared.batch;
        if let Some(appended) = replay::find(self.connection, self.state, &mut self.find_stream, batch)? {
            return Ok(appended);
        }
        self.check(batch)?;
        Ok(self.write(prepared)?)
    }

    fn version(&mut self, stream: &StreamId) -> rusqlite::Result<Version> {
        self.state.head(&mut self.find_stream, stream).map(|head| Version::new(head.version))
    }

    fn check(&mut self, batch: &AppendBatch) -> Result<(), Stop> {
        records::check_fence(self.connection, batch)?;
        records::check_idempotency(self.connection, batch)?;
        records::check_inbox(self.connection, batch)?;
        let streams = batch.streams.iter().map(|append| (&append.stream, append.expected));
        let guards = batch.guards.iter().map(|guard| (&guard.stream, guard.expected));
        for (stream, expected) in streams.chain(guards) {
            let actual = self.version(stream)?;
            if !expected.accepts(actual) {
                return Err(AppendError::Conflict { stream: stream.clone(), expected, actual }.into());
            }
        }
        records::check_claims(self.connection, batch)?;
        saga_writes::check(self.connection, batch)
    }

    fn write(&mut self, prepared: &Prepared) -> rusqlite::Result<Appended> {
        let batch = &prepared.batch;
        let first = self.state.position + 1;
        let mut versions = Vec::with_capacity(batch.streams.len());
        for append in &batch.streams {
            versions.push(self.write_stream(prepared, append)?);
        }
        let wrote_events = self.state.position >= first;
        records::write(self.connection, batch, wrote_events.then(|| Position::new(first)))?;
        saga_writes::write(self.connection, batch)?;
        Ok(Appended { position: self.state.head_position(), versions, replayed: false })
    }

    fn write_stream(&mut self, prepared: &Prepared, append: &StreamAppend) -> rusqlite::Result<Version> {
        let Prepared { batch, metadata, correlation, .. } = prepared;
        let head = self.state.head(&mut self.find_stream, &append.stream)?;
        if append.events.is_empty() {
            return Ok(Version::new(head.version));
        }
        let last = head.version + append.events.len() as u64;
        let mut begins_flow = !head.continues(correlation);
        let number = self.state.advance(self.connection, &append.stream, head, last, correlation)?;
        for (event, version) in append.events.iter().zip(head.version + 1..) {
            let (event_type, type_number) =
                self.state.event_type(self.connection, &event.event_type, event.schema_version)?;
            let position = self.state.position + 1;
            self.insert_event.execute((
                sql::integer(position),
                number,
                sql::integer(version),
                type_number,
                batch.time.as_micros(),
                event.id.uuid().as_bytes(),
                correlation,
                std::mem::take(&mut begins_flow),
                &metadata.bytes()[..],
                &event.payload[..],
            ))?;
            self.state.position = position;
            self.state.recorded.push(Arc::new(RecordedEvent {
                position: Position::new(position),
                stream: append.stream.clone(),
                version: Version::new(version),
                id: event.id,
                event_type,
                schema_version: event.schema_version,
                time: batch.time,
                metadata: metadata.clone(),
                payload: event.payload.clone(),
            }));
        }
        Ok(Version::new(last))
    }
}
