//! What an event store remembers when it is opened again.

use crate::{
    DurableHarness,
    sample::{NOW, append, assert_dense, exact, later, log, record, refused, take, write},
};
use gallae_core::{Position, Version};
use gallae_ports::{AppendBatch, AppendError, Appended, CheckDepth, Claim, EventStore, Expected, InboxEntry};

/// Every case of closing and opening.
#[macro_export]
macro_rules! event_store_durability_suite {
    ($harness:expr) => {
        $crate::__suite! { event_store_durability, $harness, [
            events_and_records_are_still_there,
            positions_and_versions_go_on,
            a_retry_across_a_restart_is_replayed,
        ] }
    };
}

/// Whatever was acknowledged is there, under the same store id.
pub async fn events_and_records_are_still_there<H: DurableHarness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let id = store.id();
    let message = || InboxEntry { consumer: "mailer".into(), message_id: "m-1".into() };
    let full = AppendBatch {
        claims: vec![Claim::Take { key: "email:kim".into(), owner: "kim".into(), expires_at: None }],
        idempotency: Some(record("k-1", "{}", later(60))),
        inbox: vec![message()],
        ..write("order-1", Expected::NoStream, 3)
    };
    append(&store, full).await;
    let before = log(&store).await;
    let store = harness.reopen(store).await;
    assert_eq!(store.id(), id);
    let after = log(&store).await;
    assert_eq!(after.len(), 3);
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(
            (old.id, old.version, old.time, &old.payload),
            (new.id, new.version, new.time, &new.payload)
        );
        assert_eq!(old.metadata.get().unwrap(), new.metadata.get().unwrap());
    }
    assert_eq!(store.claim("email:kim", NOW).await.unwrap().unwrap().owner, "kim");
    assert!(store.idempotency("k-1", NOW).await.unwrap().is_some());
    let error =
        refused(&store, AppendBatch { inbox: vec![message()], ..write("a-1", Expected::NoStream, 1) }).await;
    assert!(matches!(error, AppendError::InboxDuplicate { .. }), "{error}");
    assert!(store.check(CheckDepth::Full).await.unwrap().damage.is_empty());
}

/// The log goes on where it stopped, for writers and for readers.
pub async fn positions_and_versions_go_on<H: DurableHarness<Store: EventStore>>(harness: &H) {
    let mut store = harness.fresh().await;
    for round in 0..5 {
        let appended = append(&store, write("order-1", exact(2 * round), 2)).await;
        assert_eq!(appended.position.get(), 2 * round + 2);
        store = harness.reopen(store).await;
        assert_eq!(store.head().await.unwrap().get(), 2 * round + 2);
    }
    let mut subscription = store.subscribe(Position::new(3));
    append(&store, write("order-1", exact(10), 1)).await;
    assert_dense(&take(&mut subscription, 8).await, Position::new(3));
}

/// The outcome of a batch can be asked for after a restart.
pub async fn a_retry_across_a_restart_is_replayed<H: DurableHarness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let batch = write("order-1", Expected::NoStream, 2);
    let answer = append(&store, batch.clone()).await;
    let store = harness.reopen(store).await;
    assert_eq!(append(&store, batch).await, Appended { replayed: true, ..answer });
    assert_eq!(log(&store).await.last().map(|event| event.version), Some(Version::new(2)));
}
