//! Rebuild, verify and repair beside the live rows.

use super::world::{DoubleTallies, MENDED, Move, SOON, Tallies, World};
use crate::projector::{self, OperationError, ProjectionState};
use gallae_core::{Position, Timestamp};
use std::{cell::Cell, time::Duration};

/// Appends until told to stop; returns what it has appended.
async fn write_until(world: &World, stop: &Cell<bool>) -> u64 {
    let mut written = 0;
    while !stop.get() {
        for n in 0..20 {
            world.add(&(n % 7).to_string(), 2 * n).await;
            written += 1;
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    written
}

#[tokio::test]
async fn a_rebuild_under_load_ends_equal_to_a_fresh_fold() {
    let world = World::new();
    for n in 0..12_000 {
        world.add(&(n % 301).to_string(), 2 * n).await;
    }
    world.append("3", Move::Cleared).await;
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    projections.reached("tallies", world.head().await, SOON).await.unwrap();
    let stop = Cell::new(false);
    let rebuild = async {
        let report = projections.rebuild("tallies").await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        stop.set(true);
        report
    };
    let (written, report) = tokio::join!(write_until(&world, &stop), rebuild);
    assert!(written > 0 && report.events >= 12_001, "{report:?}");
    assert_eq!((report.differing, report.parked), (0, 0), "{report:?}");
    projections.reached("tallies", world.head().await, SOON).await.unwrap();
    assert_eq!(world.views(), world.folded::<Tallies>().await);
    assert_eq!(world.shelf.generations("tallies"), 1, "the old rows are gone");
    assert_eq!(projections.verify("tallies").await.unwrap().differing, 0);
    assert_eq!(world.shelf.generations("tallies"), 1, "a verification leaves nothing behind");
}

#[tokio::test]
async fn verify_finds_what_was_tampered_with_and_repair_mends_only_that() {
    let world = World::new();
    for n in 0..500 {
        world.add(&format!("{n:03}"), 2 * n).await;
    }
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    projections.reached("tallies", world.head().await, SOON).await.unwrap();
    let before = world.views();
    world.shelf.tamper("tallies", |rows| {
        let forged = rows.views[&"007".into()].document.to_vec();
        rows.views.get_mut(&"008".into()).unwrap().document = forged.into();
        rows.views.remove(&"100".into());
        let mut extra = rows.views[&"200".into()].clone();
        extra.key = "zzz".into();
        rows.views.insert("zzz".into(), extra);
    });
    let report = projections.verify("tallies").await.unwrap();
    let keys: Vec<&str> = report.differences.iter().map(|difference| difference.key.as_str()).collect();
    assert_eq!((keys, report.differing, report.repaired), (vec!["008", "100", "zzz"], 3, 0));
    assert!(report.differences[1].live.is_none() && report.differences[2].recomputed.is_none());
    assert!(report.rows >= 500);
    assert_ne!(world.views(), before, "a verification changes nothing");

    // The row that is right keeps its very bytes: it is not rewritten.
    world.shelf.tamper("tallies", |rows| {
        let row = rows.views.get_mut(&"300".into()).unwrap();
        row.document = [&row.document[..], b" "].concat().into();
    });
    let report = projections.repair("tallies").await.unwrap();
    assert_eq!((report.differing, report.repaired), (3, 3));
    assert_eq!(world.views(), before);
    assert!(world.shelf.live("tallies").views[&"300".into()].document.ends_with(b" "));

    // The live projector goes on from the mended row, not from the one it remembers.
    let head = world.add("008", 1000).await;
    projections.reached("tallies", head, SOON).await.unwrap();
    assert_eq!(world.views(), world.folded::<Tallies>().await);
}

#[tokio::test]
async fn counters_are_verified_repaired_and_rebuilt() {
    let world = World::new();
    for n in 0..100 {
        world.add("a", n).await;
    }
    let (projections, _supervisor) = world.start(vec![world.total()]);
    projections.reached("total", world.head().await, SOON).await.unwrap();
    let before = world.shelf.live("total").sum("sum");
    assert_eq!(before, 4950);
    world.shelf.tamper("total", |rows| {
        rows.add("sum", Timestamp::from_micros(0), 5);
        rows.add("other", Timestamp::from_micros(0), 7);
    });
    let report = projections.verify("total").await.unwrap();
    assert_eq!((report.differing, world.shelf.live("total").sum("sum")), (2, 4955));
    assert_eq!(projections.repair("total").await.unwrap().repaired, 2);
    assert_eq!((world.shelf.live("total").sum("sum"), world.shelf.live("total").sum("other")), (4950, 0));
    assert_eq!(projections.verify("total").await.unwrap().differing, 0);
    projections.rebuild("total").await.unwrap();
    projections.reached("total", world.add("a", 50).await, SOON).await.unwrap();
    assert_eq!(world.shelf.live("total").sum("sum"), 5000);
}

#[tokio::test]
async fn a_new_revision_is_rebuilt_while_the_old_rows_are_served() {
    let world = World::new();
    let (projections, supervisor) = world.start(vec![world.tallies()]);
    projections.reached("tallies", world.add("a", 1).await, SOON).await.unwrap();
    assert!(supervisor.drain(SOON).await);
    let head = world.add("a", 10).await;
    projections.pause("tallies").await.unwrap();
    let double = || projector::view::<DoubleTallies>(world.shelf.clone());
    let (projections, _supervisor) = world.start(vec![double()]);
    assert!(projections.reached("tallies", head, Duration::from_millis(50)).await.is_err());
    assert_eq!(world.tally("a").sum, 1, "while it is paused the old rows stand");
    let status = projections.status().await.unwrap().remove(0);
    assert_eq!((status.revision, status.live_revision), (2, Some(1)));
    projections.resume("tallies").await.unwrap();
    projections.reached("tallies", head, SOON).await.unwrap();
    assert_eq!(world.views(), world.folded::<DoubleTallies>().await);
    let last = world.add("a", 100).await;
    projections.reached("tallies", last, SOON).await.unwrap();
    assert_eq!(world.tally("a").sum, 222);
    let status = projections.status().await.unwrap().remove(0);
    assert_eq!((status.live_revision, status.state), (Some(2), ProjectionState::Live));
}

#[tokio::test]
async fn a_rebuild_frees_keys_whose_fold_was_mended_and_parks_those_that_fail() {
    let world = World::new();
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    world.append("a", Move::Poisoned { by: 1 }).await;
    world.add("a", 2).await;
    projections.reached("tallies", world.head().await, SOON).await.unwrap();
    let report = projections.rebuild("tallies").await.unwrap();
    assert_eq!((report.parked, world.letters().await.len()), (2, 2), "still poison");
    MENDED.set(true);
    let report = projections.rebuild("tallies").await.unwrap();
    assert_eq!((report.parked, world.letters().await), (0, vec![]));
    assert_eq!(world.tally("a").sum, 3);
    let last = world.add("a", 4).await;
    projections.reached("tallies", last, SOON).await.unwrap();
    assert_eq!(world.tally("a").sum, 7);
}

#[tokio::test]
async fn a_paused_projection_is_rebuilt_to_where_it_stands() {
    let world = World::new();
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    let stands = world.add("a", 1).await;
    projections.reached("tallies", stands, SOON).await.unwrap();
    projections.pause("tallies").await.unwrap();
    let next = world.add("a", 2).await;
    let report = projections.rebuild("tallies").await.unwrap();
    assert_eq!((report.differing, report.position), (0, stands));
    assert_eq!(world.tally("a").sum, 1);
    projections.resume("tallies").await.unwrap();
    projections.reached("tallies", next, SOON).await.unwrap();
    assert_eq!(world.tally("a").sum, 3);
}

#[tokio::test]
async fn a_parked_key_is_left_out_of_a_verification() {
    let world = World::new();
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    world.add("a", 1).await;
    world.append("a", Move::Poisoned { by: 1 }).await;
    projections.reached("tallies", world.head().await, SOON).await.unwrap();
    MENDED.set(true);
    let report = projections.verify("tallies").await.unwrap();
    assert_eq!((report.differing, report.parked_keys), (0, 1));
}

#[tokio::test]
async fn a_failed_or_cancelled_rebuild_leaves_the_live_rows_alone() {
    let world = World::new();
    for n in 0..20_000 {
        world.add(&(n % 50).to_string(), 1).await;
    }
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    projections.reached("tallies", world.head().await, SOON).await.unwrap();
    let before = world.views();

    let rebuild = projections.rebuild("tallies");
    assert!(matches!(projections.verify("tallies").await, Err(OperationError::Busy(_))));
    let mut progress = projections.progress("tallies").unwrap();
    let reading =
        progress.wait_for(|now| now.as_ref().is_some_and(|now| now.done > 0)).await.unwrap().clone();
    assert!(reading.is_some_and(|now| now.total == 20_000 && now.rate > 0.0 && now.eta.is_some()));
    assert!(projections.cancel("tallies").unwrap());
    assert!(matches!(rebuild.await, Err(OperationError::Cancelled)));
    assert_eq!(
        (world.shelf.generations("tallies"), projections.progress("tallies").unwrap().borrow().clone()),
        (1, None)
    );
    assert!(!projections.cancel("tallies").unwrap());

    world.fuse.light(3);
    let failed = projections.rebuild("tallies").await;
    assert!(failed.is_err(), "{failed:?}");
    assert_eq!((world.views(), world.shelf.generations("tallies")), (before, 1));
    let status = projections.status().await.unwrap().remove(0);
    assert!(status.last_error.is_some_and(|error| error.contains("being tested")), "told in the status");
    assert_eq!(projections.rebuild("tallies").await.unwrap().position, Position::new(20_000));
}
