//! A dependency by itself, by a clock of numbers.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const FAST: Duration = Duration::from_millis(5);

fn dependency(change: impl FnOnce(&mut Limits)) -> Arc<Dependency> {
    let mut limits = Limits::default();
    change(&mut limits);
    Arc::new(Dependency::new("bank", limits))
}

fn calls(dependency: &Arc<Dependency>, count: usize, health: Health, elapsed: Duration, now: Duration) {
    for _ in 0..count {
        dependency.ask(false, now).unwrap_or_else(|hold| panic!("{hold:?}")).settle(health, elapsed, now);
    }
}

fn held(dependency: &Arc<Dependency>, retry: bool, now: Duration) -> Hold {
    dependency.ask(retry, now).map(drop).unwrap_err()
}

#[test]
fn failures_open_the_breaker_and_probes_close_it() {
    let bank = dependency(|_| {});
    calls(&bank, 10, Health::Good, FAST, SECOND);
    calls(&bank, 9, Health::Bad, FAST, SECOND);
    assert_eq!(bank.state(SECOND).breaker, BreakerState::Closed, "nineteen calls say nothing");
    calls(&bank, 1, Health::Bad, FAST, SECOND);
    assert_eq!(bank.state(SECOND).breaker, BreakerState::Open);
    assert_eq!(held(&bank, false, 3 * SECOND), Hold { why: HoldReason::Breaker, after: Some(3 * SECOND) });

    let probes: Vec<_> =
        (0..3).map(|_| bank.ask(false, 6 * SECOND).unwrap_or_else(|hold| panic!("{hold:?}"))).collect();
    assert_eq!(bank.state(6 * SECOND).breaker, BreakerState::HalfOpen);
    assert_eq!(
        held(&bank, false, 6 * SECOND),
        Hold { why: HoldReason::Breaker, after: None },
        "three probes are enough"
    );
    for probe in probes {
        probe.settle(Health::Good, FAST, 6 * SECOND);
    }
    assert_eq!(bank.state(6 * SECOND).breaker, BreakerState::Closed);
    calls(&bank, 3, Health::Bad, FAST, 6 * SECOND);
    assert_eq!(bank.state(6 * SECOND).breaker, BreakerState::Closed, "what was before is forgotten");
}

#[test]
fn a_failed_probe_opens_it_for_longer() {
    let bank = dependency(|_| {});
    calls(&bank, 20, Health::Bad, FAST, SECOND);
    let dropped = bank.ask(false, 6 * SECOND);
    drop(dropped);
    calls(&bank, 1, Health::Bad, FAST, 6 * SECOND);
    assert_eq!(held(&bank, false, 6 * SECOND).after, Some(10 * SECOND));
    calls(&bank, 1, Health::Bad, FAST, 16 * SECOND);
    assert_eq!(held(&bank, false, 16 * SECOND).after, Some(20 * SECOND));
}

#[test]
fn slowness_opens_it_too_and_old_calls_do_not_count() {
    let bank = dependency(|_| {});
    calls(&bank, 19, Health::Good, 4 * SECOND, SECOND);
    calls(&bank, 1, Health::Good, 4 * SECOND, 60 * SECOND);
    assert_eq!((bank.state(60 * SECOND).calls, bank.state(60 * SECOND).breaker), (1, BreakerState::Closed));
    calls(&bank, 19, Health::Good, 4 * SECOND, 60 * SECOND);
    assert_eq!(bank.state(60 * SECOND).breaker, BreakerState::Open);
}

#[test]
fn what_says_nothing_counts_for_nothing() {
    let bank = dependency(|_| {});
    calls(&bank, 100, Health::Neutral, 10 * SECOND, SECOND);
    assert_eq!((bank.state(SECOND).calls, bank.state(SECOND).in_flight), (0, 0));
}

#[test]
fn so_many_calls_at_once_and_a_free_place_is_told() {
    let bank = dependency(|limits| limits.concurrency = Some(2));
    let (first, second) = (bank.ask(false, FAST), bank.ask(false, FAST));
    assert_eq!(held(&bank, false, FAST), Hold { why: HoldReason::Concurrency, after: None });
    drop(first);
    assert!(bank.ask(false, FAST).is_ok());
    drop(second);
    assert_eq!(bank.state(FAST).in_flight, 0);
}

#[test]
fn so_many_calls_a_second() {
    let bank = dependency(|limits| limits.rate = Some(Rate { per_second: 10.0, burst: 3 }));
    calls(&bank, 3, Health::Good, FAST, SECOND);
    assert_eq!(
        held(&bank, false, SECOND),
        Hold { why: HoldReason::Rate, after: Some(Duration::from_millis(100)) }
    );
    assert_eq!(held(&bank, false, SECOND).why, HoldReason::Rate, "asking costs nothing");
    calls(&bank, 1, Health::Good, FAST, SECOND + Duration::from_millis(100));
    let later = 10 * SECOND;
    calls(&bank, 3, Health::Good, FAST, later);
    assert_eq!(held(&bank, false, later).why, HoldReason::Rate, "a pause saves up no more than the burst");
}

#[test]
fn retries_are_at_most_a_tenth_of_the_calls_and_one_a_second() {
    let bank = dependency(|limits| limits.breaker = None);
    let retries = |now| (0..1_000).take_while(|_| bank.ask(true, now).is_ok()).count();
    assert_eq!(retries(SECOND), 10, "what a quiet time has saved up");
    calls(&bank, 70, Health::Good, FAST, SECOND);
    assert_eq!(retries(SECOND), 7);
    assert_eq!(held(&bank, true, SECOND), Hold { why: HoldReason::RetryBudget, after: Some(SECOND) });
    assert!(bank.ask(false, SECOND).is_ok(), "first calls are not concerned");
    assert_eq!(retries(4 * SECOND), 3);
}

#[test]
fn only_so_many_wait_in_memory() {
    let bank = dependency(|_| {});
    let waiters: Vec<_> = (0..WAITERS).map(|_| bank.wait()).collect();
    assert!(waiters.iter().all(Option::is_some) && bank.wait().is_none());
    drop(waiters);
    assert_eq!(bank.state(SECOND).waiting, 0);
}
