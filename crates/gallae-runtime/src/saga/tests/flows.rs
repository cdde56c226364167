//! What a saga does, outcome by outcome.

use super::{
    shop::{DEADLINE, Kind, STOCK},
    world::{Act, Death, World, notes, reserved},
};
use crate::dispatcher::Request;
use crate::saga::Resolution;
use gallae_core::{
    Actor, Metadata, Position,
    saga::{Cause, Direction, SagaEvent, SagaStatus},
};
use gallae_memory::Fault;
use gallae_ports::{EffectState, EventStore, SagaStore};
use std::{sync::atomic::Ordering, time::Duration};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn the_straight_way_takes_one_append_per_answer() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    let (order, saga) = node.checkout(1).await;
    world.settle().await;
    let row = world.row(saga).await;
    assert_eq!((row.status, row.cause, row.next_due), (SagaStatus::Completed, None, None));
    assert_eq!(
        world.story(saga).await,
        [
            "Started",
            "StepSucceeded",
            "StepDispatched",
            "StepSucceeded",
            "StepSucceeded",
            "StepDispatched",
            "StepSucceeded",
            "StepDispatched",
            "StepSucceeded",
            "Completed"
        ]
    );
    assert_eq!(notes(&world, order).await, ["authorized", "confirmed", "COMPLETED"]);
    assert_eq!((reserved(&world).await, world.outside.executed()), (1, vec!["authorize", "capture", "send"]));
    let shared: std::collections::BTreeSet<_> = world
        .log
        .read_all(gallae_core::Position::START, 100)
        .await
        .unwrap()
        .iter()
        .map(|event| event.time)
        .collect();
    assert_eq!(shared.len(), 1, "no time passed: nothing was waited for");
    let described = world.describe(saga).await;
    assert!(described.timers.is_empty());
    assert!(
        described.effects.iter().all(|effect| effect.state == EffectState::Executed && effect.attempts == 1)
    );
    assert_eq!(described.effects.len(), 3);
    assert_eq!(described.row.version, described.timeline.last().unwrap().version);
    let appends = described.timeline.iter().map(|entry| entry.position).collect::<Vec<_>>();
    assert!(appends.is_sorted());
}

/// Places an order whose client hangs up as soon as its append is in the store's hands.
async fn placed_by_one_who_left(node: &super::world::Node) -> gallae_core::SagaId {
    node.store.answers_late.store(true, Ordering::SeqCst);
    let mut placing = Box::pin(node.checkout(1));
    while node.store.appended() == 0 {
        assert!(futures::poll!(&mut placing).is_pending());
    }
    drop(placing);
    let order = gallae_core::Id::<super::shop::Order>::new(uuid::Uuid::from_u128(1));
    gallae_core::SagaId::of("checkout", &order.to_string())
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_is_taken_up_at_once() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    let saga = placed_by_one_who_left(&node).await;
    world.settle().await;
    assert_eq!(world.row(saga).await.status, SagaStatus::Completed, "without the sweep: no time has passed");
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_and_that_fails_leaves_nothing() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    world.log.fail_next(Fault::Unavailable);
    let saga = placed_by_one_who_left(&node).await;
    world.pass(20 * SECOND).await;
    assert_eq!(world.log.saga(saga).await.unwrap(), None);
    assert_eq!((world.log.head().await.unwrap(), world.outside.executed()), (Position::START, vec![]));
    assert!(node.engine.left_alone().is_empty());
}

#[tokio::test]
async fn a_decline_undoes_what_succeeded() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Decline("CARD_DECLINED")]);
    world.settle().await;
    let (order, saga) = node.checkout(1).await;
    let row = world.until_ended(saga).await;
    assert_eq!((row.status, row.cause), (SagaStatus::Compensated, Some(Cause::BusinessReject)));
    assert_eq!(row.reason.as_deref(), Some("CARD_DECLINED: declined"));
    assert_eq!(reserved(&world).await, 0);
    assert_eq!(notes(&world, order).await, ["CARD_DECLINED", "COMPENSATED"]);
}

