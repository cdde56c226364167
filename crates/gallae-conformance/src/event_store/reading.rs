//! Finite reads.

use crate::{
    Harness,
    sample::{append, assert_dense, batch, events, exact, metadata, positions, stream, write},
};
use gallae_core::{Position, Version};
use gallae_ports::{AppendBatch, CheckDepth, EventStore, Expected, StreamInfo};

/// Fewer events than the limit mean the end of the stream.
pub async fn a_stream_is_read_in_pages<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("a-1", Expected::NoStream, 5)).await;
    append(&store, write("b-1", Expected::NoStream, 5)).await;
    append(&store, write("a-1", exact(5), 5)).await;
    let a = stream("a-1");
    for (after, limit, versions) in [
        (0, 4, vec![1, 2, 3, 4]),
        (4, 4, vec![5, 6, 7, 8]),
        (8, 4, vec![9, 10]),
        (10, 4, vec![]),
        (99, 4, vec![]),
        (3, 0, vec![]),
    ] {
        let page = store.read_stream(&a, Version::new(after), limit).await.unwrap();
        assert_eq!(
            page.iter().map(|event| event.version.get()).collect::<Vec<_>>(),
            versions,
            "after {after}"
        );
        assert!(page.iter().all(|event| event.stream == a));
    }
}

/// Fewer events than the limit mean the head.
pub async fn the_log_is_read_in_pages<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    for name in ["a-1", "b-1", "c-1"] {
        append(&store, write(name, Expected::NoStream, 3)).await;
    }
    for (after, limit, expected) in [
        (0, 4, vec![1, 2, 3, 4]),
        (4, 5, vec![5, 6, 7, 8, 9]),
        (7, 10, vec![8, 9]),
        (9, 10, vec![]),
        (50, 10, vec![]),
        (2, 0, vec![]),
    ] {
        let page = store.read_all(Position::new(after), limit).await.unwrap();
        assert_eq!(positions(&page), expected, "after {after}");
    }
}

/// A business flow crosses streams.
pub async fn a_flow_is_read_in_pages<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    for (name, flow) in [("a-1", "f-1"), ("b-1", "f-2"), ("c-1", "f-1"), ("d-1", "f-1")] {
        let batch = AppendBatch { metadata: metadata(flow), ..write(name, Expected::NoStream, 2) };
        append(&store, batch).await;
    }
    let flow = "f-1".parse().unwrap();
    for (after, limit, expected) in
        [(0, 3, vec![1, 2, 5]), (5, 3, vec![6, 7, 8]), (3, 10, vec![5, 6, 7, 8]), (8, 3, vec![])]
    {
        let page = store.read_correlation(&flow, Position::new(after), limit).await.unwrap();
        assert_eq!(positions(&page), expected, "after {after}");
    }
    let unknown = store.read_correlation(&"f-3".parse().unwrap(), Position::START, 10).await.unwrap();
    assert!(unknown.is_empty());
}

/// Prefixes are text, not patterns, and case matters.
pub async fn streams_are_listed_by_name<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let names = ["order-3", "order-1", "order_x-1", "Order-1", "orderly-1", "order-2", "주문-1", "order%-1"];
    for (index, name) in names.iter().enumerate() {
        append(&store, write(name, Expected::NoStream, index + 1)).await;
    }
    let list = async |prefix: &str, after: Option<&str>, limit| {
        let after = after.map(stream);
        let listed = store.list_streams(prefix, after.as_ref(), limit).await.unwrap();
        listed.iter().map(|info| info.stream.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list("order-", None, 10).await, ["order-1", "order-2", "order-3"]);
    assert_eq!(list("order_", None, 10).await, ["order_x-1"]);
    assert_eq!(list("order%", None, 10).await, ["order%-1"]);
    assert_eq!(list("주", None, 10).await, ["주문-1"]);
    assert_eq!(list("order", None, 2).await, ["order%-1", "order-1"]);
    assert_eq!(list("order", Some("order-1"), 3).await, ["order-2", "order-3", "order_x-1"]);
    assert_eq!(list("", None, 100).await.len(), names.len());
    assert_eq!(list("x", None, 100).await.len(), 0);
    let info = store.list_streams("order-2", None, 1).await.unwrap();
    assert_eq!(info, [StreamInfo { stream: stream("order-2"), version: Version::new(6) }]);
}

/// Asking for what is not there is not an error.
pub async fn what_does_not_exist_is_empty<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let missing = stream("order-404");
    assert_eq!(store.stream_head(&missing).await.unwrap(), Version::NONE);
    assert!(store.read_stream(&missing, Version::NONE, 10).await.unwrap().is_empty());
    assert!(store.read_all(Position::START, 10).await.unwrap().is_empty());
    assert!(store.list_streams("", None, 10).await.unwrap().is_empty());
}

/// Long streams are ordinary streams.
pub async fn a_stream_of_100_000_events_is_read_through<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let long = stream("ledger-1");
    for thousand in 0..100 {
        let batch = batch().stream(long.clone(), exact(thousand * 1000), events(1000));
        append(&store, batch).await;
    }
    assert_eq!(store.stream_head(&long).await.unwrap().get(), 100_000);
    let mut last = Version::NONE;
    loop {
        let page = store.read_stream(&long, last, 5000).await.unwrap();
        assert_dense(&page, Position::new(last.get()));
        for event in &page {
            assert_eq!(event.version, last.next());
            last = event.version;
        }
        if page.len() < 5000 {
            break;
        }
    }
    assert_eq!(last.get(), 100_000);
}

/// Both depths of the check count what they look at and find nothing.
pub async fn a_sound_store_has_no_damage<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    assert_eq!(store.check(CheckDepth::Full).await.unwrap().events, 0);
    for name in ["a-1", "b-1"] {
        append(&store, write(name, Expected::NoStream, 600)).await;
    }
    let tail = store.check(CheckDepth::Tail).await.unwrap();
    let full = store.check(CheckDepth::Full).await.unwrap();
    assert_eq!((tail.events, full.events), (1000, 1200));
    assert!(tail.damage.is_empty() && full.damage.is_empty(), "{tail:?} {full:?}");
}

/// Stores are told apart by their ids; effects depend on it.
pub async fn a_store_has_an_id_and_answers<H: Harness<Store: EventStore>>(harness: &H) {
    let (a, b) = (harness.fresh().await, harness.fresh().await);
    assert!(!a.id().is_nil());
    assert_ne!(a.id(), b.id());
    a.ping().await.expect("a store that is well answers");
}
