//! Comparing the live rows with recomputed ones, row by row.

use super::{Differences, Documents, ROWS_PER_READ, RowKey, Suspects};
use crate::projector::report::{Difference, MAX_LISTED};
use gallae_core::ViewKey;
use gallae_ports::{CounterBucket, CounterStore, Slot, StoreFault, StoredView};
use std::{cmp::Ordering, collections::BTreeSet};

/// Rows that may differ whose keys are kept; further ones are only counted.
const MAX_SUSPECTS: usize = 100_000;

/// Walks both generations in key order and notes the keys whose rows are not equal.
pub(super) async fn survey(
    store: &dyn Documents,
    live: &Slot,
    shadow: &Slot,
) -> Result<Suspects, StoreFault> {
    let mut suspects = Suspects::default();
    let (mut live, mut shadow) = (Rows::of(store, live), Rows::of(store, shadow));
    loop {
        let (left, right) = (live.peek().await?, shadow.peek().await?);
        let order = match (left, right) {
            (None, None) => return Ok(suspects),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.key.cmp(&right.key),
        };
        suspects.rows += 1;
        let differing = match (order, left, right) {
            (Ordering::Equal, Some(left), Some(right)) => (!equal(left, right)).then(|| left.key.clone()),
            (Ordering::Less, Some(left), _) => Some(left.key.clone()),
            (_, _, right) => right.map(|right| right.key.clone()),
        };
        match differing {
            Some(key) if suspects.keys.len() < MAX_SUSPECTS => drop(suspects.keys.insert(key)),
            Some(_) => suspects.beyond += 1,
            None => {}
        }
        if order != Ordering::Greater {
            live.skip();
        }
        if order != Ordering::Less {
            shadow.skip();
        }
    }
}

/// Compares the rows with these keys. Both generations stand still.
pub(super) async fn documents(
    store: &dyn Documents,
    live: &Slot,
    shadow: &Slot,
    suspects: &BTreeSet<ViewKey>,
) -> Result<Differences, StoreFault> {
    let mut differences = Differences::default();
    let keys: Vec<ViewKey> = suspects.iter().cloned().collect();
    for keys in keys.chunks(ROWS_PER_READ) {
        let (left, right) = (store.load(live, keys).await?, store.load(shadow, keys).await?);
        for (key, (left, right)) in keys.iter().zip(left.into_iter().zip(right)) {
            let same = match (&left, &right) {
                (Some(left), Some(right)) => equal(left, right),
                (left, right) => left.is_none() && right.is_none(),
            };
            if !same {
                let row = RowKey::View(key.clone());
                differences.note(row, || Difference {
                    key: key.to_string(),
                    live: left.as_ref().map(text),
                    recomputed: right.as_ref().map(text),
                });
            }
        }
    }
    Ok(differences)
}

/// Compares every bucket. Both generations stand still.
pub(super) async fn counters(
    store: &dyn CounterStore,
    live: &Slot,
    shadow: &Slot,
) -> Result<Differences, StoreFault> {
    let mut differences = Differences::default();
    let (live, shadow) = (buckets(store, live).await?, buckets(store, shadow).await?);
    let place = |bucket: &CounterBucket| (bucket.counter.clone(), bucket.start);
    let (mut left, mut right) = (live.into_iter().peekable(), shadow.into_iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return Ok(differences),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => place(left).cmp(&place(right)),
        };
        let live = if order == Ordering::Greater { None } else { left.next() };
        let recomputed = if order == Ordering::Less { None } else { right.next() };
        let Some(bucket) = recomputed.clone().or_else(|| live.clone()) else { continue };
        differences.rows += 1;
        let sum = |bucket: &Option<CounterBucket>| bucket.as_ref().map_or(0, |bucket| bucket.sum);
        let (was, right) = (sum(&live), sum(&recomputed));
        if was != right {
            let key = format!("{} at {}", bucket.counter, bucket.start);
            differences.note(RowKey::Bucket(CounterBucket { sum: right, ..bucket }), || Difference {
                key,
                live: live.map(|bucket| bucket.sum.to_string()),
                recomputed: recomputed.map(|bucket| bucket.sum.to_string()),
            });
        }
    }
}

impl Differences {
    fn note(&mut self, row: RowKey, difference: impl FnOnce() -> Difference) {
        self.keys.push(row);
        if self.listed.len() < MAX_LISTED {
            self.listed.push(difference());
        }
    }
}

async fn buckets(store: &dyn CounterStore, slot: &Slot) -> Result<Vec<CounterBucket>, StoreFault> {
    let mut all: Vec<CounterBucket> = Vec::new();
    loop {
        let page = store.scan(slot, all.last(), ROWS_PER_READ).await?;
        let end = page.len() < ROWS_PER_READ;
        all.extend(page);
        if end {
            return Ok(all);
        }
    }
}

/// Stores may keep JSON in a form of their own, so unequal bytes are looked at again as values.
fn equal(left: &StoredView, right: &StoredView) -> bool {
    let value = |row: &StoredView| serde_json::from_slice::<serde_json::Value>(&row.document).ok();
    left.changed_at == right.changed_at
        && (left.document == right.document || value(left).is_some_and(|left| Some(left) == value(right)))
}

fn text(row: &StoredView) -> String {
    String::from_utf8_lossy(&row.document).into_owned()
}

/// The rows of a generation in key order, a page in memory.
struct Rows<'a> {
    store: &'a dyn Documents,
    slot: &'a Slot,
    page: std::vec::IntoIter<StoredView>,
    last: Option<ViewKey>,
    ended: bool,
}

impl<'a> Rows<'a> {
    fn of(store: &'a dyn Documents, slot: &'a Slot) -> Self {
        Self { store, slot, page: Vec::new().into_iter(), last: None, ended: false }
    }

    async fn peek(&mut self) -> Result<Option<&StoredView>, StoreFault> {
        if self.page.as_slice().is_empty() && !self.ended {
            let page = self.store.scan(self.slot, self.last.as_ref(), ROWS_PER_READ).await?;
            self.ended = page.len() < ROWS_PER_READ;
            self.last = page.last().map(|row| row.key.clone()).or(self.last.take());
            self.page = page.into_iter();
        }
        Ok(self.page.as_slice().first())
    }

    fn skip(&mut self) {
        self.page.next();
    }
}
