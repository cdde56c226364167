//! The suite of [`LockService`].

use crate::Harness;
use futures::future::join_all;
use gallae_ports::{LockGrant, LockRefusal, LockService};
use std::time::Duration;

/// Every case of locks.
#[macro_export]
macro_rules! lock_service_suite {
    ($harness:expr) => {
        $crate::__suite! { lock_service, $harness, [
            a_lock_is_held_by_one,
            one_of_many_simultaneous_contenders_gets_a_lock,
            fencing_tokens_grow,
            a_lock_runs_out,
            an_extended_lock_lasts,
            a_lost_grant_is_worth_nothing,
            a_grant_is_proved_by_its_secret,
            a_lock_can_be_broken,
            a_lock_shows_its_state,
        ] }
    };
}

/// Long enough for the steps of a case between which no time should pass.
const TTL: Duration = Duration::from_millis(1500);
const LONG: Duration = Duration::from_secs(600);

/// The others learn who holds it and for how long at most.
pub async fn a_lock_is_held_by_one<H: Harness<Store: LockService>>(harness: &H) {
    let locks = harness.fresh().await;
    let grant = lock(&locks, "a", "me", LONG).await.unwrap();
    assert_eq!((grant.key.as_str(), grant.holder.as_str()), ("a", "me"));
    let refusal = lock(&locks, "a", "you", LONG).await.unwrap_err();
    assert_eq!(refusal.holder, "me");
    assert!(refusal.remaining > LONG / 2 && refusal.remaining <= LONG, "{refusal:?}");
    assert!(lock(&locks, "b", "you", LONG).await.is_ok(), "another key is another lock");
    assert!(locks.unlock(&grant).await.unwrap());
    assert!(lock(&locks, "a", "you", LONG).await.is_ok());
}

/// A race has one winner.
pub async fn one_of_many_simultaneous_contenders_gets_a_lock<H: Harness<Store: LockService>>(harness: &H) {
    let locks = harness.fresh().await;
    let holders: Vec<String> = (0..32).map(|n| format!("node-{n}")).collect();
    let outcomes = join_all(holders.iter().map(|holder| lock(&locks, "a", holder, LONG))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
}

/// With every grant of a key, however the one before ended.
pub async fn fencing_tokens_grow<H: Harness<Store: LockService>>(harness: &H) {
    let locks = harness.fresh().await;
    let mut last = 0;
    for round in 0..10 {
        let grant = lock(&locks, "a", "me", LONG).await.unwrap();
        assert!(grant.fencing_token > last, "{} after {last}", grant.fencing_token);
        last = grant.fencing_token;
        let ended = if round % 2 == 0 { locks.unlock(&grant).await } else { locks.break_lock("a").await };
        assert!(ended.unwrap());
    }
}

/// A holder that died holds up nobody for longer than it asked for.
pub async fn a_lock_runs_out<H: Harness<Store: LockService>>(harness: &H) {
    let locks = harness.fresh().await;
    let first = lock(&locks, "a", "me", TTL).await.unwrap();
    assert!(lock(&locks, "a", "you", LONG).await.is_err());
    harness.pass(TTL * 11 / 10).await;
    assert_eq!(locks.lock_state("a").await.unwrap(), None);
    let second = lock(&locks, "a", "you", LONG).await.expect("it has run out");
    assert!(second.fencing_token > first.fencing_token);
}

/// Extending counts from now and keeps the token.
pub async fn an_extended_lock_lasts<H: Harness<Store: LockService>>(harness: &H) {
    let locks = harness.fresh().await;
    let grant = lock(&locks, "a", "me", TTL).await.unwrap();
    assert!(locks.extend(&grant, LONG).await.unwrap());
    harness.pass(TTL * 11 / 10).await;
    assert!(lock(&locks, "a", "you", LONG).await.is_err());
    let state = locks.lock_state("a").await.unwrap().unwrap();
    assert_eq!((state.holder.as_str(), state.fencing_token), ("me", grant.fencing_token));
}

/// Neither extended nor given back, whether the lock is free or somebody else's.
pub async fn a_lost_grant_is_worth_nothing<H: Harness<Store: LockService>>(harness: &H) {
    let locks = harness.fresh().await;
    let lost = lock(&locks, "a", "me", TTL).await.unwrap();
    harness.pass(TTL * 11 / 10).await;
    assert!(!locks.extend(&lost, LONG).await.unwrap());
    assert!(!locks.unlock(&lost).await.unwrap());
    let again = lock(&locks, "a", "me", LONG).await.unwrap();
    assert!(!locks.extend(&lost, LONG).await.unwrap());
    assert!(!locks.unlock(&lost).await.unwrap());
    assert!(locks.unlock(&again).await.unwrap());
    assert!(!locks.unlock(&again).await.unwrap());
}

/// Knowing key, holder and token is not enough.
pub async fn a_grant_is_proved_by_its_secret<H: Harness<Store: LockService>>(harness: &H) {
    let locks = harness.fresh().await;
    let grant = lock(&locks, "a", "me", LONG).await.unwrap();
    let forged = LockGrant { secret: grant.secret ^ 1, ..grant.clone() };
    assert!(!locks.extend(&forged, LONG).await.unwrap());
    assert!(!locks.unlock(&forged).await.unwrap());
    assert!(locks.unlock(&grant).await.unwrap());
}

/// An operator's act: the holder finds its grant lost.
pub async fn a_lock_can_be_broken<H: Harness<Store: LockService>>(harness: &H) {
    let locks = harness.fresh().await;
    assert!(!locks.break_lock("a").await.unwrap());
    let grant = lock(&locks, "a", "me", LONG).await.unwrap();
    assert!(locks.break_lock("a").await.unwrap());
    assert!(!locks.extend(&grant, LONG).await.unwrap());
    assert!(lock(&locks, "a", "you", LONG).await.is_ok());
}

/// For whoever wants to know, without taking it.
pub async fn a_lock_shows_its_state<H: Harness<Store: LockService>>(harness: &H) {
    let locks = harness.fresh().await;
    assert_eq!(locks.lock_state("a").await.unwrap(), None);
    let grant = lock(&locks, "a", "me", LONG).await.unwrap();
    let state = locks.lock_state("a").await.unwrap().unwrap();
    assert_eq!((state.holder.as_str(), state.fencing_token), ("me", grant.fencing_token));
    assert!(state.remaining > LONG / 2 && state.remaining <= LONG);
    locks.unlock(&grant).await.unwrap();
    assert_eq!(locks.lock_state("a").await.unwrap(), None);
}

async fn lock(
    locks: &impl LockService,
    key: &str,
    holder: &str,
    ttl: Duration,
) -> Result<LockGrant, LockRefusal> {
    locks.try_lock(key, holder, ttl).await.unwrap()
}
