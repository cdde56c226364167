//! Claims, idempotency records, inbox.

use crate::{
    Harness,
    sample::{NOW, append, batch, later, log, record, refused, write},
};
use gallae_core::Timestamp;
use gallae_ports::{AppendBatch, AppendError, Claim, EventStore, Expected, HeldClaim, InboxEntry};

/// Taken by one, refused to others with the owner's name, free again after a release.
pub async fn a_claim_is_held_until_it_is_released<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, claims(NOW, vec![take("email:kim", "user-1", None)])).await;
    let held = store.claim("email:kim", later(1_000_000)).await.unwrap();
    assert_eq!(held, Some(HeldClaim { owner: "user-1".into(), expires_at: None }));

    let second = AppendBatch {
        claims: vec![take("email:kim", "user-2", None)],
        ..write("user-2", Expected::NoStream, 1)
    };
    let error = refused(&store, second.clone()).await;
    let AppendError::ClaimTaken { key, owner, expires_at } = error else { panic!("{error}") };
    assert_eq!((key.as_str(), owner.as_str(), expires_at), ("email:kim", "user-1", None));
    assert!(log(&store).await.is_empty(), "a refused batch writes nothing");

    append(&store, claims(NOW, vec![release("email:kim", "user-1")])).await;
    assert_eq!(store.claim("email:kim", NOW).await.unwrap(), None);
    append(&store, second).await;
    assert_eq!(store.claim("email:kim", NOW).await.unwrap().unwrap().owner, "user-2");
}

/// Judged by the time of the batch that wants the key.
pub async fn a_claim_expires<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, claims(NOW, vec![take("window:1", "order-1", Some(later(10)))])).await;
    let error = refused(&store, claims(later(9), vec![take("window:1", "order-2", None)])).await;
    assert!(
        matches!(&error, AppendError::ClaimTaken { owner, expires_at, .. } if owner == "order-1" && *expires_at == Some(later(10))),
        "{error:?}"
    );
    assert!(store.claim("window:1", later(9)).await.unwrap().is_some());
    assert_eq!(store.claim("window:1", later(11)).await.unwrap(), None);
    append(&store, claims(later(11), vec![take("window:1", "order-2", Some(later(20)))])).await;
    assert_eq!(store.claim("window:1", later(12)).await.unwrap().unwrap().owner, "order-2");
}

/// The owner may take again, which replaces the expiry.
pub async fn a_claim_is_renewed_by_its_owner<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, claims(NOW, vec![take("window:1", "order-1", Some(later(10)))])).await;
    append(&store, claims(later(5), vec![take("window:1", "order-1", Some(later(30)))])).await;
    let held = store.claim("window:1", later(20)).await.unwrap();
    assert_eq!(held, Some(HeldClaim { owner: "order-1".into(), expires_at: Some(later(30)) }));
    refused(&store, claims(later(20), vec![take("window:1", "order-2", None)])).await;
}

/// Changes are applied in their order; two takers within a batch still exclude each other.
pub async fn a_claim_may_change_hands_within_a_batch<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, claims(NOW, vec![take("seat:1", "a", None)])).await;
    append(&store, claims(NOW, vec![release("seat:1", "a"), take("seat:1", "b", None)])).await;
    assert_eq!(store.claim("seat:1", NOW).await.unwrap().unwrap().owner, "b");
    let error =
        refused(&store, claims(NOW, vec![take("seat:2", "a", None), take("seat:2", "b", None)])).await;
    assert!(matches!(&error, AppendError::ClaimTaken { owner, .. } if owner == "a"), "{error:?}");
    assert_eq!(store.claim("seat:2", NOW).await.unwrap(), None, "the refused batch took nothing");
}

/// A release is no error and no theft.
pub async fn a_release_by_somebody_else_does_nothing<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, claims(NOW, vec![take("seat:1", "a", None)])).await;
    append(&store, claims(NOW, vec![release("seat:1", "b"), release("seat:9", "b")])).await;
    assert_eq!(store.claim("seat:1", NOW).await.unwrap().unwrap().owner, "a");
}

