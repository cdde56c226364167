//! What participants can bear: breakers, rates, calls at once, retries, and the time that waiting for them costs.

use super::{
    shop::{Kind, TIME_FOR_ASKING},
    world::{Act, Death, Node, World},
};
use crate::saga::{BreakerPolicy, BreakerState, DependencyState, Limits, Rate, TimelineEntry};
use gallae_core::saga::{Cause, Direction, HoldReason, SagaEvent, SagaStatus};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn limited(dependency: &'static str, change: impl FnOnce(&mut Limits)) -> World {
    let (world, mut limits) = (World::new(), Limits::default());
    change(&mut limits);
    world.limits.lock().unwrap().insert(dependency, limits);
    world
}

fn state(node: &Node, name: &str) -> DependencyState {
    node.engine.dependencies().into_iter().find(|one| one.name == name).unwrap()
}

#[tokio::test]
async fn an_open_breaker_holds_calls_without_an_attempt_and_says_so() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    world.outside.script("flight", std::iter::repeat_n(Act::LoseRequest, 10));
    for number in 1..=10 {
        node.place(number, Kind::Trip, None).await;
    }
    world.settle().await;
    // The hotels answered, so half of the calls failed.
    assert_eq!(state(&node, "agency").breaker, BreakerState::Open);
    let (_, saga) = node.place(100, Kind::Errand, None).await;
    world.settle().await;
    let described = world.describe(saga).await;
    assert_eq!(world.story(saga).await, ["Started", "StepHeld"]);
    let step = &described.state.steps["ask"];
    assert_eq!((step.attempt, step.held), (0, Some(HoldReason::Breaker)));
    assert!(described.why.contains("breaker") && described.why.contains("agency"), "{}", described.why);
    assert_eq!(described.row.status, SagaStatus::Waiting);
    assert_eq!(state(&node, "agency").held[&HoldReason::Breaker], 1);
    assert!(world.outside.calls.lock().unwrap().iter().all(|call| call.saga != saga));

    let row = world.until_ended(saga).await;
    assert_eq!(row.status, SagaStatus::Completed);
    assert_eq!(state(&node, "agency").breaker, BreakerState::Closed, "probes went well");
    assert!(
        state(&node, "agency").held[&HoldReason::Breaker] > 3,
        "what only asks what happened was held, too"
    );
    let attempts: Vec<_> = world
        .outside
        .calls
        .lock()
        .unwrap()
        .iter()
        .filter(|call| call.saga == saga)
        .map(|call| call.attempt)
        .collect();
    assert_eq!(attempts, [1, 1], "ask and tell");
}

#[tokio::test]
async fn waiting_consumes_the_steps_deadline_before_the_pivot_it_turns_back() {
    let world = limited("agency", |limits| limits.concurrency = Some(1));
    let node = world.node("a", Death::Never);
    world.settle().await;
    // One call takes the only place, again and again.
    world.outside.script("ask", std::iter::repeat_n(Act::Slow(4 * SECOND), 20));
    let (_, first) = node.place(1, Kind::Errand, None).await;
    world.settle().await;
    let mut others = Vec::new();
    for number in 2..=12 {
        others.push(node.place(number, Kind::Errand, None).await.1);
    }
    assert_eq!(world.until_ended(first).await.status, SagaStatus::Completed);
    let mut overdue = 0;
    for saga in others {
        let row = world.until_ended(saga).await;
        if row.status == SagaStatus::Completed {
            continue;
        }
        overdue += 1;
        assert_eq!((row.status, row.cause), (SagaStatus::Rejected, Some(Cause::BusinessReject)));
        let reason = row.reason.unwrap();
        assert!(reason.starts_with("STEP_DEADLINE_EXCEEDED") && reason.contains("agency"), "{reason}");
        let took = row.updated_at.since(row.started_at);
        assert!(took >= TIME_FOR_ASKING && took < TIME_FOR_ASKING + 2 * SECOND, "{took:?}");
        assert!(
            world.outside.calls.lock().unwrap().iter().all(|call| call.saga != saga),
            "it never had an attempt"
        );
    }
    assert!(overdue >= 4, "{overdue}");
}

#[tokio::test]
async fn a_deadline_passed_behind_the_pivot_waits_for_an_operator_and_a_retry_begins_anew() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    world.outside.script("tell", std::iter::repeat_n(Act::Throttle(30 * SECOND), 2));
    let (_, saga) = node.place(1, Kind::Errand, None).await;
    world.pass(39 * SECOND).await;
    assert_eq!(world.row(saga).await.status, SagaStatus::Waiting);
    world.pass(2 * SECOND).await;
    let row = world.row(saga).await;
    assert_eq!((row.status, row.step.as_deref()), (SagaStatus::Stuck, Some("tell")));
    assert!(row.reason.unwrap().contains("STEP_DEADLINE_EXCEEDED"));
    node.engine.retry(saga, "it is back", gallae_core::Actor::Anonymous).await.unwrap();
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
}

