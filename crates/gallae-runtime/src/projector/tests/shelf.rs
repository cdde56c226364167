//! A store of views and counters that fails at a chosen call, before or after it has done its work.

use futures::FutureExt;
use gallae_core::{Increment, Position, Timestamp, ViewKey};
use gallae_memory::MemoryLog;
use gallae_ports::*;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

/// Burns down with every call to a store that holds it.
#[derive(Debug, Default)]
pub(super) struct Fuse(AtomicI64);

impl Fuse {
    /// The `call`-th call from now fails, after its work; none if zero.
    pub(super) fn light(&self, call: i64) {
        self.light_half(call * 2);
    }

    /// Every call has two halves, one before its work and one after it: this one fails, counted from one; none if zero.
    pub(super) fn light_half(&self, half: i64) {
        self.0.store(half, Ordering::SeqCst);
    }

    fn step(&self) -> Result<(), StoreFault> {
        match self.0.fetch_sub(1, Ordering::SeqCst) {
            1 => Err(StoreFault::new("being tested")),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) fuse: Arc<Fuse>,
    shelves: Mutex<BTreeMap<String, Entry>>,
}

#[derive(Debug, Default)]
struct Entry {
    live: u64,
    made: u64,
    epoch: u64,
    paused: bool,
    generations: BTreeMap<u64, Rows>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    revision: u32,
    cursor: Position,
    pub(super) views: BTreeMap<ViewKey, StoredView>,
    sums: BTreeMap<(String, Timestamp), i64>,
}

type Answer<'a, T, E> = BoxFuture<'a, Result<T, E>>;

impl Shelf {
    /// Does a piece of work between the two points at which it may fail.
    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut BTreeMap<String, Entry>) -> T,
    ) -> Answer<'_, T, StoreFault> {
        let answer = self.fuse.step().and_then(|()| {
            let done = work(&mut self.shelves.lock().unwrap());
            self.fuse.step().map(|()| done)
        });
        async { answer }.boxed()
    }

    fn write(
        &self,
        slot: &Slot,
        (from, to, epoch): (Position, Position, u64),
        work: impl FnOnce(&mut Rows),
    ) -> Answer<'_, (), ApplyError> {
        let answer = self.call(|shelves| {
            let entry = shelves.get_mut(&slot.projection).ok_or(ApplyError::Gone)?;
            if epoch < entry.epoch {
                return Err(ApplyError::StaleEpoch);
            }
            let rows = entry.generations.get_mut(&slot.generation.0).ok_or(ApplyError::Gone)?;
            if rows.cursor != from {
                return Err(ApplyError::Cursor { expected: from, actual: rows.cursor });
            }
            entry.epoch = epoch;
            rows.cursor = to;
            work(rows);
            Ok(())
        });
        async { answer.await.map_err(ApplyError::Unavailable)? }.boxed()
    }

    fn rows<T: Send + 'static>(
        &self,
        slot: &Slot,
        work: impl FnOnce(&Rows) -> T,
    ) -> Answer<'_, T, StoreFault> {
        self.call(|shelves| work(&shelves[&slot.projection].generations[&slot.generation.0]))
    }

    /// The live rows, past the faults.
    pub(super) fn live(&self, projection: &str) -> Rows {
        let shelves = self.shelves.lock().unwrap();
        shelves.get(projection).map(|entry| entry.generations[&entry.live].clone()).unwrap_or_default()
    }

    /// Changes the live rows behind the projector's back.
    pub(super) fn tamper(&self, projection: &str, change: impl FnOnce(&mut Rows)) {
        let mut shelves = self.shelves.lock().unwrap();
        let entry = shelves.get_mut(projection).unwrap();
        change(entry.generations.get_mut(&entry.live).unwrap());
    }

    pub(super) fn generations(&self, projection: &str) -> usize {
        self.shelves.lock().unwrap()[projection].generations.len()
    }
}

impl Rows {
    pub(super) fn cursor(&self) -> Position {
        self.cursor
    }

    pub(super) fn move_to(&mut self, cursor: Position) {
        self.cursor = cursor;
    }

    pub(super) fn sum(&self, counter: &str) -> i64 {
        self.sums.iter().filter(|((name, _), _)| name == counter).map(|(_, sum)| sum).sum()
    }

