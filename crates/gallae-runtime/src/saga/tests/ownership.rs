//! Who runs the sagas, and what happens when that changes.

use super::world::{Act, Death, Node, World, reserved};
use crate::saga::{Effects, InterventionError, RegistryError, SagaRegistry, register};
use gallae_core::{
    Actor, Id, SagaId,
    saga::{Cause, SagaStatus},
};
use gallae_ports::{Clock, LeaseStore, SagaStore};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Instances of partitions that `node` holds, and of others.
async fn started(world: &World, node: &Node, count: u128) -> Vec<SagaId> {
    let mut sagas = Vec::new();
    for number in 1..=count {
        sagas.push(node.place(number, super::shop::Kind::Trip, None).await.1);
        world.settle().await;
    }
    sagas
}

/// The next instance that `node` holds the partition of, or does not.
async fn placed(world: &World, at: &Node, holder: &Node, holds: bool) -> SagaId {
    for number in 1_000.. {
        let order = Id::<super::shop::Order>::new(uuid::Uuid::from_u128(number));
        let saga = SagaId::of("checkout", &order.to_string());
        let held = holder.engine.partitions().contains(crate::saga::row::partition(saga));
        if held == holds && world.log.saga(saga).await.unwrap().is_none() {
            return at.checkout(number).await.1;
        }
    }
    unreachable!("half of the instances are in another node's partitions")
}

fn held(nodes: &[&Node]) -> Vec<usize> {
    nodes.iter().map(|node| node.engine.partitions().len()).collect()
}

#[tokio::test]
async fn nodes_share_the_partitions_fairly_and_each_runs_its_own() {
    let world = World::new();
    let [a, b, c] = ["a", "b", "c"].map(|owner| world.node(owner, Death::Never));
    world.pass(2 * SECOND).await;
    assert_eq!(held(&[&a, &b, &c]), [86, 85, 85]);
    // Wherever they begin, they are run by the holder of their partition, and at once: the log tells it.
    let began = world.clock.now();
    let sagas = started(&world, &b, 30).await;
    assert_eq!(world.clock.now(), began);
    let mut runners = std::collections::BTreeSet::new();
    for saga in sagas {
        assert_eq!(world.row(saga).await.status, SagaStatus::Completed);
        runners.extend(world.writers(saga).await);
    }
    assert_eq!(runners, ["a", "b", "c"].map(str::to_owned).into());
    assert_eq!(world.outside.executed().len(), 90);
}

#[tokio::test]
async fn a_node_that_joins_gets_its_share_and_one_that_drains_hands_over_within_a_second() {
    let world = World::new();
    let a = world.node("a", Death::Never);
    world.settle().await;
    assert_eq!(held(&[&a]), [256]);
    let b = world.node("b", Death::Never);
    world.pass(2 * SECOND).await;
    assert_eq!(held(&[&a, &b]), [128, 128]);
    let saga = placed(&world, &a, &a, true).await;
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
    a.drain().await;
    world.pass(SECOND).await;
    assert_eq!(held(&[&b]), [256]);
}

#[tokio::test]
async fn a_busy_partition_is_given_back_when_its_call_has_come_back() {
    let world = World::new();
    let a = world.node("a", Death::Never);
    world.outside.script("flight", std::iter::repeat_n(Act::Slow(4 * SECOND), 150));
    world.settle().await;
    let sagas = started(&world, &a, 150).await;
    let b = world.node("b", Death::Never);
    world.pass(2 * SECOND).await;
    assert!(a.engine.partitions().len() < 256 && b.engine.partitions().len() <= 128);
    for saga in &sagas {
        assert_eq!(world.until_ended(*saga).await.status, SagaStatus::Completed);
    }
    world.pass(2 * SECOND).await;
    assert_eq!(held(&[&a, &b]), [128, 128]);
    assert_eq!(world.outside.queries.load(std::sync::atomic::Ordering::SeqCst), 0, "no call was left behind");
}

#[tokio::test]
async fn the_partitions_of_a_node_that_died_are_taken_over_within_the_lease_and_two_seconds() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|owner| world.node(owner, Death::Never));
    world.pass(2 * SECOND).await;
    world.outside.script("authorize", [Act::Slow(30 * SECOND)]);
    let saga = placed(&world, &b, &a, true).await;
    world.settle().await;
    assert_eq!(world.story(saga).await.last(), Some(&"StepDispatched"));
    a.kill().await;
    world.pass(12 * SECOND).await;
    assert_eq!(held(&[&b]), [256]);
    assert_eq!(world.row(saga).await.status, SagaStatus::Completed, "its call was found out and it went on");
    assert_eq!(world.outside.executed(), ["authorize", "capture", "send"]);
}

