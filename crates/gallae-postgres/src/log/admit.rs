//! Deciding a batch from memory. What is not known is assumed to be as the batch needs it, and the statement that writes the group
//! makes sure: it moves the counter only if every assumption holds and nobody else has written.

use super::{
    known::Known,
    prepared::Prepared,
    writes::{ClaimChange, Writes},
};
use gallae_core::Position;
use gallae_core::{StreamId, Timestamp, Version};
use gallae_ports::{AppendBatch, AppendError, Appended, Claim, Expected, SagaWrite};
use std::collections::{BTreeMap, HashSet};

/// What the group takes for granted.
#[derive(Debug, Default)]
pub(super) struct Assumed<'a> {
    /// Streams that have this version. That they have no later one is seen by the index when they are written.
    pub(super) reached: Vec<(&'a str, u64)>,
    /// Streams that do not have this version, and are not written.
    pub(super) unreached: Vec<(&'a str, u64)>,
    /// Leases that are held at this epoch.
    pub(super) leases: BTreeMap<&'a str, u64>,
    /// Keys that nobody but this owner holds at this time.
    pub(super) claims: Vec<(&'a str, &'a str, Timestamp)>,
    /// Saga rows at this version, and at most at this epoch.
    pub(super) sagas: Vec<(gallae_core::SagaId, u64, u64)>,
}

/// What becomes of a batch.
#[derive(Debug)]
pub(super) enum Admission {
    /// It is among the group's writes.
    Accepted(Appended),
    /// It writes nothing, by its nature or because of this conflict: the database is only to be asked whether there is another
    /// answer, such as that of a retry.
    Look(Option<AppendError>),
    /// Memory does not tell: it, and what comes after it, is decided with the rows at hand.
    Careful,
}

/// A group that is being put together.
#[derive(Debug, Default)]
pub(super) struct Group<'a> {
    pub(super) writes: Writes<'a>,
    pub(super) assumed: Assumed<'a>,
    /// Business keys of sagas that the group inserts.
    saga_keys: HashSet<(&'a str, &'a str)>,
    inbox: HashSet<(&'a str, &'a str)>,
}

impl<'a> Group<'a> {
    /// Decides a batch, and adds what it writes.
    pub(super) fn admit(&mut self, known: &mut Known, prepared: &'a Prepared) -> Admission {
        let batch = &prepared.batch;
        if prepared.writes_nothing() {
            return Admission::Look(None);
        }
        let Some(heads) = self.written_heads(known, batch) else { return Admission::Careful };
        if let Some(conflict) = conflict(known, batch, &heads) {
            return Admission::Look(Some(conflict));
        }
        if !self.records_are_simple(known, batch) {
            return Admission::Careful;
        }
        self.assume(known, batch, &heads);
        let heads: Vec<u64> = heads.into_iter().map(Head::version).collect();
        let first = (prepared.events() > 0).then_some(known.position + 1);
        let versions = self.writes.add_events(known, prepared, &heads);
        self.add_claims(batch);
        self.writes.add_records(known, batch, first);
        Admission::Accepted(Appended { position: Position::new(known.position), versions, replayed: false })
    }

    /// Where the batch's streams stand; `None` if one of them must be looked up.
    fn written_heads(&self, known: &mut Known, batch: &AppendBatch) -> Option<Vec<Head>> {
        let head = |append: &gallae_ports::StreamAppend| head(known, &append.stream, append.expected);
        batch.streams.iter().map(head).collect()
    }

    /// Whether the batch's records can be written as they are, with assumptions that one statement can check.
    fn records_are_simple(&mut self, known: &mut Known, batch: &'a AppendBatch) -> bool {
        if let Some(fence) = &batch.fence
            && self.assumed.leases.get(fence.lease.as_str()).is_some_and(|epoch| *epoch != fence.epoch)
        {
            return false;
        }
        if batch.idempotency.as_ref().is_some_and(|record| self.writes.idempotency.contains_key(&*record.key))
        {
            return false;
        }
        self.inbox_is_simple(batch) && self.claims_are_simple(batch) && self.sagas_are_simple(known, batch)
    }

    fn inbox_is_simple(&self, batch: &AppendBatch) -> bool {
        let entries = &batch.inbox;
        entries.iter().enumerate().all(|(index, entry)| {
            !entries[..index].contains(entry) && !self.inbox.contains(&(&*entry.consumer, &*entry.message_id))
        })
    }

    fn claims_are_simple(&self, batch: &AppendBatch) -> bool {
        let claims = &batch.claims;
        claims.iter().enumerate().all(|(index, claim)| {
            let key = claim_key(claim);
            !self.writes.claims.contains_key(key)
                && claims[..index].iter().all(|other| claim_key(other) != key)
        })
    }

