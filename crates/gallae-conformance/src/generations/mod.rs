//! Cursors and generations: the suite of [`ProjectionStore`], run for views, for search and for counters.

mod kinds;

pub use kinds::{Counters, Search, Views};

use crate::Harness;
use gallae_core::Position;
use gallae_ports::{ApplyError, Generation, ProjectionSpec, ProjectionStore, Slot, SlotState};
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

#[doc(hidden)]
#[macro_export]
macro_rules! __generations_suite {
    ($suite:ident, $kind:ident, $harness:expr) => {
        $crate::__generations_suite! { $suite, $kind, $harness, [
            a_new_projection_stands_at_zero,
            opening_again_changes_nothing,
            another_revision_is_reported_and_not_touched,
            another_revision_is_replaced_on_request,
            rows_and_cursor_move_together,
            a_batch_from_another_cursor_is_refused,
            a_stale_epoch_is_refused,
            one_of_two_simultaneous_writers_wins,
            a_shadow_is_filled_beside_the_live_rows,
            a_switch_is_one_step_for_every_reader,
            a_shadow_that_is_behind_does_not_become_live,
            a_shadow_may_have_another_revision,
            a_new_shadow_drops_the_one_before,
            a_dropped_shadow_is_gone,
            a_projection_stays_paused,
            a_repair_needs_the_cursor,
            projections_do_not_touch_each_other,
        ] }
    };
    ($suite:ident, $kind:ident, $harness:expr, [$($case:ident),* $(,)?]) => {
        mod $suite {
            #[allow(unused_imports, reason = "the harness may be named by its whole path")]
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    $crate::generations::$case::<_, $crate::generations::$kind>(&$harness).await;
                }
            )*
        }
    };
}

/// One kind of rows, reduced to what the cases need: a set of numbers.
pub trait Kind<S>: Send + Sync + 'static {
    /// The projection that the cases use.
    fn spec(name: &'static str, revision: u32) -> ProjectionSpec;
    /// Adds numbers and moves the cursor.
    fn add(
        store: &S,
        slot: &Slot,
        step: Step,
        numbers: &[i64],
    ) -> impl Future<Output = Result<(), ApplyError>> + Send;
    /// The live numbers, sorted.
    fn live(store: &S, projection: &str) -> impl Future<Output = Vec<i64>> + Send;
    /// The numbers of a generation, sorted; `None` when it is gone.
    fn scan(store: &S, slot: &Slot) -> impl Future<Output = Option<Vec<i64>>> + Send;
    /// Adds a live number without moving the cursor.
    fn repair(
        store: &S,
        projection: &str,
        at: Position,
        number: i64,
    ) -> impl Future<Output = Result<(), ApplyError>> + Send;
}

/// How a batch moves the cursor.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The cursor before.
    pub from: u64,
    /// The cursor after.
    pub to: u64,
    /// The writer's epoch.
    pub epoch: u64,
}

const NAME: &str = "parcels";

fn step(from: u64, to: u64) -> Step {
    Step { from, to, epoch: 1 }
}

/// Known after it was opened, and not before.
pub async fn a_new_projection_stands_at_zero<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let store = harness.fresh().await;
    assert_eq!(store.state(NAME).await.unwrap(), None);
    let state = store.open(&K::spec(NAME, 3), false).await.unwrap();
    assert_eq!((state.revision, state.cursor, state.paused), (3, Position::START, false));
    assert_eq!(state.slot.projection, NAME);
    assert_eq!(store.state(NAME).await.unwrap().as_ref(), Some(&state));
    assert_eq!(store.cursor(&state.slot).await.unwrap(), Position::START);
    assert!(K::live(&store, NAME).await.is_empty());
}

/// As a restart does.
pub async fn opening_again_changes_nothing<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, slot) = open::<H, K>(harness).await;
    K::add(&store, &slot, step(0, 5), &[1, 2]).await.unwrap();
    for replace in [false, true] {
        let state = store.open(&K::spec(NAME, 1), replace).await.unwrap();
        assert_eq!((&state.slot, state.cursor), (&slot, Position::new(5)));
        assert_eq!(K::live(&store, NAME).await, [1, 2]);
    }
}

