//! A batch with everything computed that the batcher need not do.

use gallae_core::{CorrelationId, StoredMetadata};
use gallae_ports::{AppendBatch, AppendError, Claim, SagaRow, SagaWrite, TimerWrite};
use std::sync::Arc;
use uuid::Uuid;

/// The longest text that is part of a key: longer ones do not fit an index's page.
const MAX_KEY: usize = 2_000;

/// A batch that may be queued.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) batch: AppendBatch,
    pub(super) metadata: StoredMetadata,
    /// See [`correlation_key`].
    pub(super) correlation: Arc<[u8]>,
    /// Bytes of payloads, response and metadata.
    pub(super) size: usize,
}

impl Prepared {
    pub(super) fn new(batch: AppendBatch) -> Result<Self, AppendError> {
        batch.validate()?;
        check_texts(&batch)?;
        let metadata = StoredMetadata::encode(Arc::clone(&batch.metadata));
        let correlation = correlation_key(&batch.metadata.correlation_id).into();
        let size = batch.size() + metadata.bytes().len() * events(&batch);
        Ok(Self { batch, metadata, correlation, size })
    }

    /// How many events it writes.
    pub(super) fn events(&self) -> usize {
        events(&self.batch)
    }

    /// Whether it only looks: at guards, streams that it does not write, the fence.
    pub(super) fn writes_nothing(&self) -> bool {
        let batch = &self.batch;
        events(batch) == 0
            && batch.idempotency.is_none()
            && batch.claims.is_empty()
            && batch.inbox.is_empty()
            && batch.sagas.is_empty()
            && batch.timers.is_empty()
            && batch.effects.is_empty()
            && batch.early.is_empty()
    }
}

fn events(batch: &AppendBatch) -> usize {
    batch.streams.iter().map(|append| append.events.len()).sum()
}

/// A correlation id as it is stored: the 16 bytes of a UUID in its usual form, which sort by time when it is a v7 and keep the
/// index growing at its end; for anything else a zero byte, with which no UUID of ours begins, and the text.
pub(super) fn correlation_key(id: &CorrelationId) -> Vec<u8> {
    match Uuid::try_parse(id.as_str()) {
        Ok(uuid) if CorrelationId::new(uuid) == *id && !uuid.is_nil() => uuid.as_bytes().to_vec(),
        _ => [b"\0", id.as_str().as_bytes()].concat(),
    }
}

/// Refuses what PostgreSQL's texts and indexes cannot hold, before it spoils a transaction for others.
fn check_texts(batch: &AppendBatch) -> Result<(), AppendError> {
    let keys = keys(batch);
    if keys.iter().any(|key| key.len() > MAX_KEY) {
        return Err(AppendError::Invalid { reason: "a key is longer than 2000 bytes" });
    }
    if keys.iter().copied().chain(words(batch)).any(|text| text.contains('\0')) {
        return Err(AppendError::Invalid { reason: "a text holds the character NUL" });
    }
    Ok(())
}

fn keys(batch: &AppendBatch) -> Vec<&str> {
    let mut keys: Vec<&str> = batch.streams.iter().map(|append| append.stream.as_str()).collect();
    keys.push(batch.metadata.correlation_id.as_str());
    keys.extend(batch.idempotency.iter().map(|record| record.key.as_str()));
    keys.extend(batch.claims.iter().map(|claim| match claim {
        Claim::Take { key, .. } | Claim::Release { key, .. } => key.as_str(),
    }));
    for entry in &batch.inbox {
        keys.extend([entry.consumer.as_str(), &entry.message_id]);
    }
    for row in batch.sagas.iter().map(saga_row) {
        keys.extend([row.definition.as_str(), &row.business_key]);
    }
    for write in &batch.timers {
        match write {
            TimerWrite::Set(row) => keys.push(&row.timer),
            TimerWrite::Remove { timer, .. } => keys.push(timer),
            TimerWrite::RemoveAll { .. } => {}
        }
    }
    keys.extend(batch.effects.iter().map(|effect| effect.key.as_str()));
    keys.extend(batch.fence.iter().map(|fence| fence.lease.as_str()));
    keys
}

fn words(batch: &AppendBatch) -> impl Iterator<Item = &str> {
    let types = batch.streams.iter().flat_map(|append| &append.events).map(|event| &*event.event_type);
    let owners = batch.claims.iter().map(|claim| match claim {
        Claim::Take { owner, .. } | Claim::Release { owner, .. } => owner.as_str(),
    });
    let fingerprints = batch.idempotency.iter().map(|record| record.fingerprint.as_str());
    let sagas = batch.sagas.iter().map(saga_row).flat_map(|row| {
        [Some(&row.definition_hash), row.step.as_ref(), row.reason.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
    });
    let effects = batch.effects.iter().flat_map(|effect| [effect.step.as_str(), &effect.request_hash]);
    types.chain(owners).chain(fingerprints).chain(sagas).chain(effects)
}

pub(super) fn saga_row(write: &SagaWrite) -> &SagaRow {
    match write {
        SagaWrite::Insert(row) | SagaWrite::Update { row, .. } => row,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_usual_form_of_a_uuid_is_stored_as_its_bytes() {
        let key = |text: &str| correlation_key(&text.parse().unwrap());
        let usual = "0190d3a0-7b1c-7000-8000-00000000002a";
        assert_eq!(key(usual).len(), 16);
        for other in [usual.to_uppercase(), usual.replace('-', ""), "import-7".to_owned()] {
            assert_eq!(key(&other), [b"\0", other.as_bytes()].concat());
        }
    }
}
