//! Records that make things happen once: idempotency, claims, inbox.

use gallae_core::{Position, Timestamp};
use gallae_ports::{AppendBatch, AppendError, Claim, HeldClaim, IdempotencyRecord};
use std::{collections::BTreeMap, time::Duration};

/// How long an applied message is remembered.
const INBOX_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[derive(Debug, Default)]
pub(super) struct Records {
    /// With the position where the events of their batches began.
    idempotency: BTreeMap<String, (IdempotencyRecord, Position)>,
    claims: BTreeMap<String, HeldClaim>,
    /// When each (consumer, message) was applied.
    inbox: BTreeMap<(String, String), Timestamp>,
}

/// The claims that a batch changes, as they will be.
pub(super) type ClaimChanges = BTreeMap<String, Option<HeldClaim>>;

impl Records {
    pub(super) fn idempotency(&self, key: &str, now: Timestamp) -> Option<&IdempotencyRecord> {
        self.idempotency.get(key).map(|(record, _)| record).filter(|record| now < record.expires_at)
    }

    /// Where the batch that left a record began, expired or not.
    pub(super) fn first_position(&self, key: &str) -> Option<Position> {
        self.idempotency.get(key).map(|(_, first)| *first)
    }

    pub(super) fn claim(&self, key: &str, now: Timestamp) -> Option<&HeldClaim> {
        self.claims.get(key).filter(|claim| is_held(claim, now))
    }

    /// Refuses a batch whose idempotency key or message is known.
    pub(super) fn check_once(&self, batch: &AppendBatch) -> Result<(), AppendError> {
        if let Some(record) = &batch.idempotency
            && let Some(earlier) = self.idempotency(&record.key, batch.time)
        {
            return Err(AppendError::Duplicate(earlier.clone()));
        }
        for entry in &batch.inbox {
            if self.inbox.contains_key(&(entry.consumer.clone(), entry.message_id.clone())) {
                let (consumer, message_id) = (entry.consumer.clone(), entry.message_id.clone());
                return Err(AppendError::InboxDuplicate { consumer, message_id });
            }
        }
        Ok(())
    }

    /// Applies a batch's claims, one after the other, to what is held.
    pub(super) fn claims_after(&self, batch: &AppendBatch) -> Result<ClaimChanges, AppendError> {
        let mut changes = ClaimChanges::new();
        for claim in &batch.claims {
            let (Claim::Take { key, owner, .. } | Claim::Release { key, owner }) = claim;
            let held = changes.get(key).map_or_else(|| self.claims.get(key), Option::as_ref);
            match claim {
                Claim::Take { expires_at, .. } => {
                    if let Some(other) = held.filter(|held| held.owner != *owner && is_held(held, batch.time))
                    {
                        return Err(AppendError::ClaimTaken {
                            key: key.clone(),
                            owner: other.owner.clone(),
                            expires_at: other.expires_at,
                        });
                    }
                    let taken = HeldClaim { owner: owner.clone(), expires_at: *expires_at };
                    changes.insert(key.clone(), Some(taken));
                }
                Claim::Release { .. } if held.is_some_and(|held| held.owner == *owner) => {
                    changes.insert(key.clone(), None);
                }
                Claim::Release { .. } => {}
            }
        }
        Ok(changes)
    }

    pub(super) fn write(&mut self, claims: ClaimChanges, batch: &AppendBatch, first: Position) {
        for (key, held) in claims {
            match held {
                Some(held) => self.claims.insert(key, held),
                None => self.claims.remove(&key),
            };
        }
        if let Some(record) = &batch.idempotency {
            self.idempotency.insert(record.key.clone(), (record.clone(), first));
        }
        for entry in &batch.inbox {
            self.inbox.insert((entry.consumer.clone(), entry.message_id.clone()), batch.time);
        }
    }

    pub(super) fn purge(&mut self, now: Timestamp, limit: usize) -> u64 {
        let inbox_until = now.before(INBOX_KEPT);
        remove(&mut self.idempotency, limit, |(record, _)| record.expires_at < now)
            + remove(&mut self.claims, limit, |claim| claim.expires_at.is_some_and(|until| until < now))
            + remove(&mut self.inbox, limit, |applied| *applied < inbox_until)
    }
}

fn is_held(claim: &HeldClaim, now: Timestamp) -> bool {
    claim.expires_at.is_none_or(|until| now < until)
}

fn remove<K: Ord + Clone, V>(rows: &mut BTreeMap<K, V>, limit: usize, expired: impl Fn(&V) -> bool) -> u64 {
    let gone: Vec<K> =
        rows.iter().filter(|(_, row)| expired(row)).map(|(key, _)| key.clone()).take(limit).collect();
    for key in &gone {
        rows.remove(key);
    }
    gone.len() as u64
}
