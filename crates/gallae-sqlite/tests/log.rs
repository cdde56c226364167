//! What is special to this store; the conformance suites test what all stores share.

mod support;

use futures::StreamExt;
use gallae_core::{Position, Version};
use gallae_ports::{
    AppendError, CheckDepth, Claim, EventStore, Expected, IdempotencyRecord, ReadError, SagaStore,
};
use std::time::Duration;
use support::{batch, correlated, event, everything, new_uuid, now, one, open, stream, told};

#[tokio::test]
async fn what_was_appended_is_read_alike_from_memory_and_from_disk() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let mut live = log.subscribe(Position::START);
    let appended = log
        .append(
            correlated("import-7")
                .stream(stream("order-1"), Expected::NoStream, vec![event("{\"a\":1}"), event("2")])
                .stream(stream("book-주문"), Expected::NoStream, vec![event("\"갈래\"")]),
        )
        .await
        .unwrap();
    assert_eq!(appended.position, Position::new(3));
    assert_eq!(appended.versions, [Version::new(2), Version::new(1)]);

    let from_memory = live.next().await.unwrap().unwrap();
    let from_disk = everything(&log).await;
    assert_eq!(
        from_memory.iter().map(|event| told(event)).collect::<Vec<_>>(),
        from_disk.iter().map(|event| told(event)).collect::<Vec<_>>()
    );
    let correlation = "import-7".parse().unwrap();
    assert_eq!(log.read_correlation(&correlation, Position::new(1), 10).await.unwrap().len(), 2);
    let id = log.id();
    drop((log, live));

    let reopened = open(directory.path());
    assert_eq!(reopened.id(), id);
    assert_eq!(everything(&reopened).await.len(), 3);
    assert_eq!(reopened.head().await.unwrap(), Position::new(3));
    assert_eq!(reopened.stream_head(&stream("order-1")).await.unwrap(), Version::new(2));
    assert_eq!(reopened.read_stream(&stream("order-1"), Version::new(1), 10).await.unwrap().len(), 1);
    let report = reopened.check(CheckDepth::Full).await.unwrap();
    assert_eq!((report.events, report.damage), (3, vec![]));
}

#[tokio::test]
async fn batches_are_queued_when_append_is_called() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let calls: Vec<_> = (0..500)
        .map(|version| log.append(one("hot-1", Expected::Exact(Version::new(version)), "{}")))
        .collect();
    // Polled in the opposite order, and the first not at all.
    for call in calls.into_iter().skip(1).rev() {
        call.await.unwrap();
    }
    assert_eq!(log.stream_head(&stream("hot-1")).await.unwrap(), Version::new(500));
}

#[tokio::test]
async fn a_refused_batch_leaves_no_trace() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let taken = Claim::Take { key: "email:a".into(), owner: "user-1".into(), expires_at: None };
    let mut first = one("user-1", Expected::NoStream, "{}");
    first.claims.push(taken.clone());
    log.append(first).await.unwrap();

    let mut second = one("user-2", Expected::NoStream, "{}");
    second.idempotency = Some(IdempotencyRecord {
        key: "k".into(),
        fingerprint: "f".into(),
        response: "r".into(),
        expires_at: now().after(Duration::from_secs(60)),
    });
    second.claims.push(Claim::Take { key: "email:b".into(), owner: "user-2".into(), expires_at: None });
    second.claims.push(Claim::Take { key: "email:a".into(), owner: "user-2".into(), expires_at: None });
    let neighbour = log.append(one("user-3", Expected::NoStream, "{}"));
    let refused = log.append(second).await.unwrap_err();
    assert!(
        matches!(&refused, AppendError::ClaimTaken { key, owner, .. } if key == "email:a" && owner == "user-1"),
        "{refused:?}"
    );
    assert_eq!(neighbour.await.unwrap().position, Position::new(2));
    assert_eq!(log.claim("email:b", now()).await.unwrap(), None);
    assert_eq!(log.idempotency("k", now()).await.unwrap(), None);
    assert_eq!(log.list_streams("user-", None, 10).await.unwrap().len(), 2);
    assert_eq!(log.next_timer(&gallae_ports::Partitions::ALL).await.unwrap(), None);
}

#[tokio::test]
async fn a_retry_is_recognised_whatever_else_would_refuse_it() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let mut original = batch().stream(stream("a-1"), Expected::Any, vec![event("1"), event("2")]).stream(
        stream("b-1"),
        Expected::NoStream,
        vec![event("3")],
    );
    original.idempotency = Some(IdempotencyRecord {
        key: new_uuid().to_string(),
        fingerprint: "f".into(),
        response: "r".into(),
        expires_at: now().after(Duration::from_secs(60)),
    });
    let first = log.append(original.clone()).await.unwrap();
    log.append(one("a-1", Expected::Exact(Version::new(2)), "4")).await.unwrap();
    let again = log.append(original.clone()).await.unwrap();
    assert!(again.replayed && !first.replayed);
    assert_eq!((again.position, again.versions), (first.position, first.versions));

    let mut other_ids = original;
    other_ids.streams.iter_mut().flat_map(|append| &mut append.events).for_each(|other| {
        other.id = event("").id;
    });
    assert!(matches!(log.append(other_ids).await, Err(AppendError::Duplicate(_))));
    assert_eq!(log.head().await.unwrap(), Position::new(4));
}

#[tokio::test]
async fn a_subscription_catches_up_goes_live_and_ends_with_the_log() {
    const EVENTS: u64 = 12_000;
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let append = |number: u64| log.append(one(&format!("s-{number}"), Expected::NoStream, "{}"));
    // More than memory keeps, so that the first pages come from disk.
    futures::future::join_all((0..EVENTS - 10).map(append)).await;
    let mut subscription = log.subscribe(Position::new(5));
    let late: Vec<_> = (EVENTS - 10..EVENTS).map(append).collect();
    let mut last = Position::new(5);
    while last < Position::new(EVENTS) {
        let page = subscription.next().await.unwrap().unwrap();
        assert!(!page.is_empty() && page.len() <= 1_000);
        for event in page {
            assert_eq!(event.position, last.next());
            last = event.position;
        }
    }
    futures::future::join_all(late).await;
    drop(log);
    assert!(matches!(subscription.next().await, Some(Err(ReadError::Unavailable(_)))));
    assert!(subscription.next().await.is_none());
}

#[tokio::test]
async fn a_subscription_beyond_the_head_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let item = log.subscribe(Position::new(1)).next().await.unwrap();
    assert!(matches!(item, Err(ReadError::Regressed { after, head }) if after > head));
}
