//! Counters in buckets of time, for dashboards.

use crate::{ApplyError, BoxFuture, ProjectionStore, Slot, StoreFault};
use gallae_core::{Increment, Position, Timestamp};
use std::{collections::BTreeMap, time::Duration};

/// The width of a bucket: every civil day of every time zone in use is a whole number of these.
pub const COUNTER_BUCKET: Duration = Duration::from_secs(15 * 60);

/// Sums of increments per counter and bucket.
pub trait CounterStore: ProjectionStore {
    /// Adds increments and moves the cursor, together.
    fn apply(&self, slot: &Slot, batch: CounterBatch) -> BoxFuture<'_, Result<(), ApplyError>>;

    /// Live buckets that are not zero, by counter, then time.
    fn read(
        &self,
        projection: &str,
        range: &CounterRange,
    ) -> BoxFuture<'_, Result<Vec<CounterBucket>, StoreFault>>;

    /// Live sums over all time, by counter.
    fn totals(&self, projection: &str) -> BoxFuture<'_, Result<Vec<(String, i64)>, StoreFault>>;

    /// Buckets of any generation by counter, then time, after `after`: for verification.
    fn scan(
        &self,
        slot: &Slot,
        after: Option<&CounterBucket>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<CounterBucket>, StoreFault>>;

    /// Sets live buckets to these sums without moving the cursor, provided the cursor still is `at`.
    fn repair(
        &self,
        projection: &str,
        at: Position,
        buckets: Vec<CounterBucket>,
    ) -> BoxFuture<'_, Result<(), ApplyError>>;
}

/// Increments and the cursor that commits with them.
#[derive(Clone, Debug, Default)]
pub struct CounterBatch {
    /// The cursor before.
    pub from: Position,
    /// The cursor after.
    pub to: Position,
    /// The writer's epoch.
    pub epoch: u64,
    /// What to add; a counter and bucket may occur several times.
    pub increments: Vec<Increment>,
}

impl CounterBatch {
    /// What the increments of each counter and bucket come to, by counter, then the bucket's start in microseconds. Sums wrap
    /// at the ends of 64 bits, so that they do not depend on the order.
    pub fn sums(&self) -> BTreeMap<(&str, i64), i64> {
        let mut sums = BTreeMap::new();
        for Increment { counter, at, by } in &self.increments {
            let sum: &mut i64 =
                sums.entry((counter.as_str(), CounterBucket::start_of(*at).as_micros())).or_default();
            *sum = sum.wrapping_add(*by);
        }
        sums
    }
}

/// Which buckets: those that start in `from..until`, of counters whose name starts with `prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterRange {
    /// Of counters whose name starts with this.
    pub prefix: String,
    /// The first bucket's start.
    pub from: Timestamp,
    /// Before this.
    pub until: Timestamp,
}

/// The sum of one counter in one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterBucket {
    /// The counter.
    pub counter: String,
    /// The bucket's start: a multiple of [`COUNTER_BUCKET`].
    pub start: Timestamp,
    /// The sum.
    pub sum: i64,
}

impl CounterBucket {
    /// The start of the bucket that holds `at`.
    pub fn start_of(at: Timestamp) -> Timestamp {
        let width = COUNTER_BUCKET.as_micros() as i64;
        Timestamp::from_micros(at.as_micros().div_euclid(width) * width)
    }
}
