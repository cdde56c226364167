//! Sums in buckets of time.

use crate::{
    MemoryProjections,
    generations::{Rows, ready},
};
use gallae_core::{Position, Timestamp};
use gallae_ports::{
    ApplyError, BoxFuture, CounterBatch, CounterBucket, CounterRange, CounterStore, Slot, StoreFault,
};
use std::{collections::BTreeMap, ops::Bound};

/// A [`CounterStore`] in memory.
pub type MemoryCounters = MemoryProjections<CounterRows>;

/// The sums of one generation that are not zero, by counter, then time.
#[derive(Debug, Default)]
pub struct CounterRows(BTreeMap<(String, Timestamp), i64>);

impl CounterRows {
    fn set(&mut self, bucket: (String, Timestamp), sum: i64) {
        match sum {
            0 => self.0.remove(&bucket),
            sum => self.0.insert(bucket, sum),
        };
    }
}

impl CounterStore for MemoryCounters {
    fn apply(&self, slot: &Slot, batch: CounterBatch) -> BoxFuture<'_, Result<(), ApplyError>> {
        let write = |rows: &mut CounterRows| {
            for increment in batch.increments {
                let bucket = (increment.counter, CounterBucket::start_of(increment.at));
                let sum = rows.0.get(&bucket).map_or(0, |sum| *sum).saturating_add(increment.by);
                rows.set(bucket, sum);
            }
        };
        ready(self.lock().advance(slot, (batch.from, batch.to), batch.epoch).map(write))
    }

    fn read(
        &self,
        projection: &str,
        range: &CounterRange,
    ) -> BoxFuture<'_, Result<Vec<CounterBucket>, StoreFault>> {
        let within = |bucket: &CounterBucket| {
            bucket.counter.starts_with(&range.prefix) && (range.from..range.until).contains(&bucket.start)
        };
        let read = |rows: &Rows<CounterRows>| rows.rows.0.iter().map(bucket).filter(within).collect();
        ready(self.lock().live(projection).map(read))
    }

    fn totals(&self, projection: &str) -> BoxFuture<'_, Result<Vec<(String, i64)>, StoreFault>> {
        let total = |rows: &Rows<CounterRows>| {
            let mut totals = BTreeMap::<String, i64>::new();
            for ((counter, _), sum) in &rows.rows.0 {
                let total = totals.entry(counter.clone()).or_default();
                *total = total.saturating_add(*sum);
            }
            totals.into_iter().collect()
        };
        ready(self.lock().live(projection).map(total))
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&CounterBucket>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<CounterBucket>, StoreFault>> {
        let after = after.map(|bucket| (bucket.counter.clone(), bucket.start));
        let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let scan = |rows: &Rows<CounterRows>| {
            rows.rows.0.range((from, Bound::Unbounded)).take(limit).map(bucket).collect()
        };
        ready(self.lock().rows(slot).map(scan))
    }

    fn repair(
        &self,
        projection: &str,
        at: Position,
        buckets: Vec<CounterBucket>,
    ) -> BoxFuture<'_, Result<(), ApplyError>> {
        let write = |rows: &mut CounterRows| {
            for bucket in buckets {
                rows.set((bucket.counter, bucket.start), bucket.sum);
            }
        };
        ready(self.lock().repair(projection, at).map(write))
    }
}

fn bucket(((counter, start), sum): (&(String, Timestamp), &i64)) -> CounterBucket {
    CounterBucket { counter: counter.clone(), start: *start, sum: *sum }
}
