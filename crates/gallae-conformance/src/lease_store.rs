//! The suite of [`LeaseStore`], and of the fence that names a lease in an append.

use crate::{
    Harness,
    sample::{append, exact, log, refused, write},
};
use futures::future::join_all;
use gallae_ports::{AppendBatch, AppendError, EventStore, Fence, Lease, LeaseStore, PARTITIONS};
use std::time::Duration;

/// Every case of leases and fences.
#[macro_export]
macro_rules! lease_store_suite {
    ($harness:expr) => {
        $crate::__suite! { lease_store, $harness, [
            a_lease_is_held_by_one,
            one_of_many_simultaneous_owners_gets_a_lease,
            a_lease_runs_out_and_its_epoch_rises,
            a_renewed_lease_lasts,
            a_lease_that_was_lost_is_not_renewed,
            a_released_lease_is_free_at_once,
            many_leases_are_taken_at_once,
            many_leases_are_renewed_at_once_and_what_was_lost_is_missing,
            many_leases_are_released_at_once,
            leases_are_listed,
            a_fence_lets_the_holder_write_and_nobody_else,
        ] }
    };
}

/// Long enough for the steps of a case between which no time should pass.
const TTL: Duration = Duration::from_millis(1500);
const LONG: Duration = Duration::from_secs(600);

/// Refused to others, extended for the owner without a new epoch.
pub async fn a_lease_is_held_by_one<H: Harness<Store: LeaseStore>>(harness: &H) {
    let store = harness.fresh().await;
    let first = acquire(&store, "relay", "a").await.expect("nobody holds it");
    assert_eq!((first.name.as_str(), first.owner.as_str()), ("relay", "a"));
    assert!(first.epoch > 0, "an epoch of zero is before every lease");
    assert_eq!(acquire(&store, "relay", "b").await, None);
    let again = acquire(&store, "relay", "a").await.expect("the owner may");
    assert_eq!(again.epoch, first.epoch, "the owner did not change");
    assert!(again.until >= first.until);
    assert!(acquire(&store, "timers", "b").await.is_some(), "another lease is another matter");
}

/// A race has one winner.
pub async fn one_of_many_simultaneous_owners_gets_a_lease<H: Harness<Store: LeaseStore>>(harness: &H) {
    let store = harness.fresh().await;
    let owners: Vec<String> = (0..32).map(|n| format!("node-{n}")).collect();
    let outcomes = join_all(owners.iter().map(|owner| acquire(&store, "relay", owner))).await;
    assert_eq!(outcomes.iter().flatten().count(), 1);
}

/// After its time somebody else may take it, under a higher epoch.
pub async fn a_lease_runs_out_and_its_epoch_rises<H: Harness<Store: LeaseStore>>(harness: &H) {
    let store = harness.fresh().await;
    let first = store.acquire("relay", "a", TTL).await.unwrap().unwrap();
    assert_eq!(acquire(&store, "relay", "b").await, None);
    harness.pass(TTL * 11 / 10).await;
    let second = acquire(&store, "relay", "b").await.expect("it has run out");
    assert!(second.epoch > first.epoch);
    assert_eq!(acquire(&store, "relay", "a").await, None);
}

/// Renewing counts from now.
pub async fn a_renewed_lease_lasts<H: Harness<Store: LeaseStore>>(harness: &H) {
    let store = harness.fresh().await;
    let lease = store.acquire("relay", "a", TTL).await.unwrap().unwrap();
    assert!(store.renew("relay", "a", lease.epoch, LONG).await.unwrap());
    harness.pass(TTL * 11 / 10).await;
    assert_eq!(acquire(&store, "relay", "b").await, None);
}