/// The caller decides whether to rebuild beside the old rows or to start over.
pub async fn another_revision_is_reported_and_not_touched<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, slot) = open::<H, K>(harness).await;
    K::add(&store, &slot, step(0, 5), &[1]).await.unwrap();
    let state = store.open(&K::spec(NAME, 2), false).await.unwrap();
    assert_eq!((&state.slot, state.revision, state.cursor), (&slot, 1, Position::new(5)));
    assert_eq!(K::live(&store, NAME).await, [1]);
    K::add(&store, &slot, step(5, 6), &[2]).await.unwrap();
}

/// The old rows go, and whoever still writes them learns it.
pub async fn another_revision_is_replaced_on_request<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, slot) = open::<H, K>(harness).await;
    K::add(&store, &slot, step(0, 5), &[1]).await.unwrap();
    let state = store.open(&K::spec(NAME, 2), true).await.unwrap();
    assert_eq!((state.revision, state.cursor), (2, Position::START));
    assert_ne!(state.slot, slot);
    assert!(K::live(&store, NAME).await.is_empty());
    assert_gone(K::add(&store, &slot, step(5, 6), &[2]).await);
    K::add(&store, &state.slot, step(0, 1), &[3]).await.unwrap();
    assert_eq!(K::live(&store, NAME).await, [3]);
}

/// Every batch that is applied is in both.
pub async fn rows_and_cursor_move_together<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, slot) = open::<H, K>(harness).await;
    K::add(&store, &slot, step(0, 5), &[1, 2]).await.unwrap();
    K::add(&store, &slot, step(5, 9), &[3]).await.unwrap();
    K::add(&store, &slot, step(9, 12), &[]).await.unwrap();
    assert_eq!(store.cursor(&slot).await.unwrap(), Position::new(12));
    assert_eq!(store.state(NAME).await.unwrap().unwrap().cursor, Position::new(12));
    assert_eq!(K::live(&store, NAME).await, [1, 2, 3]);
    assert_eq!(K::scan(&store, &slot).await, Some(vec![1, 2, 3]));
}

/// Applied exactly once: a batch that was applied already, or that skips one, writes nothing.
pub async fn a_batch_from_another_cursor_is_refused<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, slot) = open::<H, K>(harness).await;
    K::add(&store, &slot, step(0, 5), &[1]).await.unwrap();
    for (from, to) in [(0, 5), (4, 6), (6, 7)] {
        let refused = K::add(&store, &slot, step(from, to), &[2]).await;
        assert_cursor(refused, from, 5);
    }
    assert_eq!(K::live(&store, NAME).await, [1]);
    assert_eq!(store.cursor(&slot).await.unwrap(), Position::new(5));
}

/// A writer whose lease was taken over writes nothing, even from the right cursor.
pub async fn a_stale_epoch_is_refused<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, slot) = open::<H, K>(harness).await;
    K::add(&store, &slot, Step { from: 0, to: 1, epoch: 4 }, &[1]).await.unwrap();
    K::add(&store, &slot, Step { from: 1, to: 2, epoch: 6 }, &[2]).await.unwrap();
    for epoch in [0, 4, 5] {
        let refused = K::add(&store, &slot, Step { from: 2, to: 3, epoch }, &[9]).await;
        assert!(matches!(refused, Err(ApplyError::StaleEpoch)), "{refused:?}");
    }
    K::add(&store, &slot, Step { from: 2, to: 3, epoch: 6 }, &[3]).await.unwrap();
    assert_eq!(K::live(&store, NAME).await, [1, 2, 3]);
}

/// Two writers that start from the same cursor: one is applied whole, the other not at all.
pub async fn one_of_two_simultaneous_writers_wins<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, slot) = open::<H, K>(harness).await;
    let (odd, even) = (&[1, 3][..], &[2, 4][..]);
    let (a, b) =
        futures::join!(K::add(&store, &slot, step(0, 1), odd), K::add(&store, &slot, step(0, 1), even));
    let written = if a.is_ok() { odd } else { even };
    assert_cursor(if a.is_ok() { b } else { a }, 0, 1);
    assert_eq!(K::live(&store, NAME).await, written);
}

