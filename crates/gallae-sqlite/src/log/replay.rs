//! Retries of unknown outcomes: the batch's first event already stands where it would be written, with the same id.

use super::{sql, state::State};
use gallae_core::{Position, Version};
use gallae_ports::{AppendBatch, Appended, Expected, StreamAppend};
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use uuid::Uuid;

/// The original answer, if this batch was written before.
pub(super) fn find(
    connection: &Connection,
    state: &mut State,
    find_stream: &mut CachedStatement<'_>,
    batch: &AppendBatch,
) -> rusqlite::Result<Option<Appended>> {
    let Some(first) = batch.streams.iter().find(|append| !append.events.is_empty()) else {
        return Ok(None);
    };
    let start = match first.expected {
        Expected::NoStream => position_after(connection, state, find_stream, first, 0)?,
        Expected::Exact(version) => position_after(connection, state, find_stream, first, version.get())?,
        Expected::Any => position_of_record(connection, batch)?,
    };
    let Some(start) = start else { return Ok(None) };
    let mut event_at = connection.prepare_cached("SELECT id, version FROM events WHERE position = ?1")?;
    let mut event_at = |position: u64| -> rusqlite::Result<Option<(Uuid, Version)>> {
        let read = |row: &rusqlite::Row<'_>| Ok((sql::uuid(row, 0)?, Version::new(sql::unsigned(row, 1)?)));
        event_at.query_row([sql::integer(position)], read).optional()
    };
    if event_at(start)?.map(|(id, _)| id) != Some(first.events[0].id.uuid()) {
        return Ok(None);
    }
    let mut position = start - 1;
    let mut versions = Vec::with_capacity(batch.streams.len());
    for append in &batch.streams {
        let Some(last) = append.events.last() else {
            versions.push(Version::new(state.head(find_stream, &append.stream)?.version));
            continue;
        };
        position += append.events.len() as u64;
        match event_at(position)? {
            Some((id, version)) if id == last.id.uuid() => versions.push(version),
            // The first event is there but the rest is another batch's: the caller reuses ids; to it this is a conflict.
            _ => return Ok(None),
        }
    }
    Ok(Some(Appended { position: Position::new(position), versions, replayed: true }))
}

/// Where the event after `version` stands, if the stream has one. Costs nothing for a stream that stands where it is expected.
fn position_after(
    connection: &Connection,
    state: &mut State,
    find_stream: &mut CachedStatement<'_>,
    append: &StreamAppend,
    version: u64,
) -> rusqlite::Result<Option<u64>> {
    let head = state.head(find_stream, &append.stream)?;
    let Some(number) = head.number.filter(|_| head.version > version) else { return Ok(None) };
    connection
        .prepare_cached("SELECT position FROM events WHERE stream = ?1 AND version = ?2")?
        .query_row((number, sql::integer(version + 1)), |row| sql::unsigned(row, 0))
        .optional()
}

/// Where the batch that left the idempotency record began.
fn position_of_record(connection: &Connection, batch: &AppendBatch) -> rusqlite::Result<Option<u64>> {
    let Some(record) = &batch.idempotency else { return Ok(None) };
    let position = connection
        .prepare_cached("SELECT first_position FROM idempotency WHERE key = ?1")?
        .query_row([&record.key], |row| row.get::<_, Option<i64>>(0))
        .optional()?;
    Ok(position.flatten().map(i64::cast_unsigned))
}