/// Neither after a take-over, nor in somebody else's name, nor at another epoch.
pub async fn a_lease_that_was_lost_is_not_renewed<H: Harness<Store: LeaseStore>>(harness: &H) {
    let store = harness.fresh().await;
    let first = acquire(&store, "relay", "a").await.unwrap();
    assert!(!store.renew("relay", "b", first.epoch, LONG).await.unwrap());
    assert!(!store.renew("relay", "a", first.epoch + 1, LONG).await.unwrap());
    assert!(!store.renew("unknown", "a", 1, LONG).await.unwrap());
    store.release("relay", "a", first.epoch).await.unwrap();
    let second = acquire(&store, "relay", "b").await.unwrap();
    assert!(!store.renew("relay", "a", first.epoch, LONG).await.unwrap());
    assert!(store.renew("relay", "b", second.epoch, LONG).await.unwrap());
}

/// The next owner need not wait; who lost the lease cannot give it away.
pub async fn a_released_lease_is_free_at_once<H: Harness<Store: LeaseStore>>(harness: &H) {
    let store = harness.fresh().await;
    let first = acquire(&store, "relay", "a").await.unwrap();
    store.release("relay", "b", first.epoch).await.unwrap();
    store.release("relay", "a", first.epoch + 1).await.unwrap();
    assert_eq!(acquire(&store, "relay", "b").await, None);
    store.release("relay", "a", first.epoch).await.unwrap();
    let second = acquire(&store, "relay", "b").await.expect("it was released");
    assert!(second.epoch > first.epoch);
    store.release("relay", "a", first.epoch).await.unwrap();
    assert_eq!(acquire(&store, "relay", "c").await, None, "an old owner released a lease it had lost");
}

/// As many as there are partitions, in one call; what somebody else holds is left out, what has run out is taken over.
pub async fn many_leases_are_taken_at_once<H: Harness<Store: LeaseStore>>(harness: &H) {
    let store = harness.fresh().await;
    let names: Vec<_> = (0..PARTITIONS).map(|n| format!("saga/{n:03}")).collect();
    let foreign = acquire(&store, "saga/003", "b").await.unwrap();
    let lapsing = store.acquire("saga/004", "b", TTL).await.unwrap().unwrap();
    let mine = store.acquire_each(&names, "a", LONG).await.unwrap();
    assert_eq!(mine.len(), names.len() - 2);
    assert!(mine.iter().all(|lease| lease.owner == "a" && lease.epoch == 1 && !lease.left.is_zero()));
    assert!(mine.iter().all(|lease| lease.name != foreign.name && lease.name != lapsing.name));
    harness.pass(TTL * 11 / 10).await;
    let mut again = store.acquire_each(&names, "a", LONG).await.unwrap();
    again.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(again.len(), names.len() - 1, "the owner keeps what it holds and takes what has run out");
    let epochs: Vec<_> = again.iter().take(4).map(|lease| (lease.name.as_str(), lease.epoch)).collect();
    assert_eq!(epochs, [("saga/000", 1), ("saga/001", 1), ("saga/002", 1), ("saga/004", lapsing.epoch + 1)]);
    assert!(store.acquire_each(&[], "a", LONG).await.unwrap().is_empty());
}

/// Each is judged alone: by its name, its owner and its epoch.
pub async fn many_leases_are_renewed_at_once_and_what_was_lost_is_missing<H: Harness<Store: LeaseStore>>(
    harness: &H,
) {
    let store = harness.fresh().await;
    let names = ["a", "b", "c", "d"].map(str::to_owned);
    store.acquire_each(&names, "me", TTL).await.unwrap();
    store.release("b", "me", 1).await.unwrap();
    acquire(&store, "b", "other").await.unwrap();
    let held = [fence("a", 1), fence("b", 1), fence("c", 2), fence("d", 1), fence("unknown", 1)];
    let mut renewed = store.renew_each(&held, "me", LONG).await.unwrap();
    renewed.sort();
    assert_eq!(renewed, ["a", "d"]);
    assert!(store.renew_each(&held, "somebody", LONG).await.unwrap().is_empty());
    harness.pass(TTL * 11 / 10).await;
    let mut free = store.acquire_each(&names, "next", LONG).await.unwrap();
    free.sort_by(|a, b| a.name.cmp(&b.name));
    let free: Vec<_> = free.into_iter().map(|lease| (lease.name, lease.epoch)).collect();
    assert_eq!(free, [("c".to_owned(), 2)], "only what was not renewed has run out");
}

