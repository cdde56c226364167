//! The least time between two batches.

use futures::future::pending;
use gallae_ports::{BoxFuture, Clock};
use std::{fmt, sync::Arc, time::Duration};

/// Keeps batches apart, counted from the beginning of one to that of the next. What comes after a rest never waits.
pub(crate) struct Pace {
    clock: Arc<dyn Clock>,
    least: Duration,
    rest: Option<BoxFuture<'static, ()>>,
}

impl Pace {
    pub(crate) fn new(clock: &Arc<dyn Clock>, least: Duration) -> Self {
        Self { clock: Arc::clone(clock), least, rest: None }
    }

    /// Whether the next batch may begin.
    pub(crate) fn is_due(&self) -> bool {
        self.rest.is_none()
    }

    /// Returns when the next batch may begin, and never if it may already.
    pub(crate) async fn due(&mut self) {
        match &mut self.rest {
            Some(rest) => rest.await,
            None => pending().await,
        }
        self.rest = None;
    }

    /// A batch begins.
    pub(crate) fn begin(&mut self) {
        if self.least > Duration::ZERO {
            self.rest = Some(self.clock.sleep(self.least));
        }
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").field("least", &self.least).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;
    use futures::FutureExt;

    const LEAST: Duration = Duration::from_millis(5);

    #[tokio::test(start_paused = true)]
    async fn batches_keep_their_distance_and_rest_makes_up_for_it() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut pace = Pace::new(&clock, LEAST);
        assert!(pace.is_due() && pace.due().now_or_never().is_none());
        pace.begin();
        assert!(!pace.is_due());
        tokio::time::advance(LEAST / 2).await;
        assert!(pace.due().now_or_never().is_none(), "too early");
        tokio::time::advance(LEAST).await;
        assert!(pace.due().now_or_never().is_some() && pace.is_due());
        let mut none = Pace::new(&clock, Duration::ZERO);
        none.begin();
        assert!(none.is_due());
    }
}