    /// Only sagas of which the batch writes one row each, and that fit as far as is known.
    fn sagas_are_simple(&self, known: &mut Known, batch: &AppendBatch) -> bool {
        let rows = &batch.sagas;
        rows.iter().enumerate().all(|(index, write)| {
            let row = super::prepared::saga_row(write);
            if rows[..index].iter().any(|other| super::prepared::saga_row(other).id == row.id) {
                return false;
            }
            match (write, known.sagas.get(&row.id)) {
                (SagaWrite::Insert(row), None) => {
                    !self.saga_keys.contains(&(&*row.definition, &*row.business_key))
                }
                (SagaWrite::Insert(_), Some(_)) => false,
                (SagaWrite::Update { .. }, None) => true,
                (SagaWrite::Update { row, expected }, Some((version, epoch))) => {
                    version == expected.get() && epoch <= row.epoch
                }
            }
        })
    }

    fn assume(&mut self, known: &mut Known, batch: &'a AppendBatch, heads: &[Head]) {
        for (append, head) in batch.streams.iter().zip(heads) {
            if let Head::Assumed(version) = *head {
                let writes = !append.events.is_empty();
                self.assume_head(known, &append.stream, version, writes);
            }
        }
        for guard in &batch.guards {
            if let Some(Head::Assumed(version)) = head(known, &guard.stream, guard.expected) {
                self.assume_head(known, &guard.stream, version, false);
            }
        }
        if let Some(fence) = &batch.fence {
            self.assumed.leases.insert(&fence.lease, fence.epoch);
        }
        for claim in &batch.claims {
            if let Claim::Take { key, owner, .. } = claim {
                self.assumed.claims.push((key, owner, batch.time));
            }
        }
        for write in &batch.sagas {
            if let SagaWrite::Update { row, expected } = write
                && known.sagas.get(&row.id).is_none()
            {
                self.assumed.sagas.push((row.id, expected.get(), row.epoch));
            }
        }
        self.inbox.extend(batch.inbox.iter().map(|entry| (&*entry.consumer, &*entry.message_id)));
        self.saga_keys.extend(
            batch
                .sagas
                .iter()
                .map(super::prepared::saga_row)
                .map(|row| (&*row.definition, &*row.business_key)),
        );
    }

    fn assume_head(&mut self, known: &mut Known, stream: &'a StreamId, version: u64, written: bool) {
        known.heads.insert(stream.clone(), version);
        if version > 0 {
            self.assumed.reached.push((stream.as_str(), version));
        }
        if !written {
            self.assumed.unreached.push((stream.as_str(), version + 1));
        }
    }

    fn add_claims(&mut self, batch: &'a AppendBatch) {
        for claim in &batch.claims {
            let (key, change) = match claim {
                Claim::Take { key, owner, expires_at } => {
                    (key, (owner.as_str(), ClaimChange::Take(*expires_at)))
                }
                Claim::Release { key, owner } => (key, (owner.as_str(), ClaimChange::Release)),
            };
            self.writes.claims.insert(key, change);
        }
    }
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug)]
enum Head {
    Known(u64),
    /// Where the batch expects it.
    Assumed(u64),
}

impl Head {
    fn version(self) -> u64 {
        match self {
            Self::Known(version) | Self::Assumed(version) => version,
        }
    }
}

/// Where a stream stands, or should; `None` if nothing is known and nothing expected.
fn head(known: &mut Known, stream: &StreamId, expected: Expected) -> Option<Head> {
    if let Some(version) = known.heads.get(stream) {
        return Some(Head::Known(version));
    }
    match expected {
        Expected::NoStream => Some(Head::Assumed(0)),
        Expected::Exact(version) => Some(Head::Assumed(version.get())),
        Expected::Any => None,
    }
}

/// The first stream, written or guarded, that is known to stand elsewhere, or cannot stand where it should.
fn conflict(known: &mut Known, batch: &AppendBatch, heads: &[Head]) -> Option<AppendError> {
    let written = batch
        .streams
        .iter()
        .zip(heads)
        .map(|(append, head)| (&append.stream, append.expected, Version::new(head.version())));
    let refused = |(stream, expected, actual): (&StreamId, Expected, Version)| {
        (!expected.accepts(actual)).then(|| AppendError::Conflict {
            stream: stream.clone(),
            expected,
            actual,
        })
    };
    if let Some(conflict) = written.map(refused).find_map(|conflict| conflict) {
        return Some(conflict);
    }
    batch.guards.iter().enumerate().find_map(|(index, guard)| {
        let written = batch.streams.iter().zip(heads).find(|(append, _)| append.stream == guard.stream);
        let earlier = || batch.guards[..index].iter().find(|other| other.stream == guard.stream);
        let actual = match (known.heads.get(&guard.stream), written) {
            (Some(version), _) => version,
            (None, Some((_, head))) => head.version(),
            // Two guards of one stream that expect it in different places cannot both hold.
            (None, None) => match earlier()?.expected {
                Expected::Exact(version) => version.get(),
                Expected::NoStream => 0,
                Expected::Any => return None,
            },
        };
        refused((&guard.stream, guard.expected, Version::new(actual)))
    })
}

fn claim_key(claim: &Claim) -> &str {
    match claim {
        Claim::Take { key, .. } | Claim::Release { key, .. } => key,
    }
}