#[tokio::test]
async fn a_zombie_writes_nothing_in_partitions_that_were_taken_over() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Slow(2 * SECOND), Act::Slow(2 * SECOND)]);
    world.settle().await;
    let (_, lost) = node.checkout(1).await;
    let (_, kept) = node.checkout(2).await;
    world.settle().await;
    let before = world.row(lost).await;
    // One of its leases runs out unnoticed and somebody else takes it over.
    let name = crate::saga::roster::partition_lease(before.partition);
    assert_ne!(before.partition, world.row(kept).await.partition);
    world.log.release(&name, "a", 1).await.unwrap();
    let taken = world.log.acquire(&name, "z", 100 * SECOND).await.unwrap().unwrap();
    assert_eq!(taken.epoch, 2);
    world.pass(3 * SECOND).await;
    assert_eq!(world.row(lost).await, before, "the answer came, but may not be written");
    assert_eq!(world.row(kept).await.status, SagaStatus::Completed, "the other partitions are not concerned");
    world.log.release(&name, "z", taken.epoch).await.unwrap();
    let row = world.until_ended(lost).await;
    assert_eq!((row.status, row.epoch), (SagaStatus::Completed, 3));
    assert_eq!(world.outside.executed().iter().filter(|operation| **operation == "authorize").count(), 2);
}

#[tokio::test]
async fn a_store_that_does_not_answer_for_the_length_of_a_lease_ends_every_tenure() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    node.store.deaf.store(true, std::sync::atomic::Ordering::SeqCst);
    world.pass(9 * SECOND).await;
    assert_eq!(held(&[&node]), [256]);
    world.pass(8 * SECOND).await;
    assert_eq!(held(&[&node]), [0]);
    node.store.deaf.store(false, std::sync::atomic::Ordering::SeqCst);
    world.pass(SECOND).await;
    assert_eq!(held(&[&node]), [256]);
}

#[tokio::test]
async fn an_intervention_is_written_by_whichever_node_it_reaches() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|owner| world.node(owner, Death::Never));
    world.pass(2 * SECOND).await;
    world.outside.script("authorize", [Act::Slow(3 * SECOND)]);
    let saga = placed(&world, &a, &a, true).await;
    world.settle().await;
    // The owner is waiting for an answer: it meets the pause as a conflict, and records the answer all the same.
    b.engine.pause(saga, "looking", Actor::Anonymous).await.unwrap();
    world.pass(5 * SECOND).await;
    assert!(world.story(saga).await.ends_with(&["StepDispatched", "Paused", "StepSucceeded"]));
    b.engine.resume(saga, "fine", Actor::Anonymous).await.unwrap();
    world.settle().await;
    assert_eq!(world.row(saga).await.status, SagaStatus::Completed, "the owner went on at once");
    assert_eq!(world.outside.executed(), ["authorize", "capture", "send"]);
    assert_eq!(
        b.engine.cancel(saga, Cause::Operator, "", Actor::Anonymous).await,
        Err(InterventionError::Ended { status: SagaStatus::Completed })
    );
}

#[tokio::test]
async fn an_intervention_is_written_while_nobody_owns_the_partition() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Fail]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.settle().await;
    let engine = node.engine.clone();
    node.drain().await;
    let done = engine.cancel(saga, Cause::UserCancel, "no", Actor::Anonymous).await.unwrap();
    assert_eq!(done.status, SagaStatus::Compensated, "what needs no call is done at once");
    assert_eq!(reserved(&world).await, 0);
    let nobody = SagaId::new(uuid::Uuid::from_u128(3));
    assert_eq!(engine.retry(nobody, "", Actor::Anonymous).await, Err(InterventionError::NotFound(nobody)));
}

#[tokio::test]
async fn an_abandoned_instance_is_let_go_by_the_node_that_waits_for_its_call() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|owner| world.node(owner, Death::Never));
    world.pass(2 * SECOND).await;
    *world.outside.resolution.lock().unwrap() = Some(crate::saga::Resolution::Impossible);
    world.outside.script("capture", [Act::Slow(3 * SECOND)]);
    let saga = placed(&world, &a, &a, true).await;
    world.settle().await;
    // A call that can neither be asked for nor repeated is the owner's business: a visitor does not hold it as lost.
    b.engine.pause(saga, "looking", Actor::Anonymous).await.unwrap();
    b.engine.resume(saga, "fine", Actor::Anonymous).await.unwrap();
    assert_ne!(world.row(saga).await.status, SagaStatus::Stuck);
    b.engine.abandon(saga, "settled by phone", Actor::Anonymous).await.unwrap();
    world.pass(5 * SECOND).await;
    assert!(world.story(saga).await.ends_with(&["Abandoned"]), "the late answer changes nothing");
}

#[tokio::test]
async fn waking_twice_or_for_nothing_does_nothing() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Slow(SECOND)]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    for _ in 0..10 {
        node.engine.wake(saga);
        node.engine.wake(gallae_core::SagaId::new(uuid::Uuid::from_u128(3)));
        world.settle().await;
    }
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
    node.engine.wake(saga);
    world.settle().await;
    assert_eq!(world.outside.calls.lock().unwrap().len(), 3);
    assert_eq!(world.story(saga).await.len(), 10);
}

