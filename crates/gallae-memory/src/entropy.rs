//! Chance that repeats itself.

use gallae_ports::Entropy;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::{Builder, Uuid};

/// An [`Entropy`] for tests: the same seed gives the same ids and fractions, in the order in which they are asked for.
#[derive(Debug)]
pub struct SeededEntropy {
    made: AtomicU64,
    state: AtomicU64,
}

impl SeededEntropy {
    /// A source that depends on `seed` alone.
    pub const fn new(seed: u64) -> Self {
        Self { made: AtomicU64::new(0), state: AtomicU64::new(seed) }
    }

    /// SplitMix64. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 16.
    fn next(&self) -> u64 {
        const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.state.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn uuid(&self) -> Uuid {
        // The count takes the place of the milliseconds, so that later ids sort later.
        let count = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.next().to_be_bytes());
        random[8..].copy_from_slice(&self.next().to_be_bytes()[..2]);
        Builder::from_unix_timestamp_millis(count, &random).into_uuid()
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
    fn fraction(&self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_agree_and_others_do_not() {
        let [a, b, other] = [7, 7, 8].map(SeededEntropy::new);
        assert_eq!((a.uuid(), a.fraction()), (b.uuid(), b.fraction()));
        assert_ne!(a.uuid(), other.uuid());
    }

    #[test]
    fn ids_are_version_7_and_grow() {
        let entropy = SeededEntropy::new(1);
        let ids: Vec<Uuid> = (0..1000).map(|_| entropy.uuid()).collect();
        assert!(ids.is_sorted() && ids.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn fractions_spread_over_the_unit_interval() {
        let entropy = SeededEntropy::new(42);
        let mut tenths = [0; 10];
        for _ in 0..10_000 {
            let fraction = entropy.fraction();
            assert!((0.0..1.0).contains(&fraction));
            tenths[(fraction * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (800..1200).contains(count)), "{tenths:?}");
    }
}
