//! A bounded memory of what was used lately.

use std::{collections::HashMap, hash::Hash};

/// Two generations: what is used moves to the young one; when that is full, the old one is forgotten. Cheaper than a list in
/// order of use, and as good here.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    capacity: usize,
}

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    /// Keeps at least the last `capacity` entries used, and at most about twice as many.
    pub(super) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), capacity }
    }

    pub(super) fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.young.insert(key, value.clone());
        Some(value)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.young.insert(key, value);
    }

    /// Forgets the old generation if the young one is full. Nothing is ever forgotten but here.
    pub(super) fn age(&mut self) {
        if self.young.len() >= self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let mut cache = Cache::new(10);
        for round in 0..100 {
            cache.insert(round, round);
            assert_eq!(cache.get(&0), Some(0), "in use, in round {round}");
            cache.age();
        }
        assert_eq!(cache.get(&1), None);
        assert!(cache.young.len() + cache.old.len() <= 21);
    }
}