/// Queries see nothing of it.
pub async fn a_shadow_is_filled_beside_the_live_rows<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, live) = open::<H, K>(harness).await;
    K::add(&store, &live, step(0, 5), &[1]).await.unwrap();
    let shadow = store.create_shadow(&K::spec(NAME, 1)).await.unwrap();
    assert_ne!(shadow, live);
    assert_eq!(store.cursor(&shadow).await.unwrap(), Position::START);
    assert_eq!(K::scan(&store, &shadow).await, Some(vec![]));
    K::add(&store, &shadow, step(0, 3), &[7, 8]).await.unwrap();
    K::add(&store, &live, step(5, 6), &[2]).await.unwrap();
    assert_eq!(K::live(&store, NAME).await, [1, 2]);
    assert_eq!(K::scan(&store, &shadow).await, Some(vec![7, 8]));
    assert_eq!(K::scan(&store, &live).await, Some(vec![1, 2]));
    assert_eq!(store.cursor(&shadow).await.unwrap(), Position::new(3));
    let state = store.state(NAME).await.unwrap().unwrap();
    assert_eq!((state.slot, state.cursor), (live, Position::new(6)));
}

/// A query sees the old rows or the new ones, never a mixture and never nothing; afterwards the old ones are gone.
pub async fn a_switch_is_one_step_for_every_reader<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, live) = open::<H, K>(harness).await;
    let (old, new): (Vec<i64>, Vec<i64>) = ((1..=40).collect(), (101..=140).collect());
    K::add(&store, &live, step(0, 5), &old).await.unwrap();
    let shadow = store.create_shadow(&K::spec(NAME, 1)).await.unwrap();
    K::add(&store, &shadow, step(0, 5), &new).await.unwrap();

    let (store, switched) = (Arc::new(store), Arc::new(AtomicBool::new(false)));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let (store, switched) = (Arc::clone(&store), Arc::clone(&switched));
        let (old, new) = (old.clone(), new.clone());
        readers.spawn(async move {
            loop {
                let must_be_new = switched.load(Ordering::SeqCst);
                let seen = K::live(&store, NAME).await;
                assert!(seen == new || (seen == old && !must_be_new), "a reader saw {seen:?}");
                if must_be_new {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    store.switch(&shadow).await.unwrap();
    switched.store(true, Ordering::SeqCst);
    while let Some(read) = readers.join_next().await {
        read.unwrap();
    }
    let state = store.state(NAME).await.unwrap().unwrap();
    assert_eq!((&state.slot, state.cursor), (&shadow, Position::new(5)));
    assert_gone(K::add(&store, &live, step(5, 6), &[9]).await);
    assert_eq!(K::scan(&store, &live).await, None);
    K::add(&store, &shadow, step(5, 6), &[141]).await.unwrap();
    assert_eq!(K::live(&store, NAME).await.len(), 41);
}

/// Queries never go back in time.
pub async fn a_shadow_that_is_behind_does_not_become_live<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, live) = open::<H, K>(harness).await;
    K::add(&store, &live, step(0, 5), &[1]).await.unwrap();
    let shadow = store.create_shadow(&K::spec(NAME, 1)).await.unwrap();
    K::add(&store, &shadow, step(0, 4), &[7]).await.unwrap();
    let refused = store.switch(&shadow).await;
    assert_cursor(refused, 4, 5);
    assert_eq!(K::live(&store, NAME).await, [1]);
    K::add(&store, &shadow, step(4, 8), &[8]).await.unwrap();
    store.switch(&shadow).await.unwrap();
    assert_eq!(K::live(&store, NAME).await, [7, 8]);
}

/// The way to a new revision without an interruption.
pub async fn a_shadow_may_have_another_revision<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, live) = open::<H, K>(harness).await;
    K::add(&store, &live, step(0, 5), &[1]).await.unwrap();
    let shadow = store.create_shadow(&K::spec(NAME, 2)).await.unwrap();
    assert_eq!(store.state(NAME).await.unwrap().unwrap().revision, 1);
    K::add(&store, &shadow, step(0, 5), &[7]).await.unwrap();
    store.switch(&shadow).await.unwrap();
    let state = store.open(&K::spec(NAME, 2), true).await.unwrap();
    assert_eq!((state.slot, state.revision), (shadow, 2));
    assert_eq!(K::live(&store, NAME).await, [7]);
}

/// A rebuild that was interrupted starts over.
pub async fn a_new_shadow_drops_the_one_before<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, live) = open::<H, K>(harness).await;
    let first = store.create_shadow(&K::spec(NAME, 1)).await.unwrap();
    K::add(&store, &first, step(0, 5), &[7]).await.unwrap();
    let second = store.create_shadow(&K::spec(NAME, 1)).await.unwrap();
    assert!(second.generation > first.generation && first.generation > live.generation);
    assert_gone(K::add(&store, &first, step(5, 6), &[8]).await);
    assert_gone(store.switch(&first).await);
    assert_eq!(K::scan(&store, &second).await, Some(vec![]));
}

