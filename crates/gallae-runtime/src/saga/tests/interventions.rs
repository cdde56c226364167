//! What operators and customers may do.

use super::{
    shop::Kind,
    world::{Act, Death, World, reserved},
};
use crate::saga::InterventionError;
use gallae_core::{
    Actor, SagaId,
    saga::{Cause, SagaEvent, SagaStatus},
};
use std::time::Duration;
use uuid::Uuid;

const SECOND: Duration = Duration::from_secs(1);

fn operator() -> Actor {
    Actor::User(Uuid::from_u128(5))
}

#[tokio::test]
async fn a_cancel_before_the_pivot_undoes_after_the_call_is_known() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Slow(2 * SECOND)]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.settle().await;
    let done = node.engine.cancel(saga, Cause::UserCancel, "changed my mind", operator()).await.unwrap();
    assert!(done.position.is_some());
    let again = node.engine.cancel(saga, Cause::UserCancel, "really", operator()).await.unwrap();
    assert_eq!(again.position, None);
    world.pass(SECOND).await;
    assert!(!world.row(saga).await.status.is_terminal(), "the call is still under way");
    let row = world.until_ended(saga).await;
    assert_eq!((row.status, row.cause), (SagaStatus::Compensated, Some(Cause::UserCancel)));
    assert_eq!((world.outside.executed(), reserved(&world).await), (vec!["authorize", "void"], 0));
    let asked = world
        .describe(saga)
        .await
        .timeline
        .into_iter()
        .find(|entry| matches!(entry.event, SagaEvent::CancelRequested { .. }));
    assert_eq!(asked.unwrap().actor, Some(operator()));
}

#[tokio::test]
async fn a_cancel_after_the_pivot_is_too_late() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("capture", [Act::Slow(2 * SECOND)]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.settle().await;
    let cancel = || node.engine.cancel(saga, Cause::UserCancel, "too late", operator());
    assert_eq!(cancel().await, Err(InterventionError::TooLate));
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
    assert_eq!(cancel().await, Err(InterventionError::Ended { status: SagaStatus::Completed }));
    let nobody = SagaId::new(Uuid::from_u128(1));
    assert_eq!(node.engine.retry(nobody, "", operator()).await, Err(InterventionError::NotFound(nobody)));
}

#[tokio::test]
async fn a_cancel_while_the_pivot_is_called_loses_against_its_success() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("pay", [Act::Slow(2 * SECOND)]);
    world.settle().await;
    let (_, saga) = node.place(1, Kind::Trip, None).await;
    world.settle().await;
    node.engine.cancel(saga, Cause::UserCancel, "no", operator()).await.unwrap();
    let row = world.until_ended(saga).await;
    assert_eq!((row.status, row.cause), (SagaStatus::Completed, None));
    assert_eq!(world.outside.executed(), ["flight", "hotel", "pay"]);
}

#[tokio::test]
async fn a_pause_holds_back_what_is_next_and_keeps_what_comes_back() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Slow(2 * SECOND)]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.settle().await;
    node.engine.pause(saga, "looking", operator()).await.unwrap();
    world.pass(10 * SECOND).await;
    assert_eq!(world.row(saga).await.status, SagaStatus::Paused);
    assert_eq!(world.outside.executed(), ["authorize"]);
    assert!(world.story(saga).await.ends_with(&["Paused", "StepSucceeded"]));
    assert!(matches!(
        node.engine.retry(saga, "", operator()).await,
        Err(InterventionError::Refused { status: SagaStatus::Paused, .. })
    ));
    node.engine.resume(saga, "fine", operator()).await.unwrap();
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
}

#[tokio::test]
async fn a_paused_retry_waits_for_its_resumption() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Fail]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.settle().await;
    node.engine.pause(saga, "looking", operator()).await.unwrap();
    assert!(world.describe(saga).await.timers.is_empty());
    world.pass(5 * SECOND).await;
    assert_eq!(world.outside.calls.lock().unwrap().len(), 1);
    node.engine.resume(saga, "fine", operator()).await.unwrap();
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
}

#[tokio::test]
async fn a_bug_is_held_and_a_retry_sets_it_going_again() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Break]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.pass(100 * SECOND).await;
    let described = world.describe(saga).await;
    assert_eq!((described.row.status, described.row.step.as_deref()), (SagaStatus::Stuck, Some("authorize")));
    assert!(described.why.contains("400 bad request") && reserved(&world).await == 1, "{}", described.why);
    let done = node.engine.retry(saga, "deployed a fix", operator()).await.unwrap();
    assert!(done.position.is_some());
    // Its deadline ran on meanwhile.
    assert_eq!(world.until_ended(saga).await.cause, Some(Cause::Deadline));

    world.outside.script("authorize", [Act::Break]);
    let (_, saga) = node.checkout(2).await;
    world.pass(SECOND).await;
    node.engine.retry(saga, "deployed a fix", operator()).await.unwrap();
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
}

#[tokio::test]
async fn a_customer_cannot_move_what_is_held_but_an_operator_can() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Break]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.pass(SECOND).await;
    node.engine.cancel(saga, Cause::UserCancel, "no", operator()).await.unwrap();
    world.pass(SECOND).await;
    assert_eq!(world.row(saga).await.status, SagaStatus::Stuck);
    node.engine.cancel(saga, Cause::Operator, "undo it", operator()).await.unwrap();
    let row = world.until_ended(saga).await;
    assert_eq!((row.status, reserved(&world).await), (SagaStatus::Compensated, 0));
    assert!(world.outside.executed().is_empty());
}

#[tokio::test]
async fn an_abandoned_saga_is_left_as_it_is() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("capture", [Act::Slow(2 * SECOND)]);
    world.settle().await;
    let (order, saga) = node.place(1, Kind::Checkout, Some("ABANDONED")).await;
    world.settle().await;
    let done = node.engine.abandon(saga, "settled by phone", operator()).await.unwrap();
    assert_eq!(done.status, SagaStatus::Abandoned);
    world.pass(5 * SECOND).await;
    assert_eq!(world.row(saga).await.status, SagaStatus::Abandoned);
    assert!(world.story(saga).await.ends_with(&["Abandoned"]), "the late answer changes nothing");
    assert_eq!(super::world::notes(&world, order).await, ["authorized", "confirmed"]);
}

#[tokio::test]
async fn an_end_that_the_domain_refuses_is_held_until_it_does_not() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    let (_, saga) = node.place(1, Kind::Checkout, Some("COMPLETED")).await;
    world.pass(SECOND).await;
    let described = world.describe(saga).await;
    assert_eq!(described.row.status, SagaStatus::Stuck);
    assert!(described.why.contains("ORDER_REFUSES"), "{}", described.why);
    assert_eq!(world.outside.executed(), ["authorize", "capture", "send"]);
}