    pub(super) fn add(&mut self, counter: &str, at: Timestamp, by: i64) {
        let bucket = CounterBucket::start_of(at);
        *self.sums.entry((counter.to_owned(), bucket)).or_default() += by;
    }
}

impl Entry {
    fn add_generation(&mut self, spec: &ProjectionSpec) -> u64 {
        self.made += 1;
        self.generations.insert(self.made, Rows { revision: spec.revision, ..Rows::default() });
        self.made
    }

    fn state(&self, projection: &str) -> SlotState {
        let rows = &self.generations[&self.live];
        SlotState {
            slot: Slot { projection: projection.to_owned(), generation: Generation(self.live) },
            revision: rows.revision,
            cursor: rows.cursor,
            paused: self.paused,
        }
    }
}

impl ProjectionStore for Shelf {
    fn open(&self, spec: &ProjectionSpec, replace: bool) -> Answer<'_, SlotState, StoreFault> {
        assert!(!replace, "the projector never throws live rows away");
        self.call(|shelves| {
            let entry = shelves.entry(spec.name.to_owned()).or_default();
            if entry.generations.is_empty() {
                entry.live = entry.add_generation(spec);
            }
            entry.state(spec.name)
        })
    }

    fn state(&self, projection: &str) -> Answer<'_, Option<SlotState>, StoreFault> {
        self.call(|shelves| shelves.get(projection).map(|entry| entry.state(projection)))
    }

    fn create_shadow(&self, spec: &ProjectionSpec) -> Answer<'_, Slot, StoreFault> {
        self.call(|shelves| {
            let entry = shelves.get_mut(spec.name).unwrap();
            let live = entry.live;
            entry.generations.retain(|generation, _| *generation == live);
            let generation = Generation(entry.add_generation(spec));
            Slot { projection: spec.name.to_owned(), generation }
        })
    }

    fn cursor(&self, slot: &Slot) -> Answer<'_, Position, StoreFault> {
        self.rows(slot, |rows| rows.cursor)
    }

    fn switch(&self, shadow: &Slot) -> Answer<'_, (), ApplyError> {
        let answer = self.call(|shelves| {
            let entry = shelves.get_mut(&shadow.projection).unwrap();
            let ready = entry.generations.get(&shadow.generation.0).ok_or(ApplyError::Gone)?.cursor;
            let live = entry.generations[&entry.live].cursor;
            if live > ready {
                return Err(ApplyError::Cursor { expected: ready, actual: live });
            }
            entry.live = shadow.generation.0;
            entry.generations.retain(|generation, _| *generation == shadow.generation.0);
            Ok(())
        });
        async { answer.await.map_err(ApplyError::Unavailable)? }.boxed()
    }

    fn drop_shadow(&self, shadow: &Slot) -> Answer<'_, (), StoreFault> {
        self.call(|shelves| {
            let entry = shelves.get_mut(&shadow.projection).unwrap();
            if entry.live != shadow.generation.0 {
                entry.generations.remove(&shadow.generation.0);
            }
        })
    }

    fn set_paused(&self, projection: &str, paused: bool) -> Answer<'_, (), StoreFault> {
        self.call(|shelves| shelves.get_mut(projection).unwrap().paused = paused)
    }
}

impl ViewStore for Shelf {
    fn load(&self, slot: &Slot, keys: &[ViewKey]) -> Answer<'_, Vec<Option<StoredView>>, StoreFault> {
        self.rows(slot, |rows| keys.iter().map(|key| rows.views.get(key).cloned()).collect())
    }

    fn apply(&self, slot: &Slot, batch: ViewBatch) -> Answer<'_, (), ApplyError> {
        self.write(slot, (batch.from, batch.to, batch.epoch), |rows| {
            for key in batch.removed {
                rows.views.remove(&key);
            }
            for ViewRow { key, document, changed_at, .. } in batch.rows {
                rows.views.insert(key.clone(), StoredView { key, document, changed_at });
            }
        })
    }

    fn get(&self, projection: &str, key: &ViewKey) -> Answer<'_, Option<StoredView>, StoreFault> {
        self.call(|shelves| {
            let entry = &shelves[projection];
            entry.generations[&entry.live].views.get(key).cloned()
        })
    }

    fn query(&self, _: &str, _: &ViewQuery) -> Answer<'_, ViewPage, StoreFault> {
        unreachable!("the projector does not query")
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> Answer<'_, Vec<StoredView>, StoreFault> {
        self.rows(slot, |rows| {
            let rows = rows.views.values().filter(|row| after.is_none_or(|after| row.key > *after));
            rows.take(limit).cloned().collect()
        })
    }

    fn repair(
        &self,
        projection: &str,
        at: Position,
        changes: Vec<(ViewKey, Option<ViewRow>)>,
    ) -> Answer<'_, (), ApplyError> {
        let answer = self.call(|shelves| {
            let entry = shelves.get_mut(projection).unwrap();
            let rows = entry.generations.get_mut(&entry.live).unwrap();
            if rows.cursor != at {
                return Err(ApplyError::Cursor { expected: at, actual: rows.cursor });
            }
            for (key, row) in changes {
                let stored = |row: ViewRow| StoredView {
                    key: row.key,
                    document: row.document,
                    changed_at: row.changed_at,
                };
                match row {
                    Some(row) => drop(rows.views.insert(key, stored(row))),
                    None => drop(rows.views.remove(&key)),
                }
            }
            Ok(())
        });
        async { answer.await.map_err(ApplyError::Unavailable)? }.boxed()
    }
}