/// The second batch with a key is refused with what the first stored.
pub async fn an_idempotency_key_is_used_once<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let first = record("user:1|POST|/orders|k-1", "{\"id\":1}", later(60));
    let with = |record, name| AppendBatch { idempotency: Some(record), ..write(name, Expected::NoStream, 1) };
    append(&store, with(first.clone(), "order-1")).await;
    assert_eq!(store.idempotency(&first.key, NOW).await.unwrap().as_ref(), Some(&first));

    let mut second = record(&first.key, "{\"id\":2}", later(600));
    second.fingerprint = "another".into();
    let error = refused(&store, with(second, "order-2")).await;
    assert!(matches!(&error, AppendError::Duplicate(stored) if *stored == first), "{error:?}");
    assert_eq!(log(&store).await.len(), 1);
    append(&store, with(record("user:2|POST|/orders|k-1", "{}", later(60)), "order-3")).await;
}

/// Judged by the time of the batch that brings the key.
pub async fn an_idempotency_record_expires<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let with = |time, response, expires_at| AppendBatch {
        time,
        idempotency: Some(record("k-1", response, expires_at)),
        ..batch()
    };
    append(&store, with(NOW, "1", later(10))).await;
    assert!(store.idempotency("k-1", later(9)).await.unwrap().is_some());
    assert_eq!(store.idempotency("k-1", later(11)).await.unwrap(), None);
    refused(&store, with(later(9), "2", later(100))).await;
    append(&store, with(later(11), "2", later(100))).await;
    assert_eq!(store.idempotency("k-1", later(12)).await.unwrap().unwrap().response, "2");
}

/// A message counts once for each consumer.
pub async fn a_message_is_applied_once_per_consumer<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let apply = |consumer: &str, message: &str, name| AppendBatch {
        inbox: vec![InboxEntry { consumer: consumer.into(), message_id: message.into() }],
        ..write(name, Expected::NoStream, 1)
    };
    append(&store, apply("mailer", "m-1", "mail-1")).await;
    let error = refused(&store, apply("mailer", "m-1", "mail-2")).await;
    assert!(
        matches!(&error, AppendError::InboxDuplicate { consumer, message_id } if consumer == "mailer" && message_id == "m-1"),
        "{error:?}"
    );
    append(&store, apply("mailer", "m-2", "mail-3")).await;
    append(&store, apply("printer", "m-1", "mail-4")).await;
    assert_eq!(log(&store).await.len(), 3);
}

/// Expired rows go, at most so many of each kind at a time; others stay.
pub async fn purge_drops_what_has_expired<H: Harness<Store: EventStore>>(harness: &H) {
    const DAY: u64 = 24 * 60 * 60;
    let store = harness.fresh().await;
    let message = |n: u64| InboxEntry { consumer: "mailer".into(), message_id: format!("m-{n}") };
    for n in 0..4 {
        // One of four lives long.
        let expires_at = if n == 3 { later(30 * DAY) } else { later(10) };
        let full = AppendBatch {
            time: if n == 3 { later(8 * DAY) } else { NOW },
            idempotency: Some(record(&format!("k-{n}"), "{}", expires_at)),
            claims: vec![
                take(&format!("c-{n}"), "a", Some(expires_at)),
                take(&format!("ever-{n}"), "a", None),
            ],
            inbox: vec![message(n)],
            ..batch()
        };
        append(&store, full).await;
    }
    assert_eq!(store.purge(later(5), 100).await.unwrap(), 0, "nothing has expired");
    let week_later = later(8 * DAY);
    assert_eq!(store.purge(week_later, 2).await.unwrap(), 6, "two of each");
    assert_eq!(store.purge(week_later, 100).await.unwrap(), 3, "one left of each");
    assert_eq!(store.purge(week_later, 100).await.unwrap(), 0);
    assert!(store.idempotency("k-3", week_later).await.unwrap().is_some());
    assert!(store.claim("c-3", week_later).await.unwrap().is_some());
    assert!(store.claim("ever-0", week_later).await.unwrap().is_some());
    let again = |n| AppendBatch { inbox: vec![message(n)], ..batch() };
    append(&store, again(0)).await;
    refused(&store, again(3)).await;
}

fn claims(time: Timestamp, claims: Vec<Claim>) -> AppendBatch {
    AppendBatch { time, claims, ..batch() }
}

fn take(key: &str, owner: &str, expires_at: Option<Timestamp>) -> Claim {
    Claim::Take { key: key.into(), owner: owner.into(), expires_at }
}

fn release(key: &str, owner: &str) -> Claim {
    Claim::Release { key: key.into(), owner: owner.into() }
}
