//! Documents with declared fields.

use crate::{
    MemoryProjections,
    conditions::{Filter, index_of},
    generations::{Rows, ready},
};
use gallae_core::{FieldValue, Position, ViewKey};
use gallae_ports::{
    ApplyError, BoxFuture, PageCursor, Paging, Slot, StoreFault, StoredView, ViewBatch, ViewPage, ViewQuery,
    ViewRow, ViewStore,
};
use std::{cmp::Ordering, collections::BTreeMap, ops::Bound};

/// A [`ViewStore`] in memory.
pub type MemoryViews = MemoryProjections<ViewRows>;

/// The documents of one generation.
#[derive(Debug, Default)]
pub struct ViewRows(BTreeMap<ViewKey, ViewRow>);

impl ViewStore for MemoryViews {
    fn load(
        &self,
        slot: &Slot,
        keys: &[ViewKey],
    ) -> BoxFuture<'_, Result<Vec<Option<StoredView>>, StoreFault>> {
        let load = |rows: &Rows<ViewRows>| keys.iter().map(|key| rows.rows.0.get(key).map(stored)).collect();
        ready(self.lock().rows(slot).map(load))
    }

    fn apply(&self, slot: &Slot, batch: ViewBatch) -> BoxFuture<'_, Result<(), ApplyError>> {
        let write = |rows: &mut ViewRows| {
            rows.0.extend(batch.rows.into_iter().map(|row| (row.key.clone(), row)));
            for key in &batch.removed {
                rows.0.remove(key);
            }
        };
        ready(self.lock().advance(slot, (batch.from, batch.to), batch.epoch).map(write))
    }

    fn get(&self, projection: &str, key: &ViewKey) -> BoxFuture<'_, Result<Option<StoredView>, StoreFault>> {
        ready(self.lock().live(projection).map(|rows| rows.rows.0.get(key).map(stored)))
    }

    fn query(&self, projection: &str, query: &ViewQuery) -> BoxFuture<'_, Result<ViewPage, StoreFault>> {
        ready(self.lock().live(projection).and_then(|rows| page(rows, query)))
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredView>, StoreFault>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let scan = |rows: &Rows<ViewRows>| {
            let rest = rows.rows.0.range((from, Bound::Unbounded));
            rest.take(limit).map(|(_, row)| stored(row)).collect()
        };
        ready(self.lock().rows(slot).map(scan))
    }

    fn repair(
        &self,
        projection: &str,
        at: Position,
        repairs: Vec<(ViewKey, Option<ViewRow>)>,
    ) -> BoxFuture<'_, Result<(), ApplyError>> {
        let write = |rows: &mut ViewRows| {
            for (key, row) in repairs {
                match row {
                    Some(row) => rows.0.insert(key, row),
                    None => rows.0.remove(&key),
                };
            }
        };
        ready(self.lock().repair(projection, at).map(write))
    }
}

fn stored(row: &ViewRow) -> StoredView {
    StoredView { key: row.key.clone(), document: row.document.clone(), changed_at: row.changed_at }
}

/// A row's place in an order: the value it is ordered by, then its key.
type Place<'a> = (&'a FieldValue, &'a ViewKey);

fn page(rows: &Rows<ViewRows>, query: &ViewQuery) -> Result<ViewPage, StoreFault> {
    let filter = Filter::new(&query.conditions, rows.fields)?;
    let by = query.order.map(|order| index_of(order.field, rows.fields)).transpose()?;
    let place = |row: &'_ ViewRow| -> (FieldValue, ViewKey) {
        let value = by.and_then(|index| row.fields.get(index).cloned());
        (value.unwrap_or(FieldValue::Null), row.key.clone())
    };
    let descending = query.order.is_some_and(|order| order.descending);
    let compare = |a: Place<'_>, b: Place<'_>| -> Ordering {
        let values = if descending { b.0.cmp(a.0) } else { a.0.cmp(b.0) };
        values.then_with(|| a.1.cmp(b.1))
    };
    let mut found: Vec<_> =
        rows.rows.0.values().filter(|row| filter.accepts(&row.fields)).map(|row| (place(row), row)).collect();
    found.sort_by(|(a, _), (b, _)| compare((&a.0, &a.1), (&b.0, &b.1)));
    let total = query.count.then_some(found.len() as u64);
    let (skip, limit) = match &query.paging {
        Paging::Page { offset, limit } => (usize::try_from(*offset).unwrap_or(usize::MAX), *limit),
        Paging::After { cursor, limit } => {
            let ended = PageCursor::decode(cursor, query.order)
                .map_err(|error| StoreFault::new("reading the place where a page ended").because(error))?;
            let (value, key) = (&ended.value, &ViewKey::from(&ended.key));
            let seen = found.partition_point(|(at, _)| compare((&at.0, &at.1), (value, key)).is_le());
            (seen, *limit)
        }
    };
    let shown = found.into_iter().skip(skip).take(limit);
    let (places, rows): (Vec<_>, Vec<_>) = shown.map(|(place, row)| (place, stored(row))).unzip();
    let last = places.last().filter(|_| places.len() == limit);
    let next = last.map(|(value, key)| PageCursor::new(query.order, value.clone(), key.as_str()).encode());
    Ok(ViewPage { rows, total, next })
}
