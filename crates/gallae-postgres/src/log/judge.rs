//! Deciding a batch with the rows at hand, in the order of refusals that the port lays down.

use super::{
    facts::Facts,
    known::Known,
    prepared::{Prepared, saga_row},
    writes::{ClaimChange, Writes},
};
use gallae_core::{Position, Version};
use gallae_ports::{AppendBatch, AppendError, Appended, Claim, HeldClaim, SagaRow, SagaWrite};
use std::collections::BTreeMap;

/// Decides batches one after the other; each sees what those before it would leave.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    pub(super) facts: Facts,
    pub(super) writes: Writes<'a>,
    /// Claims as they are stored.
    owners: &'a BTreeMap<String, HeldClaim>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(facts: Facts, owners: &'a BTreeMap<String, HeldClaim>) -> Self {
        Self { facts, writes: Writes::default(), owners }
    }

    /// Writes a batch into the group, or says why not. A refusal leaves no trace.
    pub(super) fn judge(
        &mut self,
        known: &mut Known,
        prepared: &'a Prepared,
    ) -> Result<Appended, AppendError> {
        if let Some(appended) = self.replay(prepared) {
            return Ok(appended);
        }
        self.check(&prepared.batch)?;
        Ok(self.write(known, prepared))
    }

    /// What there is to say of a batch that is not to be written: the answer of the first time, or a refusal, or, if it writes
    /// nothing by its nature, success at the present head. `None`: nothing stands against it.
    pub(super) fn look(&self, prepared: &Prepared) -> Result<Option<Appended>, AppendError> {
        if let Some(appended) = self.replay(prepared) {
            return Ok(Some(appended));
        }
        self.check(&prepared.batch)?;
        if !prepared.writes_nothing() {
            return Ok(None);
        }
        let versions = prepared.batch.streams.iter().map(|append| Version::new(self.head(&append.stream)));
        let position = Position::new(self.facts.position);
        Ok(Some(Appended { position, versions: versions.collect(), replayed: false }))
    }

    /// The original answer, if the batch was written before.
    fn replay(&self, prepared: &Prepared) -> Option<Appended> {
        let start = self.facts.start(prepared)?;
        let streams = &prepared.batch.streams;
        let first = streams.iter().find(|append| !append.events.is_empty())?;
        if self.facts.events.get(&start)?.0 != first.events[0].id.uuid() {
            return None;
        }
        let mut position = start - 1;
        let mut versions = Vec::with_capacity(streams.len());
        for append in streams {
            let Some(last) = append.events.last() else {
                versions.push(Version::new(self.head(&append.stream)));
                continue;
            };
            position += append.events.len() as u64;
            // When the first event is there but the rest is another batch's, the caller reuses ids; to it this is a conflict.
            let (id, version) = self.facts.events.get(&position)?;
            if *id != last.id.uuid() {
                return None;
            }
            versions.push(Version::new(*version));
        }
        Some(Appended { position: Position::new(position), versions, replayed: true })
    }

    fn head(&self, stream: &gallae_core::StreamId) -> u64 {
        self.facts.heads.get(stream).copied().unwrap_or(0)
    }

    fn check(&self, batch: &AppendBatch) -> Result<(), AppendError> {
        self.check_fence(batch)?;
        self.check_idempotency(batch)?;
        self.check_inbox(batch)?;
        let streams = batch.streams.iter().map(|append| (&append.stream, append.expected));
        let guards = batch.guards.iter().map(|guard| (&guard.stream, guard.expected));
        for (stream, expected) in streams.chain(guards) {
            let actual = Version::new(self.head(stream));
            if !expected.accepts(actual) {
                return Err(AppendError::Conflict { stream: stream.clone(), expected, actual });
            }
        }
        self.check_claims(batch)?;
        self.check_sagas(batch)
    }

    fn check_fence(&self, batch: &AppendBatch) -> Result<(), AppendError> {
        let Some(fence) = &batch.fence else { return Ok(()) };
        if self.facts.leases.get(&fence.lease) == Some(&fence.epoch) {
            return Ok(());
        }
        Err(AppendError::Fenced { lease: fence.lease.clone(), epoch: fence.epoch })
    }

    fn check_idempotency(&self, batch: &AppendBatch) -> Result<(), AppendError> {
        let Some(record) = &batch.idempotency else { return Ok(()) };
        match self.facts.idempotency.get(&record.key) {
            Some((used, _)) if used.expires_at > batch.time => Err(AppendError::Duplicate(used.clone())),
            _ => Ok(()),
        }
    }

    fn check_inbox(&self, batch: &AppendBatch) -> Result<(), AppendError> {
        for (index, entry) in batch.inbox.iter().enumerate() {
            let (consumer, message_id) = (entry.consumer.clone(), entry.message_id.clone());
            let key = (consumer, message_id);
            if batch.inbox[..index].contains(entry) || self.facts.inbox.contains(&key) {
                return Err(AppendError::InboxDuplicate { consumer: key.0, message_id: key.1 });
            }
        }
        Ok(())
    }

    fn check_claims(&self, batch: &AppendBatch) -> Result<(), AppendError> {
        for (index, claim) in batch.claims.iter().enumerate() {
            let Claim::Take { key, owner, .. } = claim else { continue };
            let holder = self.holder_within(&batch.claims[..index], key, batch);
            if let Some(held) = holder.filter(|held| held.owner != *owner) {
                let HeldClaim { owner, expires_at } = held;
                return Err(AppendError::ClaimTaken { key: key.clone(), owner, expires_at });
            }
        }
        Ok(())
    }

    /// Who holds `key` after the batch's `earlier` claims.
    fn holder_within(&self, earlier: &[Claim], key: &str, batch: &AppendBatch) -> Option<HeldClaim> {
        let live = |held: &&HeldClaim| held.expires_at.is_none_or(|until| until > batch.time);
        let mut held = self.facts.claims.get(key).filter(live).cloned();
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
        held
    }

    fn check_sagas(&self, batch: &AppendBatch) -> Result<(), AppendError> {
        for (index, write) in batch.sagas.iter().enumerate() {
            let earlier = || batch.sagas[..index].iter().map(saga_row);
            let row = saga_row(write);
            let place = earlier()
                .rev()
                .find(|other| other.id == row.id)
                .map(|other| (other.version.get(), other.epoch));
            let place = place.or_else(|| self.facts.sagas.get(&row.id).copied());
            let fits = match write {
                SagaWrite::Insert(row) => {
                    let same_key = |other: &SagaRow| {
                        other.definition == row.definition && other.business_key == row.business_key
                    };
                    let key = (row.definition.clone(), row.business_key.clone());
                    place.is_none() && !earlier().any(same_key) && !self.facts.saga_keys.contains(&key)
                }
                SagaWrite::Update { row, expected } => {
                    place.is_some_and(|(version, epoch)| version == expected.get() && epoch <= row.epoch)
                }
            };
            if !fits {
                return Err(AppendError::SagaConflict { saga: row.id });
            }
        }
        Ok(())
    }

    fn write(&mut self, known: &mut Known, prepared: &'a Prepared) -> Appended {
        let batch = &prepared.batch;
        let first = known.position + 1;
        let heads: Vec<u64> = batch.streams.iter().map(|append| self.head(&append.stream)).collect();
        let written = self.writes.events.len();
        let versions = self.writes.add_events(known, prepared, &heads);
        for (row, position) in self.writes.events[written..].iter().zip(first..) {
            let id = row.event.id.uuid();
            self.facts.events.insert(position, (id, row.version));
            self.facts.firsts.insert((row.stream.to_owned(), row.version), (position, id));
        }
        for (append, version) in batch.streams.iter().zip(&versions) {
            self.facts.heads.insert(append.stream.clone(), version.get());
        }
        let first = (known.position >= first).then_some(first);
        self.writes.add_records(known, batch, first);
        self.note_records(batch, first);
        for claim in &batch.claims {
            self.write_claim(claim);
        }
        Appended { position: Position::new(known.position), versions, replayed: false }
    }

    /// Lets later batches see this one's records.
    fn note_records(&mut self, batch: &AppendBatch, first: Option<u64>) {
        let facts = &mut self.facts;
        if let Some(record) = &batch.idempotency {
            facts.idempotency.insert(record.key.clone(), (record.clone(), first));
        }
        facts
            .inbox
            .extend(batch.inbox.iter().map(|entry| (entry.consumer.clone(), entry.message_id.clone())));
        for row in batch.sagas.iter().map(saga_row) {
            facts.sagas.insert(row.id, (row.version.get(), row.epoch));
            facts.saga_keys.insert((row.definition.clone(), row.business_key.clone()));
        }
    }

    fn write_claim(&mut self, claim: &'a Claim) {
        match claim {
            Claim::Take { key, owner, expires_at } => {
                let held = HeldClaim { owner: owner.clone(), expires_at: *expires_at };
                self.facts.claims.insert(key.clone(), held);
                self.writes.claims.insert(key, (owner, ClaimChange::Take(*expires_at)));
            }
            Claim::Release { key, owner } => {
                if self.facts.claims.get(key).is_none_or(|held| held.owner != *owner) {
                    return;
                }
                self.facts.claims.remove(key);
                // What is to be deleted is the row as it is stored, whoever held it since.
                match self.owners.get(key.as_str()) {
                    Some(stored) => self.writes.claims.insert(key, (&stored.owner, ClaimChange::Release)),
                    None => self.writes.claims.remove(key.as_str()),
                };
            }
        }
    }
}
