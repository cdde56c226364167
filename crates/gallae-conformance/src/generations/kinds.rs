//! The three kinds of rows.

use super::{Kind, Step};
use crate::sample::NOW;
use bytes::Bytes;
use gallae_core::{Field, FieldValue, Increment, Position, Timestamp, ViewKey};
use gallae_ports::{
    ApplyError, CounterBatch, CounterBucket, CounterRange, CounterStore, Paging, ProjectionSpec, SearchBatch,
    SearchQuery, SearchRow, SearchStore, Slot, ViewBatch, ViewQuery, ViewRow, ViewStore,
};

/// Rows of a [`ViewStore`].
#[derive(Debug)]
pub struct Views;

/// Rows of a [`SearchStore`].
#[derive(Debug)]
pub struct Search;

/// Rows of a [`CounterStore`].
#[derive(Debug)]
pub struct Counters;

const FIELDS: &[Field] = &[Field::integer("number")];
/// More than any case writes.
const ALL: usize = 1000;

fn key_of(number: i64) -> ViewKey {
    format!("k-{number:04}").into()
}

fn sorted<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<i64> {
    let mut numbers: Vec<i64> =
        keys.map(|key| key[2..].parse().expect("the key of a case holds its number")).collect();
    numbers.sort_unstable();
    numbers
}

fn view_row(number: i64, at: u64) -> ViewRow {
    ViewRow {
        key: key_of(number),
        document: Bytes::from(number.to_string()),
        fields: vec![FieldValue::Integer(number)],
        changed_at: Position::new(at),
    }
}

fn search_row(number: i64, at: u64) -> SearchRow {
    let ViewRow { key, document, fields, changed_at } = view_row(number, at);
    SearchRow { key, document, fields, text: vec!["parcel".into()], changed_at }
}

impl<S: ViewStore> Kind<S> for Views {
    fn spec(name: &'static str, revision: u32) -> ProjectionSpec {
        ProjectionSpec { name, revision, fields: FIELDS, text: &[] }
    }

    async fn add(store: &S, slot: &Slot, step: Step, numbers: &[i64]) -> Result<(), ApplyError> {
        let rows = numbers.iter().map(|number| view_row(*number, step.to)).collect();
        let (from, to) = (Position::new(step.from), Position::new(step.to));
        store.apply(slot, ViewBatch { from, to, epoch: step.epoch, rows, removed: vec![] }).await
    }

    async fn live(store: &S, projection: &str) -> Vec<i64> {
        let query = ViewQuery { paging: Paging::Page { offset: 0, limit: ALL }, ..ViewQuery::default() };
        let page = store.query(projection, &query).await.unwrap();
        sorted(page.rows.iter().map(|row| row.key.as_str()))
    }

    async fn scan(store: &S, slot: &Slot) -> Option<Vec<i64>> {
        let rows = store.scan(slot, None, ALL).await.ok()?;
        Some(sorted(rows.iter().map(|row| row.key.as_str())))
    }

    async fn repair(store: &S, projection: &str, at: Position, number: i64) -> Result<(), ApplyError> {
        let row = view_row(number, at.get());
        store.repair(projection, at, vec![(row.key.clone(), Some(row))]).await
    }
}

impl<S: SearchStore> Kind<S> for Search {
    fn spec(name: &'static str, revision: u32) -> ProjectionSpec {
        ProjectionSpec { name, revision, fields: FIELDS, text: &["name"] }
    }

    async fn add(store: &S, slot: &Slot, step: Step, numbers: &[i64]) -> Result<(), ApplyError> {
        let rows = numbers.iter().map(|number| search_row(*number, step.to)).collect();
        let (from, to) = (Position::new(step.from), Position::new(step.to));
        store.apply(slot, SearchBatch { from, to, epoch: step.epoch, rows, removed: vec![] }).await
    }

    async fn live(store: &S, projection: &str) -> Vec<i64> {
        let paging = Paging::Page { offset: 0, limit: ALL };
        let query = SearchQuery { text: "parcel".into(), conditions: vec![], paging };
        let page = store.search(projection, &query).await.unwrap();
        sorted(page.hits.iter().map(|hit| hit.row.key.as_str()))
    }

    async fn scan(store: &S, slot: &Slot) -> Option<Vec<i64>> {
        let rows = store.scan(slot, None, ALL).await.ok()?;
        Some(sorted(rows.iter().map(|row| row.key.as_str())))
    }

    async fn repair(store: &S, projection: &str, at: Position, number: i64) -> Result<(), ApplyError> {
        let row = search_row(number, at.get());
        store.repair(projection, at, vec![(row.key.clone(), Some(row))]).await
    }
}

impl<S: CounterStore> Kind<S> for Counters {
    fn spec(name: &'static str, revision: u32) -> ProjectionSpec {
        ProjectionSpec { name, revision, fields: &[], text: &[] }
    }

    async fn add(store: &S, slot: &Slot, step: Step, numbers: &[i64]) -> Result<(), ApplyError> {
        let increments =
            numbers.iter().map(|number| Increment::new(key_of(*number).as_str(), NOW, 1)).collect();
        let (from, to) = (Position::new(step.from), Position::new(step.to));
        store.apply(slot, CounterBatch { from, to, epoch: step.epoch, increments }).await
    }

    async fn live(store: &S, projection: &str) -> Vec<i64> {
        let (from, until) = (Timestamp::default(), Timestamp::from_micros(i64::MAX));
        let range = CounterRange { prefix: String::new(), from, until };
        let buckets = store.read(projection, &range).await.unwrap();
        sorted(buckets.iter().map(|bucket| bucket.counter.as_str()))
    }

    async fn scan(store: &S, slot: &Slot) -> Option<Vec<i64>> {
        let buckets = store.scan(slot, None, ALL).await.ok()?;
        Some(sorted(buckets.iter().map(|bucket| bucket.counter.as_str())))
    }

    async fn repair(store: &S, projection: &str, at: Position, number: i64) -> Result<(), ApplyError> {
        let counter = key_of(number).as_str().to_owned();
        let bucket = CounterBucket { counter, start: CounterBucket::start_of(NOW), sum: 1 };
        store.repair(projection, at, vec![bucket]).await
    }
}
