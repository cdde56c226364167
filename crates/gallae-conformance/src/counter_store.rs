//! The suite of [`CounterStore`].

use crate::Harness;
use gallae_core::{Increment, Position, Timestamp};
use gallae_ports::{
    COUNTER_BUCKET, CounterBatch, CounterBucket, CounterRange, CounterStore, ProjectionSpec, ProjectionStore,
    Slot,
};

/// Every case of counters, and the cases of cursors and generations for counters.
#[macro_export]
macro_rules! counter_store_suite {
    ($harness:expr) => {
        $crate::__suite! { counter_store, $harness, [
            increments_add_up_in_their_bucket,
            sums_may_be_negative_large_and_zero,
            a_range_is_half_open,
            prefixes_are_text,
            totals_are_over_all_time,
            buckets_are_scanned_in_order,
            a_repair_sets_sums,
        ] }
        $crate::__generations_suite! { counter_generations, Counters, $harness }
    };
}

const SPEC: ProjectionSpec = ProjectionSpec { name: "sales", revision: 1, fields: &[], text: &[] };

/// Within a batch and across batches.
pub async fn increments_add_up_in_their_bucket<H: Harness<Store: CounterStore>>(harness: &H) {
    let (store, slot) = open(harness).await;
    let just_before = Timestamp::from_micros(bucket(1).as_micros() - 1);
    let first = [
        ("orders", bucket(0), 1),
        ("orders", just_before, 2),
        ("orders", bucket(1), 4),
        ("매출.KRW", bucket(0), 8),
    ];
    add(&store, &slot, 0, &first).await;
    add(&store, &slot, 1, &[("orders", bucket(0), 16), ("orders", bucket(0), -1)]).await;
    let expected = [("orders", 0, 18), ("orders", 1, 4), ("매출.KRW", 0, 8)];
    assert_eq!(read(&store, "", 0, 10).await, expected.map(owned));
}

/// What cancels out is not shown.
pub async fn sums_may_be_negative_large_and_zero<H: Harness<Store: CounterStore>>(harness: &H) {
    let (store, slot) = open(harness).await;
    let large = i64::MAX / 2;
    add(
        &store,
        &slot,
        0,
        &[("a", bucket(0), -5), ("b", bucket(0), large), ("c", bucket(0), 3), ("d", bucket(-9), 1)],
    )
    .await;
    add(&store, &slot, 1, &[("b", bucket(0), large), ("c", bucket(0), -3)]).await;
    let expected = [("a", 0, -5), ("b", 0, 2 * large), ("d", -9, 1)];
    assert_eq!(read(&store, "", -100, 10).await, expected.map(owned));
    add(&store, &slot, 2, &[("c", bucket(0), 1)]).await;
    assert_eq!(read(&store, "c", -100, 10).await, [owned(("c", 0, 1))]);
}

/// Buckets that start at the end are not in it.
pub async fn a_range_is_half_open<H: Harness<Store: CounterStore>>(harness: &H) {
    let (store, slot) = open(harness).await;
    let all: Vec<_> = (0..5).map(|n| ("orders", bucket(n), 1)).collect();
    add(&store, &slot, 0, &all).await;
    let starts: Vec<_> = read(&store, "", 1, 3).await.into_iter().map(|(_, start, _)| start).collect();
    assert_eq!(starts, [1, 2]);
    assert!(read(&store, "", 3, 3).await.is_empty());
}

/// Not patterns, and with case.
pub async fn prefixes_are_text<H: Harness<Store: CounterStore>>(harness: &H) {
    let (store, slot) = open(harness).await;
    let names = ["orders.NEW", "orders.PAID", "orders_x", "Orders.NEW", "orders%", "주문.대기"];
    let all: Vec<_> = names.iter().map(|name| (*name, bucket(0), 1)).collect();
    add(&store, &slot, 0, &all).await;
    for (prefix, count) in
        [("orders.", 2), ("orders_", 1), ("orders%", 1), ("orders", 4), ("주", 1), ("", 6), ("x", 0)]
    {
        assert_eq!(read(&store, prefix, 0, 1).await.len(), count, "{prefix}");
    }
}

