//! The suite of [`DeadLetterStore`].

use crate::{
    Harness,
    sample::{NOW, later},
};
use gallae_core::{Position, ViewKey};
use gallae_ports::{DeadLetter, DeadLetterStore};

/// Every case of dead letters.
#[macro_export]
macro_rules! dead_letter_store_suite {
    ($harness:expr) => {
        $crate::__suite! { dead_letter_store, $harness, [
            letters_are_listed_in_position_order,
            parking_again_changes_the_error_and_the_attempts,
            keys_are_parked_per_projection,
            letters_are_discarded_up_to_a_position,
        ] }
    };
}

/// Of all projections or one, of all keys or one.
pub async fn letters_are_listed_in_position_order<H: Harness<Store: DeadLetterStore>>(harness: &H) {
    let store = harness.fresh().await;
    let parked = [
        letter("orders", "b", 9),
        letter("users", "a", 7),
        letter("orders", "a", 3),
        letter("orders", "b", 5),
    ];
    store.park(parked.to_vec()).await.unwrap();
    let list = async |projection, key: Option<&str>, limit| {
        let key = key.map(ViewKey::from);
        let letters = store.dead_letters(projection, key.as_ref(), limit).await.unwrap();
        letters.into_iter().map(|letter| letter.position.get()).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, 10).await, [3, 5, 7, 9]);
    assert_eq!(list(Some("orders"), None, 10).await, [3, 5, 9]);
    assert_eq!(list(Some("orders"), None, 2).await, [3, 5]);
    assert_eq!(list(Some("orders"), Some("b"), 10).await, [5, 9]);
    assert_eq!(list(None, Some("a"), 10).await, [3, 7]);
    assert!(list(Some("books"), None, 10).await.is_empty());
    let first = store.dead_letters(Some("users"), None, 1).await.unwrap();
    assert_eq!(first, [parked[1].clone()], "every field comes back");
}

/// When an event was first parked, and where it belongs, stays.
pub async fn parking_again_changes_the_error_and_the_attempts<H: Harness<Store: DeadLetterStore>>(
    harness: &H,
) {
    let store = harness.fresh().await;
    let first = letter("orders", "a", 3);
    store.park(vec![first.clone()]).await.unwrap();
    let again = DeadLetter {
        key: "b".into(),
        event_type: "Other".into(),
        error: "다른 오류".into(),
        attempts: 4,
        parked_at: later(60),
        ..first.clone()
    };
    store.park(vec![again.clone()]).await.unwrap();
    let expected = DeadLetter { error: again.error, attempts: 4, ..first };
    assert_eq!(store.dead_letters(None, None, 10).await.unwrap(), [expected]);
}

/// A key is named once however much waits behind it.
pub async fn keys_are_parked_per_projection<H: Harness<Store: DeadLetterStore>>(harness: &H) {
    let store = harness.fresh().await;
    let parked = vec![
        letter("orders", "b", 1),
        letter("orders", "a", 2),
        letter("orders", "b", 3),
        letter("users", "c", 4),
    ];
    store.park(parked).await.unwrap();
    let mut keys = store.parked_keys("orders").await.unwrap();
    keys.sort();
    assert_eq!(keys, ["a", "b"].map(ViewKey::from));
    assert_eq!(store.parked_keys("users").await.unwrap(), [ViewKey::from("c")]);
    assert!(store.parked_keys("books").await.unwrap().is_empty());
}

/// Of one projection and key; the rest stays.
pub async fn letters_are_discarded_up_to_a_position<H: Harness<Store: DeadLetterStore>>(harness: &H) {
    let store = harness.fresh().await;
    let mut parked: Vec<_> = [2, 4, 6].map(|position| letter("orders", "a", position)).to_vec();
    parked.extend([letter("orders", "b", 1), letter("users", "a", 1)]);
    store.park(parked).await.unwrap();
    let key = ViewKey::from("a");
    assert_eq!(store.discard("orders", &key, Position::new(1)).await.unwrap(), 0);
    assert_eq!(store.discard("orders", &key, Position::new(4)).await.unwrap(), 2);
    assert_eq!(store.discard("orders", &key, Position::new(4)).await.unwrap(), 0);
    let left = store.dead_letters(None, None, 10).await.unwrap();
    let mut left: Vec<_> = left
        .iter()
        .map(|letter| (letter.projection.as_str(), letter.key.as_str(), letter.position.get()))
        .collect();
    left.sort_unstable();
    assert_eq!(left, [("orders", "a", 6), ("orders", "b", 1), ("users", "a", 1)]);
}

fn letter(projection: &str, key: &str, position: u64) -> DeadLetter {
    DeadLetter {
        projection: projection.into(),
        key: key.into(),
        position: Position::new(position),
        event_type: "OrderCreated".into(),
        error: "a price is missing".into(),
        attempts: 1,
        parked_at: NOW,
    }
}
