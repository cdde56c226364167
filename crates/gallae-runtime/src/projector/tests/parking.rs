//! Poison events park their key, and only their key.

use super::world::{MENDED, Move, SOON, World};
use crate::projector::{OperationError, ProjectionState};
use bytes::Bytes;
use gallae_core::EventType;

const ADDED: EventType = EventType { name: "Added", version: 1 };

#[tokio::test]
async fn a_poison_event_parks_its_key_in_order_and_a_retry_folds_it() {
    let world = World::new();
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    world.add("a", 1).await;
    world.append("a", Move::Poisoned { by: 10 }).await;
    world.add("a", 100).await;
    let head = world.add("b", 5).await;
    projections.reached("tallies", head, SOON).await.unwrap();
    let later = world.add("a", 1000).await;
    projections.reached("tallies", later, SOON).await.unwrap();
    assert_eq!((world.tally("a").sum, world.tally("b").sum), (1, 5));
    let letters = [("a".into(), 2, 1), ("a".into(), 3, 0), ("a".into(), 5, 0)];
    assert_eq!(world.letters().await, letters);
    let status = projections.status().await.unwrap().remove(0);
    assert_eq!((status.parked_keys, status.dead_letters, status.state), (1, 3, ProjectionState::Live));

    // It fails again: nothing is lost, and the attempt counts.
    let outcome = projections.retry("tallies", &"a".into()).await.unwrap();
    assert_eq!((outcome.applied, outcome.parked), (0, 3));
    assert_eq!(world.letters().await[0], ("a".into(), 2, 2));

    MENDED.set(true);
    let outcome = projections.retry("tallies", &"a".into()).await.unwrap();
    assert_eq!((outcome.applied, outcome.parked), (3, 0));
    assert_eq!((world.tally("a").sum, world.tally("a").seen), (1111, vec![1, 2, 3, 5]));
    assert_eq!(world.letters().await, []);
    let last = world.add("a", 7).await;
    projections.reached("tallies", last, SOON).await.unwrap();
    assert_eq!(world.tally("a").sum, 1118, "the key is free again");
    let again = projections.retry("tallies", &"a".into()).await;
    assert!(matches!(again, Err(OperationError::NotParked)), "{again:?}");
}

#[tokio::test]
async fn a_discard_gives_up_the_first_parked_event_and_folds_the_rest() {
    let world = World::new();
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    for event in [
        Move::Added { by: 1 },
        Move::Poisoned { by: 10 },
        Move::Added { by: 100 },
        Move::Added { by: 13 },
        Move::Added { by: 1000 },
    ] {
        world.append("a", event).await;
    }
    projections.reached("tallies", world.head().await, SOON).await.unwrap();
    let outcome = projections.discard("tallies", &"a".into()).await.unwrap();
    assert_eq!((outcome.discarded, outcome.applied, outcome.parked), (1, 1, 2));
    assert_eq!(world.tally("a").sum, 101, "up to the view that cannot be written");
    let outcome = projections.discard("tallies", &"a".into()).await.unwrap();
    assert_eq!((outcome.discarded, outcome.applied, outcome.parked), (1, 1, 0));
    assert_eq!((world.tally("a").sum, world.letters().await), (1101, vec![]));
}

#[tokio::test]
async fn an_event_that_cannot_be_read_parks_its_stream() {
    let world = World::new();
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    world.append_raw("a", ADDED, Bytes::from_static(b"{")).await;
    world.add("a", 1).await;
    let head = world.add("b", 5).await;
    projections.reached("tallies", head, SOON).await.unwrap();
    assert_eq!((world.tally("a").sum, world.tally("b").sum), (0, 5));
    assert_eq!(world.letters().await, [("tally-a".into(), 1, 1), ("tally-a".into(), 2, 0)]);
    let outcome = projections.discard("tallies", &"tally-a".into()).await.unwrap();
    assert_eq!((outcome.discarded, outcome.applied), (1, 1));
    assert_eq!(world.tally("a").sum, 1);
}

#[tokio::test]
async fn a_retry_that_died_between_its_commits_counts_once() {
    let world = World::new();
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    world.append("a", Move::Poisoned { by: 10 }).await;
    projections.reached("tallies", world.head().await, SOON).await.unwrap();
    let letters = gallae_ports::DeadLetterStore::dead_letters(&world.log, None, None, 10).await.unwrap();
    MENDED.set(true);
    projections.retry("tallies", &"a".into()).await.unwrap();
    // As if the letter had not been taken off.
    gallae_ports::DeadLetterStore::park(&world.log, letters).await.unwrap();
    projections.retry("tallies", &"a".into()).await.unwrap();
    assert_eq!((world.tally("a").sum, world.letters().await), (10, vec![]));
}

#[tokio::test]
async fn counters_leave_out_the_poison_event_alone() {
    let world = World::new();
    let (projections, _supervisor) = world.start(vec![world.total()]);
    world.add("a", 1).await;
    world.append("a", Move::Poisoned { by: 10 }).await;
    world.add("a", 100).await;
    projections.reached("total", world.head().await, SOON).await.unwrap();
    assert_eq!(world.shelf.live("total").sum("sum"), 101, "increments commute: nothing waits");
    assert_eq!(projections.verify("total").await.unwrap().differing, 0, "what is parked is no difference");
    MENDED.set(true);
    assert_eq!(projections.verify("total").await.unwrap().differing, 0);
    projections.retry("total", &"tally-a".into()).await.unwrap();
    assert_eq!((world.shelf.live("total").sum("sum"), world.letters().await), (111, vec![]));
    assert_eq!(projections.verify("total").await.unwrap().differing, 0);
}

#[tokio::test]
async fn a_stored_document_that_no_longer_fits_parks_its_key() {
    let world = World::new();
    let (projections, supervisor) = world.start(vec![world.tallies()]);
    projections.reached("tallies", world.add("a", 1).await, SOON).await.unwrap();
    assert!(supervisor.drain(SOON).await);
    world.shelf.tamper("tallies", |rows| {
        let row = rows.views.get_mut(&"a".into()).unwrap();
        row.document = Bytes::from_static(b"{\"sum\":\"one\"}");
    });
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    world.add("a", 2).await;
    projections.reached("tallies", world.add("b", 3).await, SOON).await.unwrap();
    assert_eq!(world.letters().await, [("a".into(), 2, 1)]);
}
