//! One batch: checked whole, then written whole.

use super::State;
use gallae_core::{Position, RecordedEvent, StoredMetadata, Version};
use gallae_ports::{AppendBatch, AppendError, Appended, Expected};
use std::sync::Arc;

/// A batch whose metadata is written out, so that nothing can fail once the checks are through.
pub(super) struct EncodedBatch {
    batch: AppendBatch,
    metadata: StoredMetadata,
}

impl EncodedBatch {
    pub(super) fn new(batch: AppendBatch) -> Result<Self, AppendError> {
        batch.validate()?;
        let metadata = StoredMetadata::encode(Arc::clone(&batch.metadata));
        Ok(Self { batch, metadata })
    }
}

impl State {
    pub(super) fn append(&mut self, encoded: EncodedBatch) -> Result<Appended, AppendError> {
        let EncodedBatch { batch, metadata } = encoded;
        if let Some(appended) = self.replayed(&batch) {
            return Ok(appended);
        }
        self.records.check_once(&batch)?;
        self.leases.check_fence(batch.fence.as_ref())?;
        self.check_streams(&batch)?;
        let claims = self.records.claims_after(&batch)?;
        let sagas = self.sagas.rows_after(&batch.sagas)?;
        // From here on nothing fails.
        let first = self.head().next();
        self.records.write(claims, &batch, first);
        self.sagas.write(sagas, &batch);
        let versions = self.write_events(batch, &metadata);
        Ok(Appended { position: self.head(), versions, replayed: false })
    }

    /// The original answer, when the batch's first event already stands where it would be written. At any version that is
    /// where the batch that left the idempotency record began.
    fn replayed(&self, batch: &AppendBatch) -> Option<Appended> {
        let first = batch.streams.iter().find(|append| !append.events.is_empty())?;
        let position = match first.expected {
            Expected::NoStream => self.streams.get(&first.stream)?.first().copied(),
            Expected::Exact(after) => self.streams.get(&first.stream)?.get(after.get() as usize).copied(),
            Expected::Any => self.records.first_position(&batch.idempotency.as_ref()?.key),
        }?;
        let same = self.event(position)?.id == first.events.first()?.id;
        same.then(|| self.original_answer(batch, position))
    }

    /// What was answered to the batch whose first event stands at `first`.
    fn original_answer(&self, batch: &AppendBatch, first: Position) -> Appended {
        let mut next = first;
        let mut versions = Vec::with_capacity(batch.streams.len());
        for append in &batch.streams {
            next = next.plus(append.events.len() as u64);
            let written = self.event(Position::new(next.get() - 1)).map(|event| event.version);
            versions.push(match (append.expected, written) {
                (Expected::Exact(version), _) if append.events.is_empty() => version,
                (_, Some(version)) if !append.events.is_empty() => version,
                _ => self.stream_head(&append.stream),
            });
        }
        Appended { position: Position::new(next.get() - 1), versions, replayed: true }
    }

    fn check_streams(&self, batch: &AppendBatch) -> Result<(), AppendError> {
        let written = batch.streams.iter().map(|append| (&append.stream, append.expected));
        let read = batch.guards.iter().map(|guard| (&guard.stream, guard.expected));
        for (stream, expected) in written.chain(read) {
            let actual = self.stream_head(stream);
            if !expected.accepts(actual) {
                return Err(AppendError::Conflict { stream: stream.clone(), expected, actual });
            }
        }
        Ok(())
    }

    fn write_events(&mut self, batch: AppendBatch, metadata: &StoredMetadata) -> Vec<Version> {
        let mut versions = Vec::with_capacity(batch.streams.len());
        for append in batch.streams {
            let mut version = self.stream_head(&append.stream);
            for event in append.events {
                version = version.next();
                let position = self.head().next();
                self.events.push(Arc::new(RecordedEvent {
                    position,
                    stream: append.stream.clone(),
                    version,
                    id: event.id,
                    event_type: event.event_type.as_ref().into(),
                    schema_version: event.schema_version,
                    time: batch.time,
                    metadata: metadata.clone(),
                    payload: event.payload,
                }));
                self.streams.entry(append.stream.clone()).or_default().push(position);
                self.flows.entry(batch.metadata.correlation_id.clone()).or_default().push(position);
            }
            versions.push(version);
        }
        versions
    }
}
