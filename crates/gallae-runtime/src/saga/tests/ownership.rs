//! Who runs the sagas, and what happens when that changes.

use super::world::{Act, Death, World};
use crate::saga::{Effects, InterventionError, RegistryError, SagaRegistry, register};
use gallae_core::{
    Actor,
    saga::{Cause, SagaStatus},
};
use gallae_ports::LeaseStore;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn two_nodes_share_a_store_and_one_runs_the_sagas() {
    let world = World::new();
    let [a, b] = ["a", "b"].map(|owner| world.node(owner, Death::Never));
    world.settle().await;
    assert!(a.engine.is_running() && !b.engine.is_running());
    // Begun on the node that does not run it: found by the sweep of the one that does.
    let (_, saga) = b.checkout(1).await;
    let asked = b.engine.clone();
    let asked = tokio::spawn(async move { asked.cancel(saga, Cause::Operator, "", Actor::Anonymous).await });
    assert_eq!(world.until_ended(saga).await.status, SagaStatus::Completed);
    // It waited for the lease, which the other kept.
    world.pass(10 * SECOND).await;
    assert_eq!(asked.await.unwrap(), Err(InterventionError::NotRunning));
    a.drain().await;
    world.pass(4 * SECOND).await;
    assert!(b.engine.is_running(), "a released lease need not run out");
    let (_, saga) = b.checkout(2).await;
    world.settle().await;
    assert_eq!(world.row(saga).await.status, SagaStatus::Completed);
}

#[tokio::test]
async fn an_intervention_waits_for_a_node_that_has_just_started() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Slow(2 * SECOND)]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.settle().await;
    // The next node waits for the lease while the first finishes the call that is under way.
    let next = world.node("b", Death::Never);
    let asked = next.engine.clone();
    let asked = tokio::spawn(async move { asked.cancel(saga, Cause::Operator, "", Actor::Anonymous).await });
    world.settle().await;
    let draining = tokio::spawn(node.drain());
    world.pass(8 * SECOND).await;
    draining.await.unwrap();
    let answer = asked.await.unwrap();
    assert_ne!(
        answer,
        Err(InterventionError::NotRunning),
        "the request came before the lease was taken, and waited"
    );
}

#[tokio::test]
async fn a_stale_owner_writes_nothing_and_stops() {
    let world = World::new();
    let node = world.node("a", Death::Never);
    world.outside.script("authorize", [Act::Slow(2 * SECOND)]);
    world.settle().await;
    let (_, saga) = node.checkout(1).await;
    world.settle().await;
    let before = world.row(saga).await;
    // Its lease runs out unnoticed and somebody else takes it over.
    let epoch = world.log.leases().await.unwrap()[0].epoch;
    world.log.release("saga", "a", epoch).await.unwrap();
    let taken = world.log.acquire("saga", "b", 100 * SECOND).await.unwrap().unwrap();
    assert!(taken.epoch > epoch);
    world.pass(3 * SECOND).await;
    assert_eq!(world.row(saga).await, before, "the answer came, but may not be written");
    world.log.release("saga", "b", taken.epoch).await.unwrap();
    let row = world.until_ended(saga).await;
    assert_eq!(row.status, SagaStatus::Completed);
    assert!(row.epoch > taken.epoch);
    assert_eq!(world.outside.executed(), ["authorize", "capture", "send"]);
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
    let lease = world.log.leases().await.unwrap().remove(0);
    assert_eq!(lease.owner, "");
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