/// By counter.
pub async fn totals_are_over_all_time<H: Harness<Store: CounterStore>>(harness: &H) {
    let (store, slot) = open(harness).await;
    assert!(store.totals("sales").await.unwrap().is_empty());
    add(&store, &slot, 0, &[("b", bucket(0), 1), ("a", bucket(-70_000), 2), ("b", bucket(9), -4)]).await;
    assert_eq!(store.totals("sales").await.unwrap(), [("a".to_owned(), 2), ("b".to_owned(), -3)]);
}

/// By counter, then time, page by page.
pub async fn buckets_are_scanned_in_order<H: Harness<Store: CounterStore>>(harness: &H) {
    let (store, slot) = open(harness).await;
    add(
        &store,
        &slot,
        0,
        &[("b", bucket(0), 1), ("a", bucket(1), 2), ("a", bucket(0), 3), ("b", bucket(-1), 4)],
    )
    .await;
    let mut scanned = Vec::new();
    loop {
        let page = store.scan(&slot, scanned.last(), 3).await.unwrap();
        let end = page.len() < 3;
        scanned.extend(page);
        if end {
            break;
        }
    }
    let expected = [("a", 0, 3), ("a", 1, 2), ("b", -1, 4), ("b", 0, 1)];
    assert_eq!(scanned.into_iter().map(plain).collect::<Vec<_>>(), expected.map(owned));
}

/// To the sum given, not by it; to zero as well.
pub async fn a_repair_sets_sums<H: Harness<Store: CounterStore>>(harness: &H) {
    let (store, slot) = open(harness).await;
    add(&store, &slot, 0, &[("a", bucket(0), 1), ("b", bucket(0), 2), ("c", bucket(0), 3)]).await;
    let set = |(counter, sum): (&str, i64)| CounterBucket { counter: counter.into(), start: bucket(0), sum };
    store.repair("sales", Position::new(1), [("a", 10), ("b", 0), ("d", 4)].map(set).to_vec()).await.unwrap();
    let expected = [("a", 0, 10), ("c", 0, 3), ("d", 0, 4)];
    assert_eq!(read(&store, "", 0, 1).await, expected.map(owned));
}

async fn open<H: Harness<Store: CounterStore>>(harness: &H) -> (H::Store, Slot) {
    let store = harness.fresh().await;
    let slot = store.open(&SPEC, false).await.unwrap().slot;
    (store, slot)
}

/// The start of a bucket, counted from some moment.
fn bucket(n: i64) -> Timestamp {
    let width = COUNTER_BUCKET.as_micros() as i64;
    Timestamp::from_micros((2_000_000 + n) * width)
}

fn plain(found: CounterBucket) -> (String, i64, i64) {
    let width = COUNTER_BUCKET.as_micros() as i64;
    assert_eq!(found.start.as_micros() % width, 0, "a bucket starts at a multiple of its width");
    (found.counter, found.start.as_micros() / width - 2_000_000, found.sum)
}

fn owned((counter, start, sum): (&str, i64, i64)) -> (String, i64, i64) {
    (counter.to_owned(), start, sum)
}

async fn add(store: &impl CounterStore, slot: &Slot, from: u64, increments: &[(&str, Timestamp, i64)]) {
    let increments = increments.iter().map(|(counter, at, by)| Increment::new(*counter, *at, *by)).collect();
    let batch = CounterBatch { from: Position::new(from), to: Position::new(from + 1), epoch: 1, increments };
    store.apply(slot, batch).await.unwrap();
}

async fn read(store: &impl CounterStore, prefix: &str, from: i64, until: i64) -> Vec<(String, i64, i64)> {
    let range = CounterRange { prefix: prefix.into(), from: bucket(from), until: bucket(until) };
    store.read("sales", &range).await.unwrap().into_iter().map(plain).collect()
}