impl CounterStore for Shelf {
    fn apply(&self, slot: &Slot, batch: CounterBatch) -> Answer<'_, (), ApplyError> {
        self.write(slot, (batch.from, batch.to, batch.epoch), |rows| {
            for Increment { counter, at, by } in batch.increments {
                rows.add(&counter, at, by);
            }
        })
    }

    fn read(&self, _: &str, _: &CounterRange) -> Answer<'_, Vec<CounterBucket>, StoreFault> {
        unreachable!("the projector does not query")
    }

    fn totals(&self, _: &str) -> Answer<'_, Vec<(String, i64)>, StoreFault> {
        unreachable!("the projector does not query")
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&CounterBucket>,
        limit: usize,
    ) -> Answer<'_, Vec<CounterBucket>, StoreFault> {
        let after = after.map(|after| (after.counter.clone(), after.start));
        self.rows(slot, |rows| {
            let sums =
                rows.sums.iter().filter(|(place, _)| after.as_ref().is_none_or(|after| *place > after));
            let bucket = |((counter, start), sum): (&(String, Timestamp), &i64)| CounterBucket {
                counter: counter.clone(),
                start: *start,
                sum: *sum,
            };
            sums.take(limit).map(bucket).collect()
        })
    }

    fn repair(
        &self,
        projection: &str,
        _at: Position,
        buckets: Vec<CounterBucket>,
    ) -> Answer<'_, (), ApplyError> {
        let answer = self.call(|shelves| {
            let entry = shelves.get_mut(projection).unwrap();
            let rows = entry.generations.get_mut(&entry.live).unwrap();
            for CounterBucket { counter, start, sum } in buckets {
                rows.sums.insert((counter, start), sum);
            }
        });
        async { answer.await.map_err(ApplyError::Unavailable) }.boxed()
    }
}

/// Dead letters that burn the same fuse.
#[derive(Debug)]
pub(super) struct Letters {
    pub(super) log: MemoryLog,
    pub(super) fuse: Arc<Fuse>,
}

impl Letters {
    fn around<'a, T: Send + 'a>(
        &self,
        work: impl FnOnce() -> Answer<'a, T, StoreFault>,
    ) -> Answer<'a, T, StoreFault> {
        if let Err(fault) = self.fuse.step() {
            return async { Err(fault) }.boxed();
        }
        let (answer, after) = (work(), self.fuse.step());
        async { after.and(answer.await) }.boxed()
    }
}

impl DeadLetterStore for Letters {
    fn park(&self, letters: Vec<DeadLetter>) -> Answer<'_, (), StoreFault> {
        self.around(|| self.log.park(letters))
    }

    fn parked_keys(&self, projection: &str) -> Answer<'_, Vec<ViewKey>, StoreFault> {
        self.around(|| self.log.parked_keys(projection))
    }

    fn dead_letters(
        &self,
        projection: Option<&str>,
        key: Option<&ViewKey>,
        limit: usize,
    ) -> Answer<'_, Vec<DeadLetter>, StoreFault> {
        self.around(|| self.log.dead_letters(projection, key, limit))
    }

    fn discard(&self, projection: &str, key: &ViewKey, up_to: Position) -> Answer<'_, u64, StoreFault> {
        self.around(|| self.log.discard(projection, key, up_to))
    }
}
