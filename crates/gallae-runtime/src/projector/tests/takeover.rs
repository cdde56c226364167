//! Several nodes, one of which works.

use super::world::{SOON, World};
use crate::projector::{self, OperationError, ProjectionState, live, running::Running};
use gallae_core::Position;
use gallae_ports::{ApplyError, LeaseStore, ViewBatch, ViewStore};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const LEASE: Duration = Duration::from_millis(90);

#[tokio::test]
async fn one_node_works_and_another_takes_over_under_a_higher_epoch() {
    let world = World::new();
    let (first, second) = (world.supervisor(), world.supervisor());
    let a = projector::start(vec![world.tallies()], &world.ports("a", LEASE), &first, true).unwrap();
    let position = world.add("a", 1).await;
    a.reached("tallies", position, SOON).await.unwrap();
    let b = projector::start(vec![world.tallies()], &world.ports("b", LEASE), &second, true).unwrap();
    assert_eq!(b.reached("tallies", position, SOON).await.unwrap(), position, "asks the store");
    assert_eq!(b.status().await.unwrap()[0].state, ProjectionState::Standby);
    assert!(matches!(b.rebuild("tallies").await, Err(OperationError::Elsewhere(_))));
    assert!(matches!(b.retry("tallies", &"a".into()).await, Err(OperationError::Elsewhere(_))));

    assert!(first.drain(SOON).await);
    let position = world.add("a", 2).await;
    b.reached("tallies", position, SOON).await.unwrap();
    assert_eq!(world.tally("a").sum, 3);
    assert_eq!(world.log.leases().await.unwrap()[0].epoch, 2);

    let slot = gallae_ports::ProjectionStore::state(&*world.shelf, "tallies").await.unwrap().unwrap().slot;
    let stale = ViewBatch { from: position, to: position.next(), epoch: 1, ..ViewBatch::default() };
    assert!(matches!(ViewStore::apply(&*world.shelf, &slot, stale).await, Err(ApplyError::StaleEpoch)));
}

#[tokio::test]
async fn a_node_whose_lease_was_taken_stands_by() {
    let world = World::new();
    let running = Running::new(world.tallies().fold, &world.ports("a", LEASE));
    let stop = CancellationToken::new();
    let mut processed = running.processed.subscribe();
    let mut epoch = running.epoch.subscribe();
    let scenario = async {
        let position = world.add("a", 1).await;
        processed.wait_for(|at| *at == position).await.unwrap();
        // As after a long pause of the process: the lease has run out and somebody else has it.
        world.log.release("projector:tallies", "a", 1).await.unwrap();
        world.log.acquire("projector:tallies", "b", SOON).await.unwrap().unwrap();
        epoch.wait_for(Option::is_none).await.unwrap();
        world.add("a", 10).await;
        tokio::time::sleep(LEASE).await;
        assert_eq!((world.tally("a").sum, *running.processed.borrow()), (1, Position::new(1)));
        stop.cancel();
    };
    let (outcome, ()) = tokio::join!(live::run(Arc::clone(&running), stop.clone()), scenario);
    outcome.unwrap();
}
