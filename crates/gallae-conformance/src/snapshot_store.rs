//! The suite of [`SnapshotStore`]. Saving need not be done when the call returns, so the cases wait for what they saved.

use crate::{
    Harness,
    sample::{stream, within},
};
use gallae_core::{StreamId, Version};
use gallae_ports::{Snapshot, SnapshotStore};
use std::time::Duration;

/// Every case of snapshots.
#[macro_export]
macro_rules! snapshot_store_suite {
    ($harness:expr) => {
        $crate::__suite! { snapshot_store, $harness, [
            a_snapshot_is_kept_for_its_stream_and_revision,
            an_older_snapshot_does_not_replace_a_newer_one,
            another_revision_replaces_whatever_there_was,
        ] }
    };
}

/// What was saved comes back, to who asks for the same stream and revision.
pub async fn a_snapshot_is_kept_for_its_stream_and_revision<H: Harness<Store: SnapshotStore>>(harness: &H) {
    let store = harness.fresh().await;
    let (a, b) = (stream("order-1"), stream("order-2"));
    assert_eq!(store.snapshot(&a, 1).await.unwrap(), None);
    save(&store, &a, 1, snapshot(10, "{\"총액\":1}")).await;
    assert_eq!(store.snapshot(&a, 2).await.unwrap(), None);
    assert_eq!(store.snapshot(&b, 1).await.unwrap(), None);
    save(&store, &a, 1, snapshot(20, "{}")).await;
}

/// Two writers may race; the newest wins.
pub async fn an_older_snapshot_does_not_replace_a_newer_one<H: Harness<Store: SnapshotStore>>(harness: &H) {
    let store = harness.fresh().await;
    let a = stream("order-1");
    save(&store, &a, 1, snapshot(10, "\"new\"")).await;
    store.save_snapshot(&a, 1, snapshot(5, "\"old\"")).await.unwrap();
    // Once a later save is visible, the earlier one has had its effect.
    save(&store, &stream("order-2"), 1, snapshot(1, "{}")).await;
    assert_eq!(store.snapshot(&a, 1).await.unwrap(), Some(snapshot(10, "\"new\"")));
}

/// A release that changed the aggregate's shape starts anew, wherever the old snapshot stood.
pub async fn another_revision_replaces_whatever_there_was<H: Harness<Store: SnapshotStore>>(harness: &H) {
    let store = harness.fresh().await;
    let a = stream("order-1");
    save(&store, &a, 1, snapshot(10, "1")).await;
    save(&store, &a, 2, snapshot(3, "2")).await;
}

fn snapshot(version: u64, state: &'static str) -> Snapshot {
    Snapshot { version: Version::new(version), state: state.into() }
}

async fn save(store: &impl SnapshotStore, stream: &StreamId, revision: u32, snapshot: Snapshot) {
    store.save_snapshot(stream, revision, snapshot.clone()).await.unwrap();
    within(async {
        while store.snapshot(stream, revision).await.unwrap().as_ref() != Some(&snapshot) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
