//! When memory is worth asking.

/// How often others have written in between.
#[derive(Debug, Default)]
pub(super) struct Misses {
    /// Of the last groups, weighted to the present.
    rate: f64,
    /// Groups since.
    careful: u32,
}

impl Misses {
    /// From this rate on a group is not decided from memory.
    const OFTEN: f64 = 0.1;
    /// After so many careful groups memory gets another chance.
    const LATER: u32 = 64;

    pub(super) fn note(&mut self, missed: bool) {
        self.rate = self.rate * 0.95 + if missed { 0.05 } else { 0.0 };
    }

    pub(super) fn often(&mut self) -> bool {
        if self.rate < Self::OFTEN {
            return false;
        }
        self.careful += 1;
        if self.careful >= Self::LATER {
            self.careful = 0;
            return false;
        }
        true
    }
}
