//! However the projector is stopped, every event counts once.

use super::world::{Move, SOON, Tallies, World};
use crate::projector::{Registration, live, running::Running};
use gallae_core::ViewKey;
use gallae_ports::DeadLetterStore;
use proptest::prelude::*;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Runs the projection as a process that starts, and dies at its first fault, or stops when it has reached `head`.
async fn one_life(world: &World, projection: Registration) -> bool {
    let ports = world.ports("n1", Duration::from_secs(10));
    let head = world.head().await;
    let running = Running::new(projection.fold, &ports);
    let stop = CancellationToken::new();
    let mut processed = running.processed.subscribe();
    let watcher = async {
        let _ = processed.wait_for(|at| *at >= head).await;
        stop.cancel();
        std::future::pending().await
    };
    tokio::select! {
        outcome = live::run(Arc::clone(&running), stop.clone()) => outcome.is_ok(),
        () = watcher => unreachable!(),
    }
}

fn moves() -> impl Strategy<Value = Vec<(u8, Move)>> {
    let kind = prop_oneof![
        6 => (1..9_i64).prop_map(|by| Move::Added { by }),
        1 => (1..9_i64).prop_map(|by| Move::Poisoned { by }),
        1 => Just(Move::Cleared),
    ];
    proptest::collection::vec((0..4_u8, kind), 1..40)
}

/// The views and dead letters that the log must lead to: a key stops at its first poison.
async fn expected(history: &[(u8, Move)]) -> (World, Vec<String>) {
    let world = World::new();
    let mut parked: Vec<u8> = Vec::new();
    let mut letters = Vec::new();
    for (place, (key, event)) in history.iter().enumerate() {
        let poison = matches!(event, Move::Poisoned { .. });
        if poison && !parked.contains(key) {
            parked.push(*key);
        }
        if parked.contains(key) {
            letters.push(format!("{key} {}", place + 1));
            // Keeps positions the same.
            world.append_foreign().await;
        } else {
            world.append(&key.to_string(), event.clone()).await;
        }
    }
    (world, letters)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_event_counts_once_whichever_call_fails(history in moves(), faults in proptest::collection::vec(1..24_i64, 0..16), splits in proptest::collection::vec(1..10_usize, 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (oracle, mut expected_letters) = expected(&history).await;
            let expected_views = oracle.folded::<Tallies>().await;
            let world = World::new();
            let mut left = &history[..];
            let mut faults = faults.into_iter();
            let mut splits = splits.into_iter().cycle();
            while !left.is_empty() {
                let (batch, rest) = left.split_at(splits.next().unwrap().min(left.len()));
                left = rest;
                for (key, event) in batch {
                    world.append(&key.to_string(), event.clone()).await;
                }
                for start in [World::tallies, World::total] {
                    loop {
                        world.fuse.light_half(faults.next().unwrap_or(0));
                        if tokio::time::timeout(SOON, one_life(&world, start(&world))).await.unwrap() {
                            break;
                        }
                    }
                }
            }
            prop_assert_eq!(world.views(), expected_views);
            prop_assert_eq!(world.shelf.live("tallies").cursor(), world.head().await);
            let added = history.iter().filter_map(|(_, event)| match event {
                Move::Added { by } => Some(by),
                _ => None,
            });
            prop_assert_eq!(world.shelf.live("total").sum("sum"), added.sum::<i64>());
            let letters = world.log.dead_letters(Some("tallies"), None, 1000).await.unwrap();
            let mut letters: Vec<String> =
                letters.into_iter().map(|letter| format!("{} {}", letter.key, letter.position)).collect();
            letters.sort();
            expected_letters.sort();
            prop_assert_eq!(letters, expected_letters);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn every_single_call_may_fail() {
    let history = [
        (0, Move::Added { by: 1 }),
        (0, Move::Poisoned { by: 2 }),
        (1, Move::Added { by: 3 }),
        (0, Move::Added { by: 4 }),
        (1, Move::Cleared),
        (1, Move::Added { by: 5 }),
    ];
    let (oracle, _) = expected(&history).await;
    let expected_views = oracle.folded::<Tallies>().await;
    let mut met = 0;
    for half in 1..40 {
        let world = World::new();
        for (key, event) in &history {
            world.append(&key.to_string(), event.clone()).await;
        }
        world.fuse.light_half(half);
        if !one_life(&world, world.tallies()).await {
            met += 1;
            assert!(one_life(&world, world.tallies()).await);
        }
        assert_eq!(world.views(), expected_views, "after a failure at {half}");
        let letters: Vec<_> = world.letters().await.into_iter().map(|(key, at, _)| (key, at)).collect();
        assert_eq!(letters, [("0".to_owned(), 2), ("0".to_owned(), 4)], "after a failure at {half}");
    }
    assert!((10..39).contains(&met), "the failures reached the end of the work: {met}");
}

#[tokio::test]
async fn a_writer_that_finds_another_cursor_starts_over_from_it() {
    let world = World::new();
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    let first = world.add("a", 1).await;
    projections.reached("tallies", first, SOON).await.unwrap();
    // Somebody else has folded the next event.
    world.shelf.tamper("tallies", |rows| rows.move_to(first.next()));
    world.add("a", 10).await;
    let third = world.add("a", 100).await;
    projections.reached("tallies", third, SOON).await.unwrap();
    assert_eq!(world.tally("a").sum, 101, "the event that somebody else has folded is not folded again");
}

#[tokio::test]
async fn views_that_left_the_cache_are_loaded() {
    let world = World::new();
    let keys: Vec<ViewKey> = (0..6_000).map(|n| ViewKey::from(n.to_string())).collect();
    for round in 1..=2 {
        for key in &keys {
            world.add(key.as_str(), round).await;
        }
    }
    let (projections, _supervisor) = world.start(vec![world.tallies()]);
    projections.reached("tallies", world.head().await, SOON).await.unwrap();
    assert_eq!(world.views(), world.folded::<Tallies>().await);
}
