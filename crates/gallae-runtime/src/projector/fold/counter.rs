//! Folding events into counters.

use super::{
    Differences, Fold, Folded, Listens, Refused, RowKey, Suspects, Writer, compare, decode_error, guarded,
    stream_key,
};
use crate::projector::{ProjectionKind, parked::Parked};
use futures::FutureExt;
use gallae_core::{
    CounterProjection, EventSet, Increment, Position, RecordedEvent, Timestamp, ViewKey, decode_into_set,
};
use gallae_ports::{
    ApplyError, BoxFuture, CounterBatch, CounterBucket, CounterStore, ProjectionSpec, ProjectionStore, Slot,
    StoreFault,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    sync::Arc,
};

/// A projection into counters. Increments commute, so an event that fails is parked alone, under its stream, and
/// nothing waits behind it.
pub(in crate::projector) struct CounterFold<C: CounterProjection> {
    spec: ProjectionSpec,
    store: Arc<dyn CounterStore>,
    listens: Listens,
    counts: PhantomData<fn() -> C>,
}

impl<C: CounterProjection> CounterFold<C> {
    pub(in crate::projector) fn new(store: Arc<dyn CounterStore>) -> Self {
        let spec = ProjectionSpec { name: C::NAME, revision: C::REVISION, fields: &[], text: &[] };
        Self { spec, store, listens: Listens::to(C::Events::types()), counts: PhantomData }
    }
}

impl<C: CounterProjection> Fold for CounterFold<C> {
    fn spec(&self) -> &ProjectionSpec {
        &self.spec
    }

    fn kind(&self) -> ProjectionKind {
        ProjectionKind::Counters
    }

    fn store(&self) -> &dyn ProjectionStore {
        &*self.store
    }

    fn writer(&self, slot: Slot) -> Box<dyn Writer> {
        Box::new(CounterWriter::<C> {
            store: Arc::clone(&self.store),
            listens: self.listens.clone(),
            slot,
            prepared: BTreeMap::new(),
            counts: PhantomData,
        })
    }

    fn changed_at<'a>(
        &'a self,
        _slot: &'a Slot,
        keys: &'a [ViewKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Position>>, StoreFault>> {
        async move { Ok(vec![None; keys.len()]) }.boxed()
    }

    /// Sums cannot be told apart from sums in motion: everything is compared while both stand still. There are few.
    fn survey<'a>(
        &'a self,
        _live: &'a Slot,
        _shadow: &'a Slot,
    ) -> BoxFuture<'a, Result<Suspects, StoreFault>> {
        async { Ok(Suspects::default()) }.boxed()
    }

    fn compare<'a>(
        &'a self,
        live: &'a Slot,
        shadow: &'a Slot,
        _suspects: &'a BTreeSet<ViewKey>,
    ) -> BoxFuture<'a, Result<Differences, StoreFault>> {
        compare::counters(&*self.store, live, shadow).boxed()
    }

    fn repair<'a>(
        &'a self,
        at: Position,
        _shadow: &'a Slot,
        differing: &'a [RowKey],
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        let bucket = |row: &RowKey| match row {
            RowKey::Bucket(bucket) => Some(bucket.clone()),
            RowKey::View(_) => None,
        };
        self.store.repair(self.spec.name, at, differing.iter().filter_map(bucket).collect())
    }
}

struct CounterWriter<C: CounterProjection> {
    store: Arc<dyn CounterStore>,
    listens: Listens,
    slot: Slot,
    prepared: BTreeMap<(String, Timestamp), i64>,
    counts: PhantomData<fn() -> C>,
}

impl<C: CounterProjection> Writer for CounterWriter<C> {
    fn fold<'a>(
        &'a mut self,
        events: &'a [Arc<RecordedEvent>],
        parked: &'a Parked,
        _again: Option<&'a ViewKey>,
    ) -> BoxFuture<'a, Result<Folded, StoreFault>> {
        self.prepared.clear();
        let mut refused = Vec::new();
        for event in events {
            if !self.listens.hears(event) || parked.contains(event.position) {
                continue;
            }
            match count::<C>(event) {
                Ok(increments) => increments.into_iter().for_each(|increment| self.add(increment)),
                Err(error) => refused.push(Refused::poison(stream_key(event), event, error)),
            }
        }
        let folded = Folded { changed: !self.prepared.is_empty(), refused };
        async { Ok(folded) }.boxed()
    }

    fn touched(&self) -> Vec<ViewKey> {
        Vec::new()
    }

    fn apply(&mut self, from: Position, to: Position, epoch: u64) -> BoxFuture<'_, Result<(), ApplyError>> {
        let sums = std::mem::take(&mut self.prepared).into_iter().filter(|(_, by)| *by != 0);
        let increments = sums.map(|((counter, at), by)| Increment { counter, at, by }).collect();
        self.store.apply(&self.slot, CounterBatch { from, to, epoch, increments })
    }

    fn abandon(&mut self) {
        self.prepared.clear();
    }
}

impl<C: CounterProjection> CounterWriter<C> {
    fn add(&mut self, increment: Increment) {
        let bucket = CounterBucket::start_of(increment.at);
        let sum = self.prepared.entry((increment.counter, bucket)).or_default();
        *sum = sum.saturating_add(increment.by);
    }
}

fn count<C: CounterProjection>(event: &Arc<RecordedEvent>) -> Result<Vec<Increment>, String> {
    let count = || {
        let recorded = decode_into_set::<C::Events>(event).map_err(|error| decode_error(&error))?;
        Ok(recorded.map(|recorded| C::count(&recorded)).unwrap_or_default())
    };
    guarded(count).flatten()
}
