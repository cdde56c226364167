//! The rows that decide a batch, read from the database.

use super::{
    known::SagaPlace,
    prepared::{Prepared, saga_row},
};
use gallae_core::{SagaId, StreamId};
use gallae_ports::{Claim, Expected, HeldClaim, IdempotencyRecord, SagaWrite};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// Which rows a group of batches needs.
#[derive(Debug, Default)]
pub(super) struct Needs<'a> {
    pub(super) streams: BTreeSet<&'a StreamId>,
    /// Where the first event of a batch would stand: stream and version.
    pub(super) firsts: BTreeSet<(&'a str, u64)>,
    pub(super) idempotency: BTreeSet<&'a str>,
    pub(super) inbox: BTreeSet<(&'a str, &'a str)>,
    pub(super) claims: BTreeSet<&'a str>,
    pub(super) sagas: BTreeSet<Uuid>,
    pub(super) saga_keys: BTreeSet<(&'a str, &'a str)>,
    pub(super) leases: BTreeSet<&'a str>,
}

impl<'a> Needs<'a> {
    pub(super) fn add(&mut self, prepared: &'a Prepared) {
        let batch = &prepared.batch;
        self.streams.extend(batch.streams.iter().map(|append| &append.stream));
        self.streams.extend(batch.guards.iter().map(|guard| &guard.stream));
        if let Some(first) = batch.streams.iter().find(|append| !append.events.is_empty())
            && let Some(version) = first_version(first.expected)
        {
            self.firsts.insert((first.stream.as_str(), version));
        }
        self.idempotency.extend(batch.idempotency.iter().map(|record| &*record.key));
        self.inbox.extend(batch.inbox.iter().map(|entry| (&*entry.consumer, &*entry.message_id)));
        self.claims.extend(batch.claims.iter().map(|claim| match claim {
            Claim::Take { key, .. } | Claim::Release { key, .. } => key.as_str(),
        }));
        for write in &batch.sagas {
            let row = saga_row(write);
            self.sagas.insert(row.id.uuid());
            if matches!(write, SagaWrite::Insert(_)) {
                self.saga_keys.insert((&row.definition, &row.business_key));
            }
        }
        self.leases.extend(batch.fence.iter().map(|fence| &*fence.lease));
    }
}

/// The version that the first event of a batch would have, if the batch says.
pub(super) fn first_version(expected: Expected) -> Option<u64> {
    match expected {
        Expected::NoStream => Some(1),
        Expected::Exact(version) => Some(version.get() + 1),
        Expected::Any => None,
    }
}

/// What was found. Absent means that there is no such row.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) position: u64,
    pub(super) batch: u64,
    pub(super) heads: HashMap<StreamId, u64>,
    /// Position and id of the event with this stream and version.
    pub(super) firsts: HashMap<(String, u64), (u64, Uuid)>,
    /// Also expired ones; with the position where their batch's events begin.
    pub(super) idempotency: HashMap<String, (IdempotencyRecord, Option<u64>)>,
    pub(super) inbox: HashSet<(String, String)>,
    /// Also expired ones.
    pub(super) claims: BTreeMap<String, HeldClaim>,
    pub(super) sagas: HashMap<SagaId, SagaPlace>,
    pub(super) saga_keys: HashSet<(String, String)>,
    /// Epochs of leases that somebody holds.
    pub(super) leases: HashMap<String, u64>,
    /// Id and version of the event at this position.
    pub(super) events: HashMap<u64, (Uuid, u64)>,
}

impl Facts {
    /// The position where a batch's events begin if they were written before, as far as its first event tells.
    pub(super) fn start(&self, prepared: &Prepared) -> Option<u64> {
        let batch = &prepared.batch;
        let first = batch.streams.iter().find(|append| !append.events.is_empty())?;
        let id = first.events[0].id.uuid();
        match first_version(first.expected) {
            Some(version) => {
                let (position, found) = self.firsts.get(&(first.stream.as_str().to_owned(), version))?;
                (*found == id).then_some(*position)
            }
            None => self.idempotency.get(&batch.idempotency.as_ref()?.key)?.1,
        }
    }

    /// The positions that must be looked at to know whether a batch was written before.
    pub(super) fn to_look_at(&self, prepared: &Prepared) -> Vec<u64> {
        let Some(start) = self.start(prepared) else { return Vec::new() };
        let mut positions = vec![start];
        let mut last = start - 1;
        for append in prepared.batch.streams.iter().filter(|append| !append.events.is_empty()) {
            last += append.events.len() as u64;
            positions.push(last);
        }
        positions
    }
}
