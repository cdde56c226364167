//! What an event store promises when an append fails underneath.

use crate::{
    AppendFault, FaultyHarness,
    sample::{append, exact, later, log, record, refused, write},
};
use gallae_ports::{AppendBatch, AppendError, EventStore, Expected};

/// Every case of failing appends.
#[macro_export]
macro_rules! event_store_fault_suite {
    ($harness:expr) => {
        $crate::__suite! { event_store_faults, $harness, [
            an_unavailable_store_wrote_nothing,
            a_retry_finds_what_was_written,
            a_retry_writes_what_was_lost,
            a_retry_loses_to_who_came_first,
            a_retry_at_any_version_is_found_by_its_record,
        ] }
    };
}

/// `Unavailable` is certain.
pub async fn an_unavailable_store_wrote_nothing<H: FaultyHarness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    harness.fail_next(&store, AppendFault::Unavailable);
    let batch = write("order-1", Expected::NoStream, 1);
    let error = refused(&store, batch.clone()).await;
    assert!(matches!(error, AppendError::Unavailable(_)), "{error}");
    assert!(log(&store).await.is_empty());
    assert!(!append(&store, batch).await.replayed);
}

/// The same batch again answers with its original place.
pub async fn a_retry_finds_what_was_written<H: FaultyHarness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("order-1", Expected::NoStream, 1)).await;
    let batch = write("order-1", exact(1), 2);
    indeterminate(harness, &store, AppendFault::IndeterminateWritten, batch.clone()).await;
    append(&store, write("order-1", exact(3), 1)).await;
    let answer = append(&store, batch).await;
    assert_eq!((answer.position.get(), answer.versions[0].get(), answer.replayed), (3, 3, true));
    assert_eq!(log(&store).await.len(), 4);
}

/// The same batch again is written, once.
pub async fn a_retry_writes_what_was_lost<H: FaultyHarness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let batch = write("order-1", Expected::NoStream, 2);
    indeterminate(harness, &store, AppendFault::IndeterminateLost, batch.clone()).await;
    assert!(log(&store).await.is_empty());
    let answer = append(&store, batch).await;
    assert_eq!((answer.position.get(), answer.replayed), (2, false));
}

/// When the batch was lost and its place is taken, the retry is a conflict.
pub async fn a_retry_loses_to_who_came_first<H: FaultyHarness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let batch = write("order-1", Expected::NoStream, 2);
    indeterminate(harness, &store, AppendFault::IndeterminateLost, batch.clone()).await;
    append(&store, write("order-1", Expected::NoStream, 1)).await;
    let error = refused(&store, batch).await;
    assert!(matches!(&error, AppendError::Conflict { actual, .. } if actual.get() == 1), "{error}");
}

/// There is no version to look at, so the idempotency record says where the batch stands.
pub async fn a_retry_at_any_version_is_found_by_its_record<H: FaultyHarness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let with_record = AppendBatch {
        idempotency: Some(record("k-1", "{\"id\":1}", later(60))),
        ..write("order-1", Expected::Any, 2)
    };
    indeterminate(harness, &store, AppendFault::IndeterminateLost, with_record.clone()).await;
    assert!(log(&store).await.is_empty());
    indeterminate(harness, &store, AppendFault::IndeterminateWritten, with_record.clone()).await;
    append(&store, write("order-1", exact(2), 1)).await;
    let answer = append(&store, with_record).await;
    assert_eq!((answer.position.get(), answer.versions[0].get(), answer.replayed), (2, 2, true));
    assert_eq!(log(&store).await.len(), 3);
}

async fn indeterminate<H: FaultyHarness<Store: EventStore>>(
    harness: &H,
    store: &H::Store,
    fault: AppendFault,
    batch: AppendBatch,
) {
    harness.fail_next(store, fault);
    let error = refused(store, batch).await;
    assert!(matches!(error, AppendError::Indeterminate(_)), "{error}");
}
