//! Saga rows, timers and effects, written with the events that move them.

use super::{append::Stop, sql, sql::CorrelationKey};
use gallae_core::{SagaId, Timestamp, saga::Cause};
use gallae_ports::{
    AppendBatch, AppendError, EarlyWrite, EffectRow, SagaRow, SagaWrite, TimerRow, TimerWrite,
};
use rusqlite::{Connection, OptionalExtension, types::Type};

/// Version and epoch of a row.
type Place = (u64, u64);

/// Refuses a batch whose saga rows stand elsewhere. Looks at the rows as the batch's earlier writes would leave them.
pub(super) fn check(connection: &Connection, batch: &AppendBatch) -> Result<(), Stop> {
    for (index, write) in batch.sagas.iter().enumerate() {
        let earlier = &batch.sagas[..index];
        let (row, fits) = match write {
            SagaWrite::Insert(row) => (row, is_free(connection, earlier, row)?),
            SagaWrite::Update { row, expected } => {
                let place = place(connection, earlier, row.id)?;
                let fits =
                    place.is_some_and(|(version, epoch)| version == expected.get() && epoch <= row.epoch);
                (row, fits)
            }
        };
        if !fits {
            return Err(AppendError::SagaConflict { saga: row.id }.into());
        }
    }
    Ok(())
}

fn row_of(write: &SagaWrite) -> &SagaRow {
    match write {
        SagaWrite::Insert(row) | SagaWrite::Update { row, .. } => row,
    }
}

fn place(connection: &Connection, earlier: &[SagaWrite], id: SagaId) -> rusqlite::Result<Option<Place>> {
    if let Some(row) = earlier.iter().rev().map(row_of).find(|row| row.id == id) {
        return Ok(Some((row.version.get(), row.epoch)));
    }
    connection
        .prepare_cached("SELECT version, epoch FROM sagas WHERE id = ?1")?
        .query_row([id.uuid().as_bytes()], |row| Ok((sql::unsigned(row, 0)?, sql::unsigned(row, 1)?)))
        .optional()
}

fn is_free(connection: &Connection, earlier: &[SagaWrite], row: &SagaRow) -> rusqlite::Result<bool> {
    let same_key =
        |other: &SagaRow| other.definition == row.definition && other.business_key == row.business_key;
    if earlier.iter().map(row_of).any(|other| other.id == row.id || same_key(other)) {
        return Ok(false);
    }
    let by_id =
        connection.prepare_cached("SELECT 1 FROM sagas WHERE id = ?1")?.exists([row.id.uuid().as_bytes()])?;
    let by_key = || {
        connection
            .prepare_cached("SELECT 1 FROM sagas WHERE definition = ?1 AND business_key = ?2")?
            .exists((&row.definition, &row.business_key))
    };
    Ok(!by_id && !by_key()?)
}

pub(super) fn write(connection: &Connection, batch: &AppendBatch) -> rusqlite::Result<()> {
    for write in &batch.sagas {
        match write {
            SagaWrite::Insert(row) => store_saga(connection, row, INSERT_SAGA)?,
            SagaWrite::Update { row, .. } => store_saga(connection, row, UPDATE_SAGA)?,
        }
    }
    for write in &batch.timers {
        store_timer(connection, write)?;
    }
    for effect in &batch.effects {
        store_effect(connection, effect)?;
    }
    for write in &batch.early {
        store_early(connection, write)?;
    }
    Ok(())
}

const INSERT_SAGA: &str = "
    INSERT INTO sagas (id, definition, definition_version, definition_hash, business_key, status, cause, step, reason,
        version, partition, epoch, next_due, deadline, correlation, user, started_at, updated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

const UPDATE_SAGA: &str = "
    UPDATE sagas SET definition = ?2, definition_version = ?3, definition_hash = ?4, business_key = ?5, status = ?6,
        cause = ?7, step = ?8, reason = ?9, version = ?10, partition = ?11, epoch = ?12, next_due = ?13, deadline = ?14,
        correlation = ?15, user = ?16, started_at = ?17, updated_at = ?18
    WHERE id = ?1";

fn store_saga(connection: &Connection, row: &SagaRow, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute(rusqlite::params![
        row.id.uuid().as_bytes(),
        row.definition,
        row.definition_version,
        row.definition_hash,
        row.business_key,
        row.status.as_str(),
        row.cause.map(Cause::as_str),
        row.step,
        row.reason,
        sql::integer(row.version.get()),
        row.partition,
        sql::integer(row.epoch),
        row.next_due.map(Timestamp::as_micros),
        row.deadline.map(Timestamp::as_micros),
        CorrelationKey::from(&row.correlation_id),
        row.user.map(uuid::Uuid::into_bytes),
        row.started_at.as_micros(),
        row.updated_at.as_micros(),
    ])?;
    Ok(())
}

fn store_timer(connection: &Connection, write: &TimerWrite) -> rusqlite::Result<()> {
    match write {
        TimerWrite::Set(timer) => set_timer(connection, timer),
        TimerWrite::Remove { saga, timer } => connection
            .prepare_cached("DELETE FROM timers WHERE saga = ?1 AND timer = ?2")?
            .execute((saga.uuid().as_bytes(), timer)),
        TimerWrite::RemoveAll { saga } => {
            connection.prepare_cached("DELETE FROM timers WHERE saga = ?1")?.execute([saga.uuid().as_bytes()])
        }
    }
    .map(drop)
}

fn set_timer(connection: &Connection, timer: &TimerRow) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO timers (saga, timer, partition, kind, fire_at, fail_count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            timer.saga.uuid().as_bytes(),
            &timer.timer,
            timer.partition,
            timer.kind.as_str(),
            timer.fire_at.as_micros(),
            timer.fail_count,
        ))
}

fn store_effect(connection: &Connection, effect: &EffectRow) -> rusqlite::Result<()> {
    let response = effect
        .response
        .as_ref()
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| sql::unreadable(9, Type::Text, error))?;
    connection
        .prepare_cached(
            "INSERT INTO effects (saga, key, step, direction, request_hash, state, first_sent_at, attempts, response, epoch)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (saga, key) DO UPDATE SET step = ?3, direction = ?4, request_hash = ?5, state = ?6,
                 first_sent_at = ?7, attempts = ?8, response = ?9, epoch = ?10",
        )?
        .execute((
            effect.saga.uuid().as_bytes(),
            &effect.key,
            &effect.step,
            effect.direction.as_str(),
            &effect.request_hash,
            effect.state.as_str(),
            effect.first_sent_at.as_micros(),
            effect.attempts,
            response,
            sql::integer(effect.epoch),
        ))?;
    Ok(())
}

fn store_early(connection: &Connection, write: &EarlyWrite) -> rusqlite::Result<()> {
    match write {
        EarlyWrite::Put(message) => connection
            .prepare_cached(
                "INSERT INTO early_messages (saga, message_id, signal, payload, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (saga, message_id) DO UPDATE SET signal = ?3, payload = ?4, expires_at = ?5",
            )?
            .execute((
                message.saga.uuid().as_bytes(),
                &message.message_id,
                &message.signal,
                message.payload.to_string(),
                message.expires_at.as_micros(),
            )),
        EarlyWrite::Remove { saga, message_id } => connection
            .prepare_cached("DELETE FROM early_messages WHERE saga = ?1 AND message_id = ?2")?
            .execute((saga.uuid().as_bytes(), message_id)),
    }
    .map(drop)
}
