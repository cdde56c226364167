//! Many appends at once.

use crate::{
    Harness,
    sample::{append, assert_dense, batch, events, exact, later, log, record, stream, take, within, write},
};
use futures::future::join_all;
use gallae_core::{Position, StreamId, Version};
use gallae_ports::{AppendBatch, AppendError, Claim, EventPage, EventStore, Expected, Guard};
use std::{collections::HashMap, sync::Arc};

/// Batches that are committed together do not share a refusal.
pub async fn one_conflict_among_a_hundred_fails_alone<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("order-37", Expected::NoStream, 1)).await;
    let pending: Vec<_> =
        (0..100).map(|n| store.append(write(&format!("order-{n}"), Expected::NoStream, 2))).collect();
    for (n, outcome) in within(join_all(pending)).await.into_iter().enumerate() {
        match outcome {
            Ok(_) => assert_ne!(n, 37, "order-37 exists"),
            Err(AppendError::Conflict { actual, .. }) => assert_eq!((n, actual.get()), (37, 1)),
            Err(other) => panic!("order-{n}: {other}"),
        }
    }
    let log = log(&store).await;
    assert_eq!(log.len(), 1 + 99 * 2);
    assert_dense(&log, Position::START);
}

/// Of batches that want the same key at the same time, one gets it and the others learn who.
pub async fn one_of_many_simultaneous_takers_gets_a_claim<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let take_it = |n: usize| AppendBatch {
        claims: vec![Claim::Take { key: "email:kim".into(), owner: format!("user-{n}"), expires_at: None }],
        ..write(&format!("user-{n}"), Expected::NoStream, 1)
    };
    let pending: Vec<_> = (0..100).map(|n| store.append(take_it(n))).collect();
    let outcomes = within(join_all(pending)).await;
    let winner = outcomes.iter().position(Result::is_ok).expect("somebody gets the key");
    for (n, outcome) in outcomes.into_iter().enumerate().filter(|(n, _)| *n != winner) {
        match outcome {
            Err(AppendError::ClaimTaken { owner, .. }) => assert_eq!(owner, format!("user-{winner}")),
            other => panic!("user-{n}: {other:?}"),
        }
    }
    assert_eq!(log(&store).await.len(), 1);
}

/// Of batches with the same idempotency key at the same time, one is written and the others get its answer.
pub async fn one_of_many_simultaneous_repeats_is_written<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let repeat = |n: usize| AppendBatch {
        idempotency: Some(record("k-1", "{\"order\":1}", later(60))),
        ..write(&format!("order-{n}"), Expected::NoStream, 1)
    };
    let pending: Vec<_> = (0..100).map(|n| store.append(repeat(n))).collect();
    let outcomes = within(join_all(pending)).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(
            matches!(&error, AppendError::Duplicate(first) if first.response == "{\"order\":1}"),
            "{error}"
        );
    }
    assert_eq!(log(&store).await.len(), 1);
}

/// A batch may expect a version that an earlier one, not yet acknowledged, will write. The order is that of the calls,
/// whatever the order in which the futures are polled.
pub async fn batches_are_taken_in_the_order_of_the_calls<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let mut pending: Vec<_> = (0..50).map(|n| store.append(write("hot-1", exact(n), 1))).collect();
    pending.reverse();
    let mut outcomes = within(join_all(pending)).await;
    outcomes.reverse();
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let appended = outcome.unwrap_or_else(|error| panic!("batch {n}: {error}"));
        assert_eq!(appended.position.get(), n as u64 + 1);
    }
}

/// What relied on a batch that failed fails too, and names the version that is really there.
pub async fn a_batch_behind_a_failed_one_gets_a_conflict<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let failing = AppendBatch {
        guards: vec![Guard { stream: stream("none-1"), expected: exact(1) }],
        ..write("hot-1", exact(1), 1)
    };
    let pending = [
        store.append(write("hot-1", Expected::NoStream, 1)),
        store.append(failing),
        store.append(write("hot-1", exact(2), 1)),
        store.append(write("hot-1", exact(1), 1)),
    ];
    let outcomes = within(join_all(pending)).await;
    assert!(outcomes[0].is_ok() && outcomes[3].is_ok(), "{outcomes:?}");
    assert!(matches!(&outcomes[1], Err(AppendError::Conflict { stream, .. }) if stream.as_str() == "none-1"));
    assert!(
        matches!(&outcomes[2], Err(AppendError::Conflict { actual, .. }) if actual.get() == 1),
        "{:?}",
        outcomes[2]
    );
}

/// Queued when called: nobody needs to wait for the answer.
pub async fn a_dropped_append_is_still_written<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    drop(store.append(write("order-1", Expected::NoStream, 1)));
    let appended = append(&store, write("order-1", exact(1), 1)).await;
    assert_eq!(appended.position.get(), 2);
}

/// The first promise: whoever has read a position has read everything before it. Appenders with their own streams, batches of
/// one to three events and a refused batch now and then; readers that subscribe and readers that poll.
pub async fn readers_skip_nothing_under_64_appenders<H: Harness<Store: EventStore>>(harness: &H) {
    const APPENDERS: u64 = 64;
    const ROUNDS: u64 = 20;
    // Rounds 0, 3, 6 … write one event, 1, 4, 7 … two, 2, 5, 8 … three.
    let total = (APPENDERS * (0..ROUNDS).map(|round| round % 3 + 1).sum::<u64>()) as usize;
    let store = Arc::new(harness.fresh().await);

    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let mut subscription = store.subscribe(Position::START);
        readers.spawn(async move { take(&mut subscription, total).await });
    }
    for limit in [7, 500] {
        let store = Arc::clone(&store);
        readers.spawn(async move { poll(&*store, limit, total).await });
    }
    let mut appenders = tokio::task::JoinSet::new();
    for appender in 0..APPENDERS {
        let store = Arc::clone(&store);
        appenders.spawn(async move {
            let name = format!("order-{appender}");
            let mut version = 0;
            for round in 0..ROUNDS {
                if round % 5 == 4 {
                    store.append(write(&name, exact(version + 1), 1)).await.expect_err("a wrong version");
                }
                let count = round % 3 + 1;
                let write = batch().stream(stream(&name), exact(version), events(count as usize));
                version += count;
                let appended = append(&*store, write).await;
                assert_eq!(appended.versions, [Version::new(version)]);
                let head = store.head().await.unwrap();
                assert!(head >= appended.position, "what is acknowledged can be read");
            }
        });
    }
    while let Some(done) = within(appenders.join_next()).await {
        done.unwrap();
    }
    while let Some(read) = within(readers.join_next()).await {
        let read = read.unwrap();
        assert_eq!(read.len(), total);
        assert_dense(&read, Position::START);
        assert_versions_contiguous(&read);
    }
}

async fn poll(store: &impl EventStore, limit: usize, total: usize) -> EventPage {
    let mut read = EventPage::new();
    while read.len() < total {
        let after = read.last().map_or(Position::START, |event| event.position);
        let page = store.read_all(after, limit).await.unwrap();
        if page.is_empty() {
            tokio::task::yield_now().await;
        }
        read.extend(page);
    }
    read
}

fn assert_versions_contiguous(log: &EventPage) {
    let mut versions: HashMap<&StreamId, Version> = HashMap::new();
    for event in log {
        let last = versions.entry(&event.stream).or_default();
        assert_eq!(event.version, last.next(), "{}", event.stream);
        *last = event.version;
    }
}
