//! Every place at which a process can die.

use super::{
    shop::Kind,
    world::{Act, Death, World, notes, reserved},
};
use gallae_core::saga::SagaStatus;

struct Case {
    name: &'static str,
    kind: Kind,
    refuses: Option<&'static str>,
    script: fn(&World),
    ends: SagaStatus,
    executed: &'static [&'static str],
    reserved: u32,
}

const CASES: &[Case] = &[
    Case {
        name: "straight",
        kind: Kind::Checkout,
        refuses: None,
        script: |_| {},
        ends: SagaStatus::Completed,
        executed: &["authorize", "capture", "send"],
        reserved: 1,
    },
    Case {
        name: "declined",
        kind: Kind::Checkout,
        refuses: None,
        script: |world| world.outside.script("authorize", [Act::Decline("CARD_DECLINED")]),
        ends: SagaStatus::Compensated,
        executed: &[],
        reserved: 0,
    },
    Case {
        name: "undone",
        kind: Kind::Checkout,
        refuses: Some("confirmed"),
        script: |world| world.outside.script("void", [Act::Fail, Act::LoseAnswer]),
        ends: SagaStatus::Compensated,
        executed: &["authorize", "void"],
        reserved: 0,
    },
    Case {
        name: "flaky",
        kind: Kind::Checkout,
        refuses: None,
        script: |world| {
            world.outside.script("authorize", [Act::Fail, Act::LoseAnswer]);
            world.outside.script("capture", [Act::LoseRequest, Act::Fail]);
        },
        ends: SagaStatus::Completed,
        executed: &["authorize", "capture", "send"],
        reserved: 1,
    },
    Case {
        name: "side by side, undone",
        kind: Kind::Trip,
        refuses: None,
        script: |world| world.outside.script("pay", [Act::Decline("NO_FUNDS")]),
        ends: SagaStatus::Compensated,
        executed: &["flight", "hotel", "cancel-hotel", "cancel-flight"],
        reserved: 0,
    },
];

/// Kills a process at its first, second, … append, before and after it is durable, until it survives; another one takes over
/// each time. Whatever the place: the same end, and every effect exactly once.
#[tokio::test]
async fn a_death_at_any_append_changes_nothing_but_the_time() {
    for case in CASES {
        for death in [Death::Before as fn(usize) -> Death, Death::After] {
            let mut deaths = 0;
            for append in 2.. {
                if !dies_and_recovers(case, death(append)).await {
                    break;
                }
                deaths += 1;
            }
            assert!(deaths >= 2, "{}: only {deaths} places to die at", case.name);
        }
    }
}

/// Whether the first process died at all.
async fn dies_and_recovers(case: &Case, death: Death) -> bool {
    let world = World::new();
    (case.script)(&world);
    let first = world.node("first", death);
    world.settle().await;
    let (order, saga) = first.place(1, case.kind, case.refuses).await;
    for _ in 0..100 {
        world.pass(std::time::Duration::from_millis(500)).await;
        if first.store.is_dead() || world.row(saga).await.status.is_terminal() {
            break;
        }
    }
    let died = first.store.is_dead();
    first.kill().await;
    let second = world.node("second", Death::Never);
    let row = world.until_ended(saga).await;
    let what = format!("{}, {death:?}", case.name);
    assert_eq!(row.status, case.ends, "{what}");
    assert_eq!(world.outside.executed(), case.executed, "{what}");
    assert_eq!(reserved(&world).await, case.reserved, "{what}");
    let notes = notes(&world, order).await;
    let distinct: std::collections::BTreeSet<_> = notes.iter().collect();
    assert_eq!(distinct.len(), notes.len(), "{what}: {notes:?}");
    assert_eq!(notes.last().map(String::as_str), Some(case.ends.as_str()), "{what}");
    assert!(world.describe(saga).await.timers.is_empty(), "{what}");
    second.drain().await;
    died
}

/// Faults of the store itself: refused, lost, or written without an answer.
#[tokio::test]
async fn a_store_that_fails_at_any_append_changes_nothing_but_the_time() {
    use gallae_memory::Fault;
    for fault in [Fault::Unavailable, Fault::IndeterminateWritten, Fault::IndeterminateLost] {
        for case in CASES {
            for times in 1..=6 {
                let world = World::new();
                (case.script)(&world);
                let node = world.node("a", Death::Never);
                world.settle().await;
                let (_, saga) = node.place(1, case.kind, case.refuses).await;
                for _ in 0..times {
                    world.log.fail_next(fault);
                }
                let row = world.until_ended(saga).await;
                assert_eq!(row.status, case.ends, "{}, {times} {fault:?}", case.name);
                assert_eq!(world.outside.executed(), case.executed, "{}, {times} {fault:?}", case.name);
            }
        }
    }
}
