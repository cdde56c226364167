//! The same batch twice.

use crate::{
    Harness,
    sample::{NOW, append, batch, events, exact, later, log, record, refused, stream, write},
};
use gallae_core::Version;
use gallae_ports::{AppendBatch, AppendError, Appended, Claim, EventStore, Expected, Guard, InboxEntry};

/// Appending a batch that was written answers as the first time and writes nothing, however much came after.
pub async fn a_repeated_batch_is_replayed<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let first = write("order-1", Expected::NoStream, 2);
    let second = write("order-1", exact(2), 3);
    let answers = [append(&store, first.clone()).await, append(&store, second.clone()).await];
    append(&store, write("order-2", Expected::NoStream, 1)).await;
    append(&store, write("order-1", exact(5), 1)).await;
    for (batch, answer) in [first, second].into_iter().zip(answers) {
        assert_eq!(append(&store, batch).await, Appended { replayed: true, ..answer });
    }
    assert_eq!(log(&store).await.len(), 7);
}

/// A retry is recognised even when everything that the batch asked for now belongs to itself or has moved on.
pub async fn a_replay_comes_before_every_other_refusal<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("stock-1", Expected::NoStream, 1)).await;
    let full = AppendBatch {
        guards: vec![Guard { stream: stream("stock-1"), expected: exact(1) }],
        claims: vec![Claim::Take { key: "email:kim".into(), owner: "kim".into(), expires_at: None }],
        idempotency: Some(record("k-1", "{}", later(60))),
        inbox: vec![InboxEntry { consumer: "mailer".into(), message_id: "m-1".into() }],
        ..write("order-1", Expected::NoStream, 1)
    };
    let answer = append(&store, full.clone()).await;
    append(&store, write("stock-1", exact(1), 1)).await;
    let handed_on = AppendBatch {
        claims: vec![
            Claim::Release { key: "email:kim".into(), owner: "kim".into() },
            Claim::Take { key: "email:kim".into(), owner: "lee".into(), expires_at: None },
        ],
        ..batch()
    };
    append(&store, handed_on).await;
    assert_eq!(append(&store, full).await, Appended { replayed: true, ..answer });
    assert_eq!(store.claim("email:kim", NOW).await.unwrap().unwrap().owner, "lee", "a replay writes nothing");
}

/// Positions and versions of a replay are those of the whole batch.
pub async fn a_replay_knows_the_versions_of_every_stream<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("b-1", Expected::NoStream, 4)).await;
    let wide = batch()
        .stream(stream("a-1"), Expected::NoStream, events(2))
        .stream(stream("b-1"), exact(4), events(1))
        .stream(stream("c-1"), Expected::NoStream, events(3));
    let answer = append(&store, wide.clone()).await;
    assert_eq!((answer.position.get(), answer.versions.clone()), (10, [2, 5, 3].map(Version::new).to_vec()));
    append(&store, write("b-1", exact(5), 1)).await;
    assert_eq!(append(&store, wide).await, Appended { replayed: true, ..answer });
}

/// Without a version to look at, the record says where the batch began; another batch with its key is a duplicate.
pub async fn a_repeated_batch_at_any_version_is_replayed<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("order-1", Expected::NoStream, 3)).await;
    let any = || AppendBatch {
        idempotency: Some(record("k-1", "{}", later(60))),
        ..write("order-1", Expected::Any, 2)
    };
    let first = any();
    let answer = append(&store, first.clone()).await;
    append(&store, write("order-1", exact(5), 1)).await;
    assert_eq!(append(&store, first).await, Appended { replayed: true, ..answer });
    let error = refused(&store, any()).await;
    assert!(matches!(error, AppendError::Duplicate(_)), "{error}");
    assert_eq!(log(&store).await.len(), 6);
}

/// Somebody else's event at the place that the batch wanted is a conflict.
pub async fn another_event_at_the_same_place_is_a_conflict<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("order-1", Expected::NoStream, 1)).await;
    let error = refused(&store, write("order-1", Expected::NoStream, 1)).await;
    assert!(matches!(&error, AppendError::Conflict { actual, .. } if actual.get() == 1), "{error}");
    assert_eq!(log(&store).await.len(), 1);
}
