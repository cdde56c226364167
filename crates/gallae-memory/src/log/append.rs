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
        let metadata = StoredMetadata::encode(Arc::clone(&batch.metadata))
            .map_err(|_| AppendError::Invalid { reason: "its metadata cannot be written as JSON" })?;
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
        self.records.write(claims, &batch);
        self.sagas.write(sagas, &batch.timers, &batch.effects);
        let versions = self.write_events(batch, &metadata);
        Ok(Appended { position: self.head(), versions, replayed: false })
    }

    /// The original answer, when the first event whose version the batch names stands there with the same id.
    fn replayed(&self, batch: &AppendBatch) -> Option<Appended> {
        let mut before = 0;
        let mut found = None;
        for append in &batch.streams {
            let (first, version) = (append.events.first(), first_version(append.expected));
            if let (Some(event), Some(version)) = (first, version) {
                found = Some((&append.stream, version, event.id, before));
                break;
            }
            before += append.events.len() as u64;
        }
        let (stream, version, id, before) = found?;
        let position = *self.streams.get(stream)?.get(version.get() as usize - 1)?;
        if self.event(position)?.id != id {
            return None;
        }
        Some(self.original_answer(batch, position.get() - before))
    }

    /// What was answered to the batch whose first event stands at position `first`.
    fn original_answer(&self, batch: &AppendBatch, first: u64) -> Appended {
        let mut next = first;
        let mut versions = Vec::with_capacity(batch.streams.len());
        for append in &batch.streams {
            next += append.events.len() as u64;
            versions.push(match append.expected {
                Expected::Exact(version) => version.plus(append.events.len() as u64),
                Expected::NoStream => Version::new(append.events.len() as u64),
                Expected::Any => {
                    self.event(Position::new(next - 1)).map_or(Version::NONE, |event| event.version)
                }
            });
        }
        Appended { position: Position::new(next - 1), versions, replayed: true }
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

/// The version that the first event of an append will have, as far as the batch says.
fn first_version(expected: Expected) -> Option<Version> {
    match expected {
        Expected::NoStream => Some(Version::NONE.next()),
        Expected::Exact(version) => Some(version.next()),
        Expected::Any => None,
    }
}