#[tokio::test]
async fn a_refused_pivot_undoes_in_reverse_order_with_the_recorded_answer() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    let (_, saga) = node.place(1, Kind::Checkout, Some("confirmed")).await;
    let row = world.until_ended(saga).await;
    assert_eq!(row.status, SagaStatus::Compensated);
    assert_eq!(world.outside.executed(), ["authorize", "void"]);
    assert_eq!(world.outside.calls.lock().unwrap()[1].body["by"], "authorize-0");
    assert_eq!(reserved(&world).await, 0);
    let undone: Vec<_> = world
        .describe(saga)
        .await
        .timeline
        .iter()
        .filter_map(|entry| match &entry.event {
            SagaEvent::StepUndone { step, .. } => Some(step.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(undone, ["authorize", "reserve"]);
}

#[tokio::test]
async fn a_refusal_before_any_effect_rejects_and_undoes_nothing() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    for number in 1..=u128::from(STOCK) {
        node.checkout(number).await;
    }
    let (order, saga) = node.checkout(50).await;
    let row = world.until_ended(saga).await;
    assert_eq!(row.status, SagaStatus::Rejected);
    assert_eq!(world.story(saga).await, ["Started", "StepRejected", "Rejected"]);
    assert_eq!(notes(&world, order).await, ["REJECTED"]);
    assert_eq!(reserved(&world).await, STOCK);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_the_effect_happens_once() {
    for lost in [Act::LoseAnswer, Act::LoseRequest, Act::Panic] {
        let world = World::new();
        let node = world.node("a", Death::Never);
        world.outside.script("authorize", [lost.clone()]);
        world.settle().await;
        let (_, saga) = node.checkout(1).await;
        let row = world.until_ended(saga).await;
        assert_eq!(row.status, SagaStatus::Completed, "{lost:?}");
        assert_eq!(world.outside.executed(), ["authorize", "capture", "send"]);
        assert_eq!(world.outside.queries.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn what_can_only_be_sent_again_is_sent_with_the_same_key() {
    let world = World::new();
    *world.outside.resolution.lock().unwrap() = Some(Resolution::Resend);
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::LoseAnswer]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
    let calls = world.outside.calls.lock().unwrap().clone();
    assert_eq!((calls[0].key.clone(), calls[0].body.clone()), (calls[1].key.clone(), calls[1].body.clone()));
    assert_eq!((calls[0].attempt, calls[1].attempt, world.outside.queries.load(Ordering::SeqCst)), (1, 2, 0));
}

#[tokio::test]
async fn what_cannot_be_found_out_waits_for_an_operator() {
    let world = World::new();
    *world.outside.resolution.lock().unwrap() = Some(Resolution::Impossible);
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::LoseAnswer]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.pass(SECOND).await;
    assert_eq!(world.row(saga).await.status, SagaStatus::Stuck);
    assert_eq!(world.outside.calls.lock().unwrap().len(), 1, "neither sent again nor undone");
}

#[tokio::test]
async fn no_answer_in_time_is_unknown_not_failed() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Slow(20 * SECOND)]);
    world.outside.hesitates.store(2, Ordering::SeqCst);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
    assert_eq!(world.outside.executed(), ["authorize", "capture", "send"]);
    let story = world.story(saga).await;
    assert_eq!(story.iter().filter(|name| **name == "StepFailed").count(), 3, "{story:?}");
    assert!(world.row(saga).await.updated_at.since(world.row(saga).await.started_at) >= 5 * SECOND);
}

#[tokio::test]
async fn failures_are_retried_after_a_wait_that_has_a_timer() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Fail, Act::Fail]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.settle().await;
    let described = world.describe(saga).await;
    assert_eq!(described.row.status, SagaStatus::Waiting);
    assert_eq!(described.timers.len(), 1);
    assert_eq!(
        (described.timers[0].timer.as_str(), Some(described.timers[0].fire_at)),
        ("retry:authorize", described.row.next_due)
    );
    assert!(described.why.contains("connection refused"), "{}", described.why);
    assert!(described.timers[0].fire_at.since(described.row.started_at) <= Duration::from_millis(200));
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
    assert!(world.describe(saga).await.timers.is_empty());
    let waits: Vec<_> = world
        .describe(saga)
        .await
        .timeline
        .iter()
        .filter_map(|entry| match &entry.event {
            SagaEvent::StepFailed { retry_at, .. } => Some(retry_at.since(entry.time)),
            _ => None,
        })
        .collect();
    assert!(waits[0] <= Duration::from_millis(200) && waits[1] <= Duration::from_millis(400), "{waits:?}");
}

