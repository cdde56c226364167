//! What a group of appends writes in the end: each row once, however often the group changes it.

use super::{
    known::{Head, Known},
    prepared::Prepared,
};
use gallae_core::{Position, RecordedEvent, SagaId, Timestamp, Version};
use gallae_ports::{
    AppendBatch, EarlyMessage, EarlyWrite, EffectRow, IdempotencyRecord, InboxEntry, NewEvent, SagaRow,
    SagaWrite, TimerRow, TimerWrite,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The rows of one transaction.
#[derive(Debug, Default)]
pub(super) struct Writes<'a> {
    pub(super) events: Vec<EventRow<'a>>,
    /// The same events for readers.
    pub(super) recorded: Vec<Arc<RecordedEvent>>,
    /// With the position where the batch's events begin.
    pub(super) idempotency: BTreeMap<&'a str, (&'a IdempotencyRecord, Option<u64>)>,
    pub(super) inbox: Vec<(&'a InboxEntry, Timestamp)>,
    /// By key; `None` gives it back from the owner beside it.
    pub(super) claims: BTreeMap<&'a str, (&'a str, ClaimChange)>,
    pub(super) saga_inserts: BTreeMap<SagaId, &'a SagaRow>,
    pub(super) saga_updates: BTreeMap<SagaId, &'a SagaRow>,
    /// `None` removes the timer.
    pub(super) timers: BTreeMap<(SagaId, &'a str), Option<&'a TimerRow>>,
    /// Sagas whose every timer goes but those set above.
    pub(super) cleared: BTreeSet<SagaId>,
    pub(super) effects: BTreeMap<(SagaId, &'a str), &'a EffectRow>,
    /// `None` removes the message.
    pub(super) early: BTreeMap<(SagaId, &'a str), Option<&'a EarlyMessage>>,
}

/// What becomes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClaimChange {
    /// The owner holds it until then.
    Take(Option<Timestamp>),
    /// The owner no longer holds it.
    Release,
}

/// An event with what it shares with its batch.
#[derive(Debug)]
pub(super) struct EventRow<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) stream: &'a str,
    pub(super) version: u64,
    pub(super) event: &'a NewEvent,
    /// The correlation, unless the event before it in its stream is known to have the same.
    pub(super) begins_flow: Option<&'a [u8]>,
}

impl<'a> Writes<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.idempotency.is_empty()
            && self.inbox.is_empty()
            && self.claims.is_empty()
            && self.saga_inserts.is_empty()
            && self.saga_updates.is_empty()
            && self.timers.is_empty()
            && self.cleared.is_empty()
            && self.effects.is_empty()
            && self.early.is_empty()
    }

    /// Adds the events of a batch to streams that stand at `heads`, one for each; returns where they stand then.
    pub(super) fn add_events(
        &mut self,
        known: &mut Known,
        prepared: &'a Prepared,
        heads: &[u64],
    ) -> Vec<Version> {
        let streams = prepared.batch.streams.iter().zip(heads);
        let add = streams.map(|(append, head)| {
            let mut version = *head;
            if append.events.is_empty() {
                return Version::new(version);
            }
            let flow = &prepared.correlation;
            let before = known.heads.get(&append.stream).filter(|before| before.version == version);
            let goes_on = before.is_some_and(|before| before.flow.as_ref() == Some(flow));
            let mut begins_flow = (!goes_on).then_some(&flow[..]);
            for event in &append.events {
                version += 1;
                known.position += 1;
                let (stream, begins_flow) = (append.stream.as_str(), begins_flow.take());
                self.events.push(EventRow { prepared, stream, version, event, begins_flow });
                self.recorded.push(Arc::new(RecordedEvent {
                    position: Position::new(known.position),
                    stream: append.stream.clone(),
                    version: Version::new(version),
                    id: event.id,
                    event_type: known.event_type(&event.event_type),
                    schema_version: event.schema_version,
                    time: prepared.batch.time,
                    metadata: prepared.metadata.clone(),
                    payload: event.payload.clone(),
                }));
            }
            let head = Head { version, flow: Some(Arc::clone(flow)) };
            known.heads.insert(append.stream.clone(), head);
            Version::new(version)
        });
        add.collect()
    }

    /// Adds everything of a batch but events and claims.
    pub(super) fn add_records(
        &mut self,
        known: &mut Known,
        batch: &'a AppendBatch,
        first_position: Option<u64>,
    ) {
        if let Some(record) = &batch.idempotency {
            self.idempotency.insert(&record.key, (record, first_position));
        }
        self.inbox.extend(batch.inbox.iter().map(|entry| (entry, batch.time)));
        for write in &batch.sagas {
            self.add_saga(known, write);
        }
        for write in &batch.timers {
            self.add_timer(write);
        }
        for effect in &batch.effects {
            self.effects.insert((effect.saga, &effect.key), effect);
        }
        for write in &batch.early {
            match write {
                EarlyWrite::Put(message) => {
                    self.early.insert((message.saga, &message.message_id), Some(message));
                }
                EarlyWrite::Remove { saga, message_id } => {
                    self.early.insert((*saga, message_id), None);
                }
            }
        }
    }

    fn add_saga(&mut self, known: &mut Known, write: &'a SagaWrite) {
        let (SagaWrite::Insert(row) | SagaWrite::Update { row, .. }) = write;
        known.sagas.insert(row.id, (row.version.get(), row.epoch));
        let inserted = self.saga_inserts.contains_key(&row.id) || matches!(write, SagaWrite::Insert(_));
        if inserted {
            self.saga_inserts.insert(row.id, row);
        } else {
            self.saga_updates.insert(row.id, row);
        }
    }

    fn add_timer(&mut self, write: &'a TimerWrite) {
        match write {
            TimerWrite::Set(row) => {
                self.timers.insert((row.saga, &row.timer), Some(row));
            }
            TimerWrite::Remove { saga, timer } if self.cleared.contains(saga) => {
                self.timers.remove(&(*saga, timer.as_str()));
            }
            TimerWrite::Remove { saga, timer } => {
                self.timers.insert((*saga, timer), None);
            }
            TimerWrite::RemoveAll { saga } => {
                self.timers.retain(|(owner, _), _| owner != saga);
                self.cleared.insert(*saga);
            }
        }
    }
}
