//! A bucket of tokens that fills with time.

use std::time::Duration;

/// Holds at most `most` tokens and gains `per_second`.
#[derive(Debug)]
pub(super) struct Tokens {
    per_second: f64,
    most: f64,
    left: f64,
    /// On the monotonic clock.
    filled: Duration,
}

impl Tokens {
    /// A full bucket.
    pub(super) fn new(per_second: f64, most: f64) -> Self {
        Self { per_second: per_second.max(1e-6), most, left: most, filled: Duration::ZERO }
    }

    /// How many there are.
    pub(super) fn left(&mut self, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.left = (self.left + passed * self.per_second).min(self.most);
        self.left
    }

    /// How long until there is one; `None` if there is one now.
    pub(super) fn wait(&mut self, now: Duration) -> Option<Duration> {
        let missing = 1.0 - self.left(now);
        // A billionth of a token is a matter of rounding, not of waiting.
        (missing > 1e-9)
            .then(|| Duration::from_secs_f64(missing / self.per_second).max(Duration::from_millis(1)))
    }

    pub(super) fn take(&mut self) {
        self.left -= 1.0;
    }

    pub(super) fn give(&mut self, tokens: f64) {
        self.left = (self.left + tokens).min(self.most);
    }
}