#[tokio::test]
async fn a_drain_waits_for_calls_and_begins_none() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Slow(2 * SECOND)]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.settle().await;
    let draining = tokio::spawn(node.drain());
    world.pass(3 * SECOND).await;
    assert!(draining.is_finished());
    draining.await.unwrap();
    // The answer and all that needs no call are recorded; capture was not announced.
    assert_eq!(world.outside.executed(), ["authorize"]);
    assert_eq!(world.story(saga).await.last(), Some(&"StepSucceeded"));
    assert!(world.log.leases().await.unwrap().iter().all(|lease| lease.owner.is_empty()));
    let _next = world.node("b", Death::Never);
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
    assert_eq!(world.outside.queries.load(std::sync::atomic::Ordering::SeqCst), 0, "nothing was unknown");
}

#[tokio::test]
async fn a_drain_ends_with_its_grace() {
    let world = World::new();
    let node = world.node_with("a", Death::Never, |settings| settings.grace = SECOND);
    world.outside.script("authorize", [Act::Slow(4 * SECOND)]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.settle().await;
    let draining = tokio::spawn(node.drain());
    world.pass(2 * SECOND).await;
    draining.await.unwrap();
    let _next = world.node("b", Death::Never);
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
    assert_eq!(world.outside.executed(), ["authorize", "capture", "send"]);
}

#[tokio::test]
async fn more_instances_than_places_all_get_their_turn() {
    let world = World::new();
    let node = world.node_with("a", Death::Never, |settings| {
        settings.max_active = 2;
        settings.max_queued = 1;
    });
    world.outside.script("flight", std::iter::repeat_n(Act::Slow(SECOND), 12));
    world.settle().await;
    let mut sagas = Vec::new();
    for number in 0..12 {
        sagas.push(node.place(number, super::shop::Kind::Trip, None).await.1);
        world.settle().await;
        let at_once =
            world.outside.calls.lock().unwrap().iter().filter(|call| call.operation == "flight").count();
        assert!(at_once <= 2, "{at_once}");
    }
    for saga in sagas {
        assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
    }
}

#[tokio::test]
async fn another_shape_is_left_alone_and_named() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.settle().await;
    node.drain().await;
    world.settle().await;
    // A start by a release that is no longer here: its row and stream name another hash.
    let saga = foreign_saga(&world).await;
    let node = world.node("b", Death::Never);
    world.pass(20 * SECOND).await;
    assert_eq!(world.row(saga).await.status, SagaStatus::Running);
    assert!(node.engine.left_alone()[&saga].contains("checkout v1 with the shape elsewhere"));
    assert!(matches!(
        node.engine.retry(saga, "", Actor::Anonymous).await,
        Err(InterventionError::Unrunnable(_))
    ));
}

async fn foreign_saga(world: &World) -> gallae_core::SagaId {
    use gallae_core::{Event, EventId, Metadata, SagaId, Version, saga::SagaEvent};
    use gallae_ports::{AppendBatch, Clock, EventStore, Expected, NewEvent, SagaRow, SagaWrite};
    let (id, now) = (SagaId::of("checkout", "foreign"), world.clock.now());
    let event = SagaEvent::Started {
        definition: "checkout".into(),
        definition_version: 1,
        definition_hash: "elsewhere".into(),
        business_key: "foreign".into(),
        input: serde_json::Value::Null,
        deadline: None,
    };
    let mut payload = Vec::new();
    event.encode(&mut payload).unwrap();
    let metadata = Metadata::new("flow".parse().unwrap(), Actor::Anonymous, "old");
    let new = NewEvent::new(EventId::new(uuid::Uuid::from_u128(77)), event.event_type(), payload.into());
    let mut batch = AppendBatch::new(now, metadata.into()).stream(id.stream(), Expected::NoStream, vec![new]);
    batch.sagas.push(SagaWrite::Insert(SagaRow {
        id,
        definition: "checkout".into(),
        definition_version: 1,
        definition_hash: "elsewhere".into(),
        business_key: "foreign".into(),
        status: SagaStatus::Running,
        cause: None,
        step: None,
        reason: None,
        version: Version::new(1),
        partition: 0,
        epoch: 0,
        next_due: None,
        deadline: None,
        correlation_id: "flow".parse().unwrap(),
        user: None,
        started_at: now,
        updated_at: now,
    }));
    world.log.append(batch).await.unwrap();
    id
}

#[test]
fn a_set_of_sagas_that_cannot_run_names_every_mistake() {
    let twice = vec![register::<super::shop::Checkout>(), register::<super::shop::Checkout>()];
    let errors = SagaRegistry::new(twice, &Effects::new()).unwrap_err();
    let missing = errors.iter().filter(|error| matches!(error, RegistryError::NoHandler { .. })).count();
    assert_eq!(missing, 8);
    assert!(errors.contains(&RegistryError::Twice { saga: "checkout", version: 1 }));
}
