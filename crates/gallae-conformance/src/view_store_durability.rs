//! What a view store remembers when it is opened again.

use crate::{
    DurableHarness,
    generations::{Kind, Step, Views},
};
use gallae_core::Position;
use gallae_ports::{ApplyError, ProjectionStore, ViewStore};

/// Every case of closing and opening.
#[macro_export]
macro_rules! view_store_durability_suite {
    ($harness:expr) => {
        $crate::__suite! { view_store_durability, $harness, [
            rows_cursor_epoch_and_pause_are_still_there,
            a_shadow_outlives_a_restart,
        ] }
    };
}

const NAME: &str = "parcels";

/// Applied exactly once, restarts included.
pub async fn rows_cursor_epoch_and_pause_are_still_there<H: DurableHarness<Store: ViewStore>>(harness: &H) {
    let store = harness.fresh().await;
    let spec = <Views as Kind<H::Store>>::spec(NAME, 1);
    let slot = store.open(&spec, false).await.unwrap().slot;
    Views::add(&store, &slot, Step { from: 0, to: 5, epoch: 3 }, &[1, 2]).await.unwrap();
    store.set_paused(NAME, true).await.unwrap();

    let store = harness.reopen(store).await;
    let state = store.open(&spec, false).await.unwrap();
    assert_eq!((&state.slot, state.cursor, state.paused), (&slot, Position::new(5), true));
    assert_eq!(Views::live(&store, NAME).await, [1, 2]);
    let again = Views::add(&store, &slot, Step { from: 0, to: 5, epoch: 3 }, &[1, 2]).await;
    assert!(matches!(again, Err(ApplyError::Cursor { .. })), "{again:?}");
    let stale = Views::add(&store, &slot, Step { from: 5, to: 6, epoch: 2 }, &[3]).await;
    assert!(matches!(stale, Err(ApplyError::StaleEpoch)), "{stale:?}");
}

/// A rebuild may go on where it was, or start over.
pub async fn a_shadow_outlives_a_restart<H: DurableHarness<Store: ViewStore>>(harness: &H) {
    let store = harness.fresh().await;
    let spec = <Views as Kind<H::Store>>::spec(NAME, 1);
    store.open(&spec, false).await.unwrap();
    let shadow = store.create_shadow(&spec).await.unwrap();
    Views::add(&store, &shadow, Step { from: 0, to: 5, epoch: 1 }, &[7]).await.unwrap();

    let store = harness.reopen(store).await;
    store.open(&spec, false).await.unwrap();
    assert!(Views::live(&store, NAME).await.is_empty());
    Views::add(&store, &shadow, Step { from: 5, to: 6, epoch: 1 }, &[8]).await.unwrap();
    store.switch(&shadow).await.unwrap();
    assert_eq!(Views::live(&store, NAME).await, [7, 8]);
}
