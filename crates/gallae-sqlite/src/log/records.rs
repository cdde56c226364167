//! What commits together with events: the fence, idempotency records, inbox entries and claims. First all is checked, then all
//! is written, so that a refusal leaves no trace.

use super::{append::Stop, sql};
use bytes::Bytes;
use gallae_core::{Position, Timestamp};
use gallae_ports::{AppendBatch, AppendError, Claim, HeldClaim, IdempotencyRecord};
use rusqlite::{Connection, OptionalExtension};

pub(super) fn check_fence(connection: &Connection, batch: &AppendBatch) -> Result<(), Stop> {
    let Some(fence) = &batch.fence else { return Ok(()) };
    let epoch = connection
        .prepare_cached("SELECT epoch FROM leases WHERE name = ?1 AND owner <> ''")?
        .query_row([&fence.lease], |row| sql::unsigned(row, 0))
        .optional()?;
    if epoch == Some(fence.epoch) {
        return Ok(());
    }
    Err(AppendError::Fenced { lease: fence.lease.clone(), epoch: fence.epoch }.into())
}

pub(super) fn check_idempotency(connection: &Connection, batch: &AppendBatch) -> Result<(), Stop> {
    let Some(record) = &batch.idempotency else { return Ok(()) };
    match find_record(connection, &record.key, batch.time)? {
        Some(used) => Err(AppendError::Duplicate(used).into()),
        None => Ok(()),
    }
}

pub(super) fn check_inbox(connection: &Connection, batch: &AppendBatch) -> Result<(), Stop> {
    if batch.inbox.is_empty() {
        return Ok(());
    }
    let mut find =
        connection.prepare_cached("SELECT 1 FROM inbox WHERE consumer = ?1 AND message_id = ?2")?;
    for (index, entry) in batch.inbox.iter().enumerate() {
        if batch.inbox[..index].contains(entry) || find.exists((&entry.consumer, &entry.message_id))? {
            let (consumer, message_id) = (entry.consumer.clone(), entry.message_id.clone());
            return Err(AppendError::InboxDuplicate { consumer, message_id }.into());
        }
    }
    Ok(())
}

pub(super) fn check_claims(connection: &Connection, batch: &AppendBatch) -> Result<(), Stop> {
    for (index, claim) in batch.claims.iter().enumerate() {
        let Claim::Take { key, owner, .. } = claim else { continue };
        let holder = holder_within(connection, &batch.claims[..index], key, batch.time)?;
        if let Some(HeldClaim { owner: other, expires_at }) = holder.filter(|held| held.owner != *owner) {
            return Err(AppendError::ClaimTaken { key: key.clone(), owner: other, expires_at }.into());
        }
    }
    Ok(())
}

/// Who holds `key` after the batch's `earlier` claims.
fn holder_within(
    connection: &Connection,
    earlier: &[Claim],
    key: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<HeldClaim>> {
    let mut held = find_claim(connection, key, now)?;
    for claim in earlier {
        match claim {
            Claim::Take { key: taken, owner, expires_at } if taken == key => {
                held = Some(HeldClaim { owner: owner.clone(), expires_at: *expires_at });
            }
            Claim::Release { key: released, owner } if released == key => {
                held = held.filter(|held| held.owner != *owner);
            }
            _ => {}
        }
    }
    Ok(held)
}

pub(super) fn write(
    connection: &Connection,
    batch: &AppendBatch,
    first_position: Option<Position>,
) -> rusqlite::Result<()> {
    if let Some(record) = &batch.idempotency {
        // Replaces at most a record that has expired: a live one was refused above.
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO idempotency (key, fingerprint, response, expires_at, first_position)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((
                &record.key,
                &record.fingerprint,
                &record.response[..],
                record.expires_at.as_micros(),
                first_position.map(|position| sql::integer(position.get())),
            ))?;
    }
    for entry in &batch.inbox {
        connection
            .prepare_cached("INSERT INTO inbox (consumer, message_id, applied_at) VALUES (?1, ?2, ?3)")?
            .execute((&entry.consumer, &entry.message_id, batch.time.as_micros()))?;
    }
    for claim in &batch.claims {
        write_claim(connection, claim)?;
    }
    Ok(())
}

fn write_claim(connection: &Connection, claim: &Claim) -> rusqlite::Result<()> {
    match claim {
        Claim::Take { key, owner, expires_at } => connection
            .prepare_cached("INSERT OR REPLACE INTO claims (key, owner, expires_at) VALUES (?1, ?2, ?3)")?
            .execute((key, owner, expires_at.map(Timestamp::as_micros)))?,
        Claim::Release { key, owner } => connection
            .prepare_cached("DELETE FROM claims WHERE key = ?1 AND owner = ?2")?
            .execute((key, owner))?,
    };
    Ok(())
}

pub(super) fn find_record(
    connection: &Connection,
    key: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<IdempotencyRecord>> {
    connection
        .prepare_cached(
            "SELECT key, fingerprint, response, expires_at FROM idempotency WHERE key = ?1 AND expires_at > ?2",
        )?
        .query_row((key, now.as_micros()), |row| {
            Ok(IdempotencyRecord {
                key: row.get(0)?,
                fingerprint: row.get(1)?,
                response: Bytes::copy_from_slice(row.get_ref(2)?.as_blob()?),
                expires_at: sql::time(row, 3)?,
            })
        })
        .optional()
}

pub(super) fn find_claim(
    connection: &Connection,
    key: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<HeldClaim>> {
    connection
        .prepare_cached(
            "SELECT owner, expires_at FROM claims WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)",
        )?
        .query_row((key, now.as_micros()), |row| {
            Ok(HeldClaim { owner: row.get(0)?, expires_at: sql::optional_time(row, 1)? })
        })
        .optional()
}