#[tokio::test]
async fn spent_attempts_undo_before_the_pivot_and_skip_what_may_be_skipped() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Fail, Act::Fail, Act::Fail]);
    world.settle().await;
    let (order, saga) = node.checkout(1).await;
    let row = world.until_ended(saga).await;
    assert_eq!(row.status, SagaStatus::Compensated);
    assert!(row.reason.unwrap().starts_with("ATTEMPTS_SPENT: 3 attempts failed"));
    assert_eq!(notes(&world, order).await, ["ATTEMPTS_SPENT", "COMPENSATED"]);

    world.outside.script("send", [Act::Fail, Act::Fail, Act::Fail]);
    let (_, saga) = node.checkout(2).await;
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
    assert!(world.story(saga).await.contains(&"StepSkipped"));
}

#[tokio::test]
async fn patience_asked_for_is_kept_and_costs_no_attempt() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script(
        "authorize",
        [Act::Throttle(7 * SECOND), Act::Throttle(7 * SECOND), Act::Throttle(SECOND), Act::Fail, Act::Fail],
    );
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.pass(6 * SECOND).await;
    assert_eq!(world.outside.calls.lock().unwrap().len(), 1);
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
}

#[tokio::test]
async fn after_the_pivot_a_refusal_is_held_never_undone() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("capture", [Act::Decline("NO_FUNDS")]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.pass(2 * SECOND).await;
    let row = world.row(saga).await;
    assert_eq!((row.status, row.step.as_deref()), (SagaStatus::Stuck, Some("capture")));
    assert_eq!((world.outside.executed(), reserved(&world).await), (vec!["authorize"], 1));
}

#[tokio::test]
async fn the_deadline_before_the_pivot_undoes_once_the_call_is_known() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    // The answer never comes, and the participant does not know before the deadline has passed.
    world.outside.script("authorize", [Act::Slow(10 * DEADLINE)]);
    world.outside.hesitates.store(12, Ordering::SeqCst);
    world.settle().await;
    let (order, saga) = node.checkout(1).await;
    world.pass(DEADLINE - SECOND).await;
    assert_eq!(world.row(saga).await.cause, None);
    let row = world.until_ended(saga).await;
    assert_eq!((row.status, row.cause), (SagaStatus::Compensated, Some(Cause::Deadline)));
    assert_eq!(world.outside.executed(), ["authorize", "void"]);
    assert_eq!(notes(&world, order).await.last().unwrap(), "COMPENSATED");
}

#[tokio::test]
async fn the_deadline_fires_while_a_retry_waits_beyond_it() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Throttle(100 * DEADLINE)]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.settle().await;
    assert!(world.describe(saga).await.timers.iter().any(|timer| timer.timer == "deadline"));
    world.pass(DEADLINE + SECOND).await;
    let row = world.row(saga).await;
    assert_eq!((row.status, row.cause), (SagaStatus::Compensated, Some(Cause::Deadline)));
    assert!(world.outside.executed().is_empty() && world.describe(saga).await.timers.is_empty());
}

#[tokio::test]
async fn an_undo_whose_answer_is_lost_is_found_out() {
    for lost in [Act::LoseAnswer, Act::LoseRequest] {
        let world = World::new();
        let node = world.node("a", Death::Never);
        world.outside.script("void", [lost, Act::Fail, Act::Fail, Act::Fail, Act::Fail, Act::Fail]);
        world.settle().await;
        let (_, saga) = node.place(1, Kind::Checkout, Some("confirmed")).await;
        assert_eq!(world.until_ended(saga).await.status, SagaStatus::Compensated);
        assert_eq!(world.outside.executed(), ["authorize", "void"]);
    }
}

#[tokio::test]
async fn an_undo_that_is_refused_is_held_and_still_tried_slowly() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("void", [Act::Break]);
    world.settle().await;
    let (_, saga) = node.place(1, Kind::Checkout, Some("confirmed")).await;
    world.pass(SECOND).await;
    let row = world.row(saga).await;
    assert_eq!((row.status, reserved(&world).await), (SagaStatus::Stuck, 1));
    assert!(row.next_due.is_some());
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Compensated);
    assert_eq!(reserved(&world).await, 0);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_recorded_is_never_lost() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    let (_, saga) = node.place(1, Kind::Checkout, Some("authorized")).await;
    world.pass(SECOND).await;
    let described = world.describe(saga).await;
    assert_eq!(described.row.status, SagaStatus::Stuck);
    assert_eq!(described.effects[0].state, EffectState::Unknown);
    assert!(described.why.contains("ORDER_REFUSES"), "{}", described.why);
}

