//! The suite of [`CursorStore`].

use crate::Harness;
use gallae_core::Position;
use gallae_ports::CursorStore;

/// Every case of cursors.
#[macro_export]
macro_rules! cursor_store_suite {
    ($harness:expr) => {
        $crate::__suite! { cursor_store, $harness, [
            a_cursor_is_kept_by_its_name,
            a_cursor_belongs_to_the_newest_epoch,
        ] }
    };
}

/// Zero before it was ever saved.
pub async fn a_cursor_is_kept_by_its_name<H: Harness<Store: CursorStore>>(harness: &H) {
    let store = harness.fresh().await;
    assert_eq!(store.load_cursor("relay").await.unwrap(), Position::START);
    for position in [7, 12, 3] {
        assert!(store.save_cursor("relay", Position::new(position), 1).await.unwrap());
        assert_eq!(store.load_cursor("relay").await.unwrap(), Position::new(position), "backward is allowed");
    }
    assert!(store.save_cursor("중계", Position::new(9), 1).await.unwrap());
    assert_eq!(store.load_cursor("relay").await.unwrap(), Position::new(3));
}

/// Whoever was taken over moves nothing.
pub async fn a_cursor_belongs_to_the_newest_epoch<H: Harness<Store: CursorStore>>(harness: &H) {
    let store = harness.fresh().await;
    for (position, epoch, saved, stands) in [
        (5, 2, true, 5),
        (9, 1, false, 5),
        (6, 2, true, 6),
        (7, 4, true, 7),
        (8, 3, false, 7),
        (8, 2, false, 7),
    ] {
        let answer = store.save_cursor("relay", Position::new(position), epoch).await.unwrap();
        assert_eq!(answer, saved, "epoch {epoch}");
        assert_eq!(store.load_cursor("relay").await.unwrap(), Position::new(stands), "epoch {epoch}");
    }
    assert!(store.save_cursor("other", Position::new(1), 1).await.unwrap(), "each name has its own epoch");
}
