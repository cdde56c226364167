//! Rows of sagas, their timers and effects.

use super::{MemoryLog, ready};
use gallae_core::{SagaId, Timestamp};
use gallae_ports::{
    AppendBatch, AppendError, BoxFuture, DueTimers, EarlyMessage, EarlyWrite, EffectRow, EffectState,
    LiveVersion, Partitions, SagaCount, SagaFilter, SagaRow, SagaStore, SagaWrite, StoreFault, TimerRow,
    TimerWrite,
};
use std::{cmp::Reverse, collections::BTreeMap};

#[derive(Debug, Default)]
pub(super) struct Sagas {
    rows: BTreeMap<SagaId, SagaRow>,
    /// By definition and business key.
    by_key: BTreeMap<(String, String), SagaId>,
    timers: BTreeMap<(SagaId, String), TimerRow>,
    effects: BTreeMap<String, EffectRow>,
    /// In the order in which they came.
    early: Vec<EarlyMessage>,
}

/// The rows that a batch changes, as they will be.
pub(super) type RowChanges = BTreeMap<SagaId, SagaRow>;

impl Sagas {
    /// Applies a batch's writes, one after the other, to the rows.
    pub(super) fn rows_after(&self, writes: &[SagaWrite]) -> Result<RowChanges, AppendError> {
        let mut changes = RowChanges::new();
        for write in writes {
            let (row, allowed) = match write {
                SagaWrite::Insert(row) => (row, !self.exists(row, &changes)),
                SagaWrite::Update { row, expected } => {
                    let stored = changes.get(&row.id).or_else(|| self.rows.get(&row.id));
                    (row, stored.is_some_and(|old| old.version == *expected && old.epoch <= row.epoch))
                }
            };
            if !allowed {
                return Err(AppendError::SagaConflict { saga: row.id });
            }
            changes.insert(row.id, row.clone());
        }
        Ok(changes)
    }

    fn exists(&self, row: &SagaRow, changes: &RowChanges) -> bool {
        self.rows.contains_key(&row.id)
            || self.by_key.contains_key(&key_of(row))
            || changes.values().any(|other| other.id == row.id || key_of(other) == key_of(row))
    }

    pub(super) fn write(&mut self, rows: RowChanges, batch: &AppendBatch) {
        for (id, row) in rows {
            self.by_key.insert(key_of(&row), id);
            self.rows.insert(id, row);
        }
        for write in &batch.timers {
            match write {
                TimerWrite::Set(row) => {
                    self.timers.insert((row.saga, row.timer.clone()), row.clone());
                }
                TimerWrite::Remove { saga, timer } => {
                    self.timers.remove(&(*saga, timer.clone()));
                }
                TimerWrite::RemoveAll { saga } => self.timers.retain(|(of, _), _| of != saga),
            }
        }
        for effect in &batch.effects {
            self.effects.insert(effect.key.clone(), effect.clone());
        }
        for write in &batch.early {
            self.write_early(write);
        }
    }

    fn write_early(&mut self, write: &EarlyWrite) {
        match write {
            EarlyWrite::Put(message) => {
                let same = |known: &&mut EarlyMessage| {
                    known.saga == message.saga && known.message_id == message.message_id
                };
                match self.early.iter_mut().find(same) {
                    Some(known) => known.clone_from(message),
                    None => self.early.push(message.clone()),
                }
            }
            EarlyWrite::Remove { saga, message_id } => {
                self.early.retain(|known| known.saga != *saga || known.message_id != *message_id);
            }
        }
    }

    /// Forgets at most `limit` early messages that expired before `now`.
    pub(super) fn purge(&mut self, now: Timestamp, limit: usize) -> u64 {
        let mut gone = 0;
        self.early.retain(|message| {
            let expired = message.expires_at < now && gone < limit;
            gone += usize::from(expired);
            !expired
        });
        gone as u64
    }

    fn live_versions(&self) -> Vec<LiveVersion> {
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for row in self.rows.values().filter(|row| !row.status.is_terminal()) {
            let version = (row.definition.clone(), row.definition_version, row.definition_hash.clone());
            *counts.entry(version).or_default() += 1;
        }
        let live = |((definition, version, hash), count)| LiveVersion { definition, version, hash, count };
        counts.into_iter().map(live).collect()
    }

    fn unknown_effects(&self) -> Vec<EffectRow> {
        let lives = |saga: &SagaId| self.rows.get(saga).is_some_and(|row| !row.status.is_terminal());
        let unknown = |effect: &&EffectRow| effect.state == EffectState::Unknown && lives(&effect.saga);
        let mut effects: Vec<_> = self.effects.values().filter(unknown).cloned().collect();
        effects.sort_by_key(|effect| effect.first_sent_at);
        effects
    }

    fn matching(&self, filter: &SagaFilter) -> Vec<&SagaRow> {
        let mut rows: Vec<&SagaRow> = self.rows.values().filter(|row| matches(filter, row)).collect();
        rows.sort_by_key(|row| Reverse((row.started_at, row.id)));
        rows
    }

