//! Waiting for a position, pausing, catching up.

use super::world::{SOON, World};
use crate::projector::{self, NotReached, OperationError, ProjectionState};
use gallae_core::{EventType, Position};
use std::time::Duration;

const BRIEFLY: Duration = Duration::from_millis(30);

#[tokio::test]
async fn readers_are_released_by_events_of_any_kind() {
    let world = World::new();
    let (projections, supervisor) = world.start(vec![world.tallies()]);
    let own = world.add("a", 1).await;
    projections.reached("tallies", own, SOON).await.unwrap();
    let foreign = world.append_foreign().await;
    assert_eq!(projections.reached("tallies", foreign, SOON).await.unwrap(), foreign);
    assert_eq!(world.shelf.live("tallies").cursor(), own, "no write for a foreign event");
    assert!(supervisor.drain(SOON).await);
    assert_eq!(world.shelf.live("tallies").cursor(), foreign, "written at the end");
}

#[tokio::test]
async fn the_cursor_follows_foreign_events_after_a_while() {
    let world = World::new();
    let (_projections, _supervisor) = world.start(vec![world.tallies()]);
    let foreign = world.append_foreign().await;
    for _ in 0..500 {
        if world.shelf.live("tallies").cursor() == foreign {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the cursor stayed behind");
}

#[tokio::test]
async fn a_wait_ends_when_its_time_is_over() {
    let world = World::new();
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    let at = world.add("a", 1).await;
    projections.reached("tallies", at, SOON).await.unwrap();
    let behind = projections.reached("tallies", at.next(), BRIEFLY).await.unwrap_err();
    assert!(
        matches!(behind, NotReached::Behind { wanted, at: stands, .. } if wanted == at.next() && stands == at)
    );
    let unknown = projections.reached("nothing", at, BRIEFLY).await;
    assert!(matches!(unknown, Err(NotReached::Unknown(_))));
}

#[tokio::test]
async fn a_paused_projection_stands_still_also_after_a_restart() {
    let world = World::new();
    let (projections, supervisor) = world.start(vec![world.tallies()]);
    projections.reached("tallies", world.add("a", 1).await, SOON).await.unwrap();
    projections.pause("tallies").await.unwrap();
    let next = world.add("a", 2).await;
    assert!(projections.reached("tallies", next, BRIEFLY).await.is_err());
    assert!(supervisor.drain(SOON).await);
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    assert!(projections.reached("tallies", next, BRIEFLY).await.is_err());
    let status = projections.status().await.unwrap().remove(0);
    assert_eq!((status.state, status.lag_events), (ProjectionState::Paused, 1));
    let refused = projections.sync("tallies", BRIEFLY).await;
    assert!(matches!(refused, Err(OperationError::Paused(_))), "{refused:?}");
    projections.resume("tallies").await.unwrap();
    projections.reached("tallies", next, SOON).await.unwrap();
    assert_eq!(world.tally("a").sum, 3);
}

#[tokio::test]
async fn a_sync_reports_what_it_caught_up() {
    let world = World::new();
    for n in 0..5 {
        world.add("a", n).await;
    }
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    let report = projections.sync("tallies", SOON).await;
    // Before the first opening there is no state to start from: everything is to be done.
    let report = report.unwrap();
    assert_eq!((report.from, report.to, report.events), (Position::START, Position::new(5), 5));
    assert_eq!(projections.sync("tallies", SOON).await.unwrap().events, 0);
}

#[tokio::test]
async fn two_projections_of_one_name_are_refused() {
    let world = World::new();
    let ports = world.ports("n1", SOON);
    let both = vec![world.tallies(), world.tallies()];
    assert!(projector::start(both, &ports, &world.supervisor(), true).is_err());
}

impl World {
    /// Appends an event that no projection here listens to.
    pub(super) async fn append_foreign(&self) -> Position {
        let foreign = EventType { name: "SomethingElse", version: 1 };
        self.append_raw("foreign", foreign, "{}".into()).await
    }
}
