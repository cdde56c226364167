//! Virtual partitions: what nodes share sagas by.

use std::fmt;

/// How many partitions sagas are spread over.
pub const PARTITIONS: u16 = 256;

/// A set of partitions.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Partitions([u64; 4]);

impl Partitions {
    /// Every partition.
    pub const ALL: Self = Self([u64::MAX; 4]);
    /// None.
    pub const NONE: Self = Self([0; 4]);

    /// Adds a partition; one out of range is left out.
    pub fn insert(&mut self, partition: u16) {
        if let Some(word) = self.0.get_mut(usize::from(partition / 64)) {
            *word |= 1 << (partition % 64);
        }
    }

    /// Takes a partition out.
    pub fn remove(&mut self, partition: u16) {
        if let Some(word) = self.0.get_mut(usize::from(partition / 64)) {
            *word &= !(1 << (partition % 64));
        }
    }

    /// Whether a partition is in it.
    pub fn contains(&self, partition: u16) -> bool {
        self.0.get(usize::from(partition / 64)).is_some_and(|word| word & (1 << (partition % 64)) != 0)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether it is every partition, so that nothing need be filtered.
    pub fn is_all(&self) -> bool {
        *self == Self::ALL
    }

    /// The partitions, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        let this = *self;
        (0..PARTITIONS).filter(move |partition| this.contains(*partition))
    }
}

impl FromIterator<u16> for Partitions {
    fn from_iter<I: IntoIterator<Item = u16>>(partitions: I) -> Self {
        let mut set = Self::NONE;
        partitions.into_iter().for_each(|partition| set.insert(partition));
        set
    }
}

impl fmt::Debug for Partitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let set: Partitions = [0, 63, 64, 255, 256, 1_023].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 255], "there are 256");
        assert_eq!(
            (set.len(), set.contains(255), set.contains(254), set.contains(999)),
            (4, true, false, false)
        );
        let mut less = set;
        less.remove(63);
        less.remove(999);
        assert_eq!(less.len(), 3);
        assert!((0..PARTITIONS).collect::<Partitions>().is_all() && Partitions::NONE.is_empty());
    }
}
