//! Endless reads.

use crate::{
    Harness,
    sample::{append, assert_dense, batch, events, exact, stream, take, within, write},
};
use futures::{FutureExt, StreamExt, future::join_all};
use gallae_core::Position;
use gallae_ports::{EventStore, Expected, ReadError};

/// The events that any adapter may hold for one subscriber.
const LARGEST_PAGE: usize = 5_000;

/// First what is there, then what comes, through the seam without a gap or a repetition.
pub async fn a_subscription_goes_from_history_to_live<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("order-1", Expected::NoStream, 10)).await;
    let mut subscription = store.subscribe(Position::START);
    let mut seen = take(&mut subscription, 10).await;
    assert!(subscription.next().now_or_never().is_none(), "at the head a subscription waits");
    for round in 0..20 {
        append(&store, write("order-1", exact(10 + 2 * round), 2)).await;
        seen.extend(take(&mut subscription, 2).await);
    }
    assert_eq!(seen.len(), 50);
    assert_dense(&seen, Position::START);
}

/// An event that is committed just while a reader goes to sleep wakes it. Events come in bursts, so that the reader looks for
/// more while more is being committed; the writer waits until it has seen the last of a burst.
pub async fn a_subscription_sleeps_through_no_commit<H: Harness<Store: EventStore>>(harness: &H) {
    const BURSTS: u64 = 300;
    const BURST: u64 = 8;
    let store = harness.fresh().await;
    let mut subscription = store.subscribe(Position::START);
    let (tell, mut told) = tokio::sync::watch::channel(0);
    let reader = tokio::spawn(async move {
        while *tell.borrow() < BURSTS * BURST {
            let page = take(&mut subscription, 1).await;
            tell.send(page[page.len() - 1].position.get()).expect("the writer waits for it");
        }
    });
    for burst in 0..BURSTS {
        let versions = burst * BURST..(burst + 1) * BURST;
        let pending: Vec<_> =
            versions.clone().map(|version| store.append(write("order-1", exact(version), 1))).collect();
        for appended in join_all(pending).await {
            appended.unwrap();
        }
        within(told.wait_for(|seen| *seen == versions.end)).await.unwrap();
    }
    reader.await.unwrap();
}

/// From the start, from the middle, from the head; all of them go on with the same live events.
pub async fn a_subscription_starts_anywhere<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("order-1", Expected::NoStream, 2500)).await;
    let starts = [0, 1, 1249, 2499, 2500];
    let mut subscriptions: Vec<_> =
        starts.iter().map(|start| (*start, store.subscribe(Position::new(*start)))).collect();
    append(&store, write("order-1", exact(2500), 3)).await;
    for (start, subscription) in &mut subscriptions {
        let seen = take(subscription, 2503 - *start as usize).await;
        assert_eq!(seen.len() as u64, 2503 - *start, "after {start}");
        assert_dense(&seen, Position::new(*start));
    }
}

/// However long the log is, a reader is handed one page at a time.
pub async fn a_subscription_holds_a_page_at_most<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    for thousand in 0..12 {
        let batch = batch().stream(stream("order-1"), exact(thousand * 1000), events(1000));
        append(&store, batch).await;
    }
    let mut subscription = store.subscribe(Position::START);
    let mut last = Position::START;
    let mut pages = 0;
    while last < Position::new(12_000) {
        let page = within(subscription.next()).await.unwrap().unwrap();
        assert!((1..=LARGEST_PAGE).contains(&page.len()), "a page of {} events", page.len());
        assert_dense(&page, last);
        last = page[page.len() - 1].position;
        pages += 1;
    }
    assert!(pages > 1, "a log of 12,000 events does not fit a page");
}

/// A reader that does not read neither slows the writers nor loses anything.
pub async fn a_slow_subscriber_holds_up_nobody<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("order-1", Expected::NoStream, 1)).await;
    let (mut slow, mut fast) = (store.subscribe(Position::START), store.subscribe(Position::START));
    let first = within(slow.next()).await.unwrap().unwrap();
    assert_eq!(take(&mut fast, 1).await.len(), 1);
    let mut last = Position::new(1);
    for hundred in 0..100 {
        let batch = batch().stream(stream("order-1"), exact(1 + hundred * 100), events(100));
        within(append(&store, batch)).await;
        let seen = take(&mut fast, 100).await;
        assert_dense(&seen, last);
        last = seen[seen.len() - 1].position;
    }
    let rest = take(&mut slow, 10_000).await;
    assert_eq!((first.len(), rest.len()), (1, 10_000));
    assert_dense(&rest, Position::new(1));
}

/// Subscribers come and go.
pub async fn a_dropped_subscriber_is_missed_by_nobody<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let mut staying = store.subscribe(Position::START);
    for round in 0..20 {
        let mut leaving = store.subscribe(Position::START);
        let never_polled = store.subscribe(Position::START);
        append(&store, write("order-1", exact(round), 1)).await;
        within(leaving.next()).await.unwrap().unwrap();
        assert_eq!(take(&mut staying, 1).await[0].position.get(), round + 1);
        drop((leaving, never_polled));
    }
}

/// A reader that has seen more than there is must not wait in silence: the tail of the log was lost.
pub async fn a_subscription_beyond_the_head_fails<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("order-1", Expected::NoStream, 3)).await;
    let mut subscription = store.subscribe(Position::new(5));
    let error = within(subscription.next()).await.unwrap().expect_err("position 5 is beyond the head");
    assert!(
        matches!(error, ReadError::Regressed { after, head } if (after.get(), head.get()) == (5, 3)),
        "{error}"
    );
    assert!(within(subscription.next()).await.is_none(), "a subscription ends after an error");
}
