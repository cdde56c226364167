//! Recently written views, so that a busy key is not loaded for every batch.

use gallae_core::{Position, ViewKey};
use std::collections::HashMap;

/// A view as it stands in the store.
#[derive(Clone, Debug)]
pub(super) struct Held<V> {
    /// None when the store holds no such view.
    pub(super) view: Option<V>,
    /// The last source position folded into it.
    pub(super) changed_at: Position,
}

/// At most about `capacity` views, the least recently written dropped first: two halves, of which the older is dropped
/// whole when the younger is full. Right only for the one writer of a generation.
#[derive(Debug)]
pub(super) struct Cache<V> {
    young: HashMap<ViewKey, Held<V>>,
    old: HashMap<ViewKey, Held<V>>,
    half: usize,
}

impl<V> Cache<V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: capacity / 2 }
    }

    /// Takes a view out: what is being changed is not cached until the change is committed.
    pub(super) fn take(&mut self, key: &ViewKey) -> Option<Held<V>> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    pub(super) fn insert(&mut self, key: ViewKey, held: Held<V>) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, held);
    }

    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_written_go_first() {
        let mut cache = Cache::new(4);
        let held = |n| Held { view: Some(n), changed_at: Position::new(n) };
        for n in 0..6 {
            cache.insert(ViewKey::from(n.to_string()), held(n));
        }
        let mut present = |n: u64| cache.take(&ViewKey::from(n.to_string())).and_then(|held| held.view);
        assert_eq!((present(0), present(1), present(2)), (None, None, Some(2)));
        assert_eq!(present(5), Some(5));
        assert_eq!(present(5), None, "taken is gone");
    }
}
