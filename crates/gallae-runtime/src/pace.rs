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
    use futures::FutureExt;
    use gallae_core::Timestamp;
    use tokio::sync::Notify;

    /// Every sleep lasts until the test says so.
    #[derive(Debug, Default)]
    struct Alarm(Arc<Notify>);

    impl Clock for Alarm {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(0)
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            let ring = Arc::clone(&self.0);
            async move { ring.notified().await }.boxed()
        }
    }

    #[test]
    fn batches_keep_their_distance_and_what_comes_alone_does_not_wait() {
        let alarm = Alarm::default();
        let ring = Arc::clone(&alarm.0);
        let clock: Arc<dyn Clock> = Arc::new(alarm);
        let mut pace = Pace::new(&clock, Duration::from_millis(5));
        assert!(pace.is_due() && pace.due().now_or_never().is_none());
        pace.begin();
        assert!(!pace.is_due() && pace.due().now_or_never().is_none(), "too early");
        ring.notify_one();
        assert!(pace.due().now_or_never().is_some() && pace.is_due());
        let mut none = Pace::new(&clock, Duration::ZERO);
        none.begin();
        assert!(none.is_due());
    }
}