    fn counts(&self) -> Vec<SagaCount> {
        let mut counts: BTreeMap<_, SagaCount> = BTreeMap::new();
        for row in self.rows.values() {
            let count = counts.entry((row.definition.clone(), row.status)).or_insert_with(|| SagaCount {
                definition: row.definition.clone(),
                status: row.status,
                count: 0,
                oldest: row.updated_at,
            });
            count.count += 1;
            count.oldest = count.oldest.min(row.updated_at);
        }
        counts.into_values().collect()
    }

    fn due(&self, wanted: &DueTimers) -> Vec<TimerRow> {
        let is_due =
            |timer: &&TimerRow| timer.fire_at <= wanted.now && wanted.partitions.contains(timer.partition);
        let mut due: Vec<&TimerRow> = self.timers.values().filter(is_due).collect();
        due.sort_by_key(|timer| (timer.fail_count, timer.fire_at));
        let mut places: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        due.retain(|timer| {
            let definition = self.rows.get(&timer.saga).map(|row| row.definition.as_str());
            let place = places.entry(definition).or_default();
            *place += 1;
            *place <= wanted.per_definition
        });
        due.into_iter().take(wanted.limit).cloned().collect()
    }

    fn next_timer(&self, partitions: &Partitions) -> Option<Timestamp> {
        let wanted = |timer: &&TimerRow| partitions.contains(timer.partition);
        self.timers.values().filter(wanted).map(|timer| timer.fire_at).min()
    }
}

fn key_of(row: &SagaRow) -> (String, String) {
    (row.definition.clone(), row.business_key.clone())
}

fn matches(filter: &SagaFilter, row: &SagaRow) -> bool {
    fn is<T: PartialEq>(wanted: &Option<T>, actual: &T) -> bool {
        wanted.as_ref().is_none_or(|wanted| wanted == actual)
    }
    is(&filter.definition, &row.definition)
        && (filter.statuses.is_empty() || filter.statuses.contains(&row.status))
        && (filter.step.is_none() || filter.step == row.step)
        && is(&filter.correlation_id, &row.correlation_id)
        && is(&filter.business_key, &row.business_key)
        && (filter.user.is_none() || filter.user == row.user)
        && filter.updated_before.is_none_or(|before| row.updated_at < before)
        && filter.partitions.is_none_or(|partitions| partitions.contains(row.partition))
}

impl SagaStore for MemoryLog {
    fn saga(&self, id: SagaId) -> BoxFuture<'_, Result<Option<SagaRow>, StoreFault>> {
        ready(self.state().sagas.rows.get(&id).cloned())
    }

    fn sagas(
        &self,
        filter: &SagaFilter,
        offset: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<(Vec<SagaRow>, u64), StoreFault>> {
        let state = self.state();
        let rows = state.sagas.matching(filter);
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let total = rows.len() as u64;
        ready((rows.into_iter().skip(skip).take(limit).cloned().collect(), total))
    }

    fn saga_counts(&self) -> BoxFuture<'_, Result<Vec<SagaCount>, StoreFault>> {
        ready(self.state().sagas.counts())
    }

    fn live_versions(&self) -> BoxFuture<'_, Result<Vec<LiveVersion>, StoreFault>> {
        ready(self.state().sagas.live_versions())
    }

    fn due_timers(&self, due: &DueTimers) -> BoxFuture<'_, Result<Vec<TimerRow>, StoreFault>> {
        ready(self.state().sagas.due(due))
    }

    fn next_timer(&self, partitions: &Partitions) -> BoxFuture<'_, Result<Option<Timestamp>, StoreFault>> {
        ready(self.state().sagas.next_timer(partitions))
    }

    fn timers(&self, saga: SagaId) -> BoxFuture<'_, Result<Vec<TimerRow>, StoreFault>> {
        let state = self.state();
        ready(state.sagas.timers.values().filter(|timer| timer.saga == saga).cloned().collect())
    }

    fn effects(&self, saga: SagaId) -> BoxFuture<'_, Result<Vec<EffectRow>, StoreFault>> {
        let state = self.state();
        let mut effects: Vec<EffectRow> =
            state.sagas.effects.values().filter(|effect| effect.saga == saga).cloned().collect();
        effects.sort_by_key(|effect| effect.first_sent_at);
        ready(effects)
    }

    fn unknown_effects(&self, limit: usize) -> BoxFuture<'_, Result<(Vec<EffectRow>, u64), StoreFault>> {
        let mut effects = self.state().sagas.unknown_effects();
        let total = effects.len() as u64;
        effects.truncate(limit);
        ready((effects, total))
    }

    fn early_messages(
        &self,
        saga: SagaId,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<EarlyMessage>, StoreFault>> {
        let state = self.state();
        let kept = |message: &&EarlyMessage| message.saga == saga && message.expires_at > now;
        ready(state.sagas.early.iter().filter(kept).cloned().collect())
    }
}