/// Dropping what is gone, or live, does nothing.
pub async fn a_dropped_shadow_is_gone<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, live) = open::<H, K>(harness).await;
    K::add(&store, &live, step(0, 5), &[1]).await.unwrap();
    let shadow = store.create_shadow(&K::spec(NAME, 1)).await.unwrap();
    for _ in 0..2 {
        store.drop_shadow(&shadow).await.unwrap();
        assert_gone(K::add(&store, &shadow, step(0, 1), &[7]).await);
        assert_gone(store.switch(&shadow).await);
        assert!(store.cursor(&shadow).await.is_err());
    }
    store.drop_shadow(&live).await.unwrap();
    assert_eq!(K::live(&store, NAME).await, [1]);
    let unknown = Slot { projection: "unknown".into(), generation: Generation(1) };
    assert_gone(K::add(&store, &unknown, step(0, 1), &[7]).await);
    let next = store.create_shadow(&K::spec(NAME, 1)).await.unwrap();
    assert!(next.generation > shadow.generation, "the number of a generation is not used again");
}

/// What an operator holds stays held, whatever else happens to it.
pub async fn a_projection_stays_paused<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, _) = open::<H, K>(harness).await;
    store.set_paused(NAME, true).await.unwrap();
    let shadow = store.create_shadow(&K::spec(NAME, 1)).await.unwrap();
    store.switch(&shadow).await.unwrap();
    assert!(store.state(NAME).await.unwrap().unwrap().paused);
    assert!(store.open(&K::spec(NAME, 2), true).await.unwrap().paused);
    store.set_paused(NAME, false).await.unwrap();
    assert!(!store.open(&K::spec(NAME, 2), false).await.unwrap().paused);
}

/// A repair was computed for one place in the log and is wrong anywhere else.
pub async fn a_repair_needs_the_cursor<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, slot) = open::<H, K>(harness).await;
    K::add(&store, &slot, step(0, 5), &[1]).await.unwrap();
    for wrong in [4, 6] {
        assert_cursor(K::repair(&store, NAME, Position::new(wrong), 9).await, wrong, 5);
    }
    K::repair(&store, NAME, Position::new(5), 2).await.unwrap();
    assert_eq!(K::live(&store, NAME).await, [1, 2]);
    assert_eq!(store.cursor(&slot).await.unwrap(), Position::new(5));
}

/// Names, cursors, pauses and rows are each projection's own.
pub async fn projections_do_not_touch_each_other<H, K>(harness: &H)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let (store, slot) = open::<H, K>(harness).await;
    let other = store.open(&K::spec("parcels-2", 4), false).await.unwrap();
    K::add(&store, &slot, step(0, 5), &[1]).await.unwrap();
    K::add(&store, &other.slot, Step { from: 0, to: 2, epoch: 9 }, &[1, 2]).await.unwrap();
    store.set_paused("parcels-2", true).await.unwrap();
    K::add(&store, &slot, step(5, 6), &[3]).await.unwrap();
    assert_eq!(K::live(&store, NAME).await, [1, 3]);
    assert_eq!(K::live(&store, "parcels-2").await, [1, 2]);
    let SlotState { revision, cursor, paused, .. } = store.state(NAME).await.unwrap().unwrap();
    assert_eq!((revision, cursor.get(), paused), (1, 6, false));
}

async fn open<H, K>(harness: &H) -> (H::Store, Slot)
where
    H: Harness<Store: ProjectionStore>,
    K: Kind<H::Store>,
{
    let store = harness.fresh().await;
    let state = store.open(&K::spec(NAME, 1), false).await.unwrap();
    (store, state.slot)
}

fn assert_cursor(refused: Result<(), ApplyError>, from: u64, at: u64) {
    match refused {
        Err(ApplyError::Cursor { expected, actual }) => {
            assert_eq!((expected.get(), actual.get()), (from, at))
        }
        other => panic!("not refused for its cursor: {other:?}"),
    }
}

fn assert_gone(refused: Result<(), ApplyError>) {
    assert!(matches!(refused, Err(ApplyError::Gone)), "{refused:?}");
}