/// The next owner need not wait; what was lost is not given away.
pub async fn many_leases_are_released_at_once<H: Harness<Store: LeaseStore>>(harness: &H) {
    let store = harness.fresh().await;
    let names = ["a", "b", "c"].map(str::to_owned);
    store.acquire_each(&names, "me", LONG).await.unwrap();
    store.release_each(&[fence("a", 1), fence("b", 9), fence("unknown", 1)], "me").await.unwrap();
    store.release_each(&[fence("b", 1), fence("c", 1)], "somebody").await.unwrap();
    let free = store.acquire_each(&names, "next", LONG).await.unwrap();
    assert_eq!(free.iter().map(|lease| (lease.name.as_str(), lease.epoch)).collect::<Vec<_>>(), [("a", 2)]);
}

/// Held and released ones, with what is left of each by the store's clock.
pub async fn leases_are_listed<H: Harness<Store: LeaseStore>>(harness: &H) {
    let store = harness.fresh().await;
    assert!(store.leases().await.unwrap().is_empty());
    let held = acquire(&store, "b", "me").await.unwrap();
    let released = acquire(&store, "a", "me").await.unwrap();
    store.release("a", "me", released.epoch).await.unwrap();
    let short = store.acquire("c", "me", TTL).await.unwrap().unwrap();
    harness.pass(TTL * 11 / 10).await;
    let mut leases = store.leases().await.unwrap();
    leases.sort_by(|a, b| a.name.cmp(&b.name));
    let seen: Vec<_> =
        leases.iter().map(|lease| (lease.name.as_str(), lease.owner.as_str(), lease.epoch)).collect();
    assert_eq!(seen, [("a", "", released.epoch), ("b", "me", held.epoch), ("c", "me", short.epoch)]);
    assert_eq!((leases[0].left, leases[2].left), (Duration::ZERO, Duration::ZERO), "nothing is left of them");
    assert!(leases[1].left > LONG - 10 * TTL && leases[1].left <= LONG, "{:?}", leases[1]);
}

/// Checked in the transaction of the append: a paused holder that wakes up too late writes nothing.
pub async fn a_fence_lets_the_holder_write_and_nobody_else<H: Harness<Store: EventStore + LeaseStore>>(
    harness: &H,
) {
    let store = harness.fresh().await;
    let fenced = |version, epoch| AppendBatch {
        fence: Some(Fence { lease: "relay".into(), epoch }),
        ..write("order-1", exact(version), 1)
    };
    assert_fenced(&refused(&store, fenced(0, 1)).await, 1);
    let first = acquire(&store, "relay", "a").await.unwrap();
    append(&store, fenced(0, first.epoch)).await;
    assert_fenced(&refused(&store, fenced(1, first.epoch + 1)).await, first.epoch + 1);

    store.release("relay", "a", first.epoch).await.unwrap();
    let second = acquire(&store, "relay", "b").await.unwrap();
    assert_fenced(&refused(&store, fenced(1, first.epoch)).await, first.epoch);
    append(&store, fenced(1, second.epoch)).await;
    store.release("relay", "b", second.epoch).await.unwrap();
    assert_fenced(&refused(&store, fenced(2, second.epoch)).await, second.epoch);
    assert_eq!(log(&store).await.len(), 2);
}

fn assert_fenced(error: &AppendError, stale: u64) {
    assert!(
        matches!(error, AppendError::Fenced { lease, epoch } if lease == "relay" && *epoch == stale),
        "{error:?}"
    );
}

fn fence(lease: &str, epoch: u64) -> Fence {
    Fence { lease: lease.to_owned(), epoch }
}

async fn acquire(store: &impl LeaseStore, name: &str, owner: &str) -> Option<Lease> {
    store.acquire(name, owner, LONG).await.unwrap()
}