#[tokio::test]
async fn what_may_have_happened_is_found_out_before_a_deadline_counts() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    world.outside.script("ask", [Act::LoseAnswer]);
    world.outside.hesitates.store(9, std::sync::atomic::Ordering::SeqCst);
    let (_, saga) = node.place(1, Kind::Errand, None).await;
    world.pass(TIME_FOR_ASKING + 5 * SECOND).await;
    assert!(!world.row(saga).await.status.is_terminal(), "nobody knows yet");
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed, "it did happen");
    assert_eq!(world.outside.executed(), ["ask", "tell"]);
}

#[tokio::test]
async fn so_many_calls_at_once_and_a_short_wait_leaves_no_trace() {
    let world = limited("agency", |limits| limits.concurrency = Some(2));
    let node = world.node("a", Death::Never);
    world.settle().await;
    world.outside.script("ask", std::iter::repeat_n(Act::Slow(Duration::from_millis(200)), 8));
    let mut sagas = Vec::new();
    for number in 1..=8 {
        sagas.push(node.place(number, Kind::Errand, None).await.1);
    }
    let mut most = 0;
    for _ in 0..12 {
        world.settle().await;
        most = state(&node, "agency").in_flight.max(most);
        world.clock.advance(Duration::from_millis(100));
    }
    assert_eq!(most, 2);
    let mut held = 0;
    for saga in sagas {
        let row = world.until_ended(saga).await;
        assert_eq!(row.status, SagaStatus::Completed);
        let story = world.story(saga).await;
        held += story.iter().filter(|name| **name == "StepHeld").count();
    }
    assert_eq!(held, 0, "four rounds of 200 ms are less than a second's patience");
    assert_eq!((state(&node, "agency").in_flight, state(&node, "agency").waiting), (0, 0));
}

#[tokio::test]
async fn so_many_calls_a_second() {
    let world = limited("agency", |limits| limits.rate = Some(Rate { per_second: 1.0, burst: 2 }));
    let node = world.node("a", Death::Never);
    world.settle().await;
    let mut sagas = Vec::new();
    for number in 1..=6 {
        sagas.push(node.place(number, Kind::Errand, None).await.1);
    }
    world.settle().await;
    let asked = || world.outside.calls.lock().unwrap().iter().filter(|call| call.operation == "ask").count();
    assert_eq!(asked(), 2);
    let mut elapsed = 0;
    while asked() < 6 {
        world.pass(SECOND).await;
        elapsed += 1;
        assert!(asked() <= 2 + elapsed, "{} calls after {elapsed} s", asked());
    }
    for saga in sagas {
        assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
    }
}

#[tokio::test]
async fn retries_stay_within_their_budget() {
    let world = limited("agency", |limits| limits.breaker = None);
    let node = world.node("a", Death::Never);
    world.settle().await;
    world.outside.script("ask", std::iter::repeat_n(Act::Fail, 10_000));
    for number in 1..=100 {
        node.place(number, Kind::Errand, None).await;
    }
    world.pass(10 * SECOND).await;
    let calls = world.outside.calls.lock().unwrap().clone();
    let retries = calls.iter().filter(|call| call.attempt > 1).count();
    // Ten saved up, a tenth of a hundred, and one a second.
    assert!((15..=31).contains(&retries), "{retries}");
    assert!(state(&node, "agency").held[&HoldReason::RetryBudget] > 0);
}

#[tokio::test]
async fn an_undo_is_held_too_and_has_all_the_time() {
    let world = limited("bank", |limits| {
        limits.breaker = limits.breaker.map(|policy| BreakerPolicy { min_calls: 4, ..policy });
    });
    let node = world.node("a", Death::Never);
    world.settle().await;
    world.outside.script("void", std::iter::repeat_n(Act::Fail, 10));
    let (_, saga) = node.place(1, Kind::Checkout, Some("confirmed")).await;
    let row = world.until_ended(saga).await;
    assert_eq!(row.status, SagaStatus::Compensated);
    let held = |entry: &&TimelineEntry| {
        matches!(entry.event, SagaEvent::StepHeld { direction: Direction::Undo, .. })
    };
    assert!(world.describe(saga).await.timeline.iter().filter(held).count() > 0);
    assert_eq!(world.outside.executed(), ["authorize", "void"]);
}

#[tokio::test]
async fn the_owner_that_dies_leaves_a_held_call_to_the_next() {
    let world = limited("agency", |limits| limits.concurrency = Some(0));
    let node = world.node("a", Death::Never);
    world.settle().await;
    let (_, saga) = node.place(1, Kind::Errand, None).await;
    world.pass(3 * SECOND).await;
    assert_eq!(world.describe(saga).await.state.steps["ask"].held, Some(HoldReason::Concurrency));
    node.kill().await;
    world.limits.lock().unwrap().clear();
    let _next = world.node("b", Death::Never);
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
}