#[tokio::test]
async fn steps_side_by_side_are_called_at_once_and_undone_in_reverse() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("flight", [Act::Slow(2 * SECOND)]);
    world.outside.script("pay", [Act::Decline("NO_FUNDS")]);
    world.settle().await;
    let (_, saga) = node.place(1, Kind::Trip, None).await;
    world.settle().await;
    assert_eq!(world.outside.calls.lock().unwrap().len(), 2);
    let row = world.until_ended(saga).await;
    assert_eq!(row.status, SagaStatus::Compensated);
    // The hotel answered first.
    assert_eq!(world.outside.executed(), ["flight", "hotel", "cancel-flight", "cancel-hotel"]);
}

#[tokio::test]
async fn a_refused_sibling_waits_for_the_others_answer_before_it_turns_back() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("flight", [Act::Slow(2 * SECOND)]);
    world.outside.script("hotel", [Act::Decline("FULL")]);
    world.settle().await;
    let (_, saga) = node.place(1, Kind::Trip, None).await;
    world.pass(SECOND).await;
    assert_eq!(world.row(saga).await.status, SagaStatus::Running);
    let row = world.until_ended(saga).await;
    assert_eq!((row.status, row.reason.as_deref()), (SagaStatus::Compensated, Some("FULL: declined")));
    assert_eq!(world.outside.executed(), ["flight", "cancel-flight"]);
}

#[tokio::test]
async fn every_instance_has_its_place_in_the_statistics() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    world.outside.script("authorize", [Act::Work, Act::Work, Act::Decline("CARD_DECLINED")]);
    for number in 1..=3 {
        let (_, saga) = node.checkout(number).await;
        world.until_ended(saga).await;
    }
    let statistics = world.view().statistics().await.unwrap();
    let checkout = &statistics.definitions["checkout"];
    assert_eq!((checkout.counts[&SagaStatus::Completed], checkout.active), (2, 0));
    assert!((checkout.completion_rate.unwrap() - 2.0 / 3.0).abs() < 1e-9);
    assert_eq!(checkout.failures["CARD_DECLINED"], 1);
    assert_eq!(checkout.durations.unwrap().longest, Duration::ZERO);
}

#[tokio::test]
async fn the_effects_of_a_reloaded_instance_are_those_that_were_written() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Fail, Act::LoseAnswer]);
    world.settle().await;
    let (_, saga) = node.place(1, Kind::Checkout, Some("confirmed")).await;
    world.until_ended(saga).await;
    let written = world.log.effects(saga).await.unwrap();
    let registry = crate::saga::SagaRegistry::new(super::shop::registrations(), &world.effects()).unwrap();
    let instance = crate::saga::instance::Instance::load(&world.log, &registry, saga).await.unwrap();
    let mut folded = instance.ledger;
    folded.sort_by_key(|row| row.first_sent_at);
    assert_eq!(folded, written);
    assert_eq!(written.iter().map(|row| row.direction).collect::<Vec<_>>(), [Direction::Do, Direction::Undo]);
}

#[tokio::test]
async fn a_second_start_with_the_same_key_is_the_same_instance() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    let (order, saga) = node.checkout(1).await;
    world.until_ended(saga).await;
    let again = super::shop::Place { order, kind: Kind::Checkout, refuses: None };
    let metadata = Metadata::new("again".parse().unwrap(), Actor::Anonymous, "test");
    let receipt = node.dispatcher.send(Request::new(again, metadata)).await.unwrap();
    assert_eq!((receipt.events, receipt.sagas), (1, vec![]));
    world.settle().await;
    assert_eq!(world.story(saga).await.len(), 10);
}

#[tokio::test]
async fn many_due_timers_of_instances_being_worked_on_do_not_hide_others() {
    let world = World::new();
    let node = world.node_with("a", Death::Never, |settings| settings.max_active = 400);
    world.settle().await;
    // Three hundred instances ask a participant that does not answer, with their timers due; one more waits for its own.
    world.outside.script("flight", std::iter::repeat_n(Act::LoseRequest, 300));
    world.outside.hangs.store(true, Ordering::SeqCst);
    for number in 1..=300 {
        node.place(number, Kind::Trip, None).await;
    }
    world.pass(SECOND).await;
    world.outside.script("authorize", [Act::Throttle(SECOND)]);
    let (_, saga) = node.checkout(1_000).await;
    world.pass(3 * SECOND).await;
    assert_eq!(world.row(saga).await.status, SagaStatus::Completed);
}
