//! A clock that stands still.

use futures::FutureExt;
use gallae_core::Timestamp;
use gallae_ports::{BoxFuture, Clock};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

/// A [`Clock`] for tests: time moves only by [`advance`](Self::advance).
#[derive(Debug)]
pub struct ManualClock {
    start: Timestamp,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    elapsed: Duration,
    sleepers: Vec<Sleeper>,
}

#[derive(Debug)]
struct Sleeper {
    until: Duration,
    wake: oneshot::Sender<()>,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self { start, inner: Mutex::default() }
    }

    /// Moves time on and wakes whoever has slept enough, the earliest first and, among equals, in the order in which they
    /// fell asleep. What they do then they do at the new time.
    pub fn advance(&self, duration: Duration) {
        let mut inner = self.inner();
        inner.elapsed += duration;
        let now = inner.elapsed;
        let (mut due, asleep): (Vec<_>, Vec<_>) =
            std::mem::take(&mut inner.sleepers).into_iter().partition(|sleeper| sleeper.until <= now);
        inner.sleepers = asleep;
        drop(inner);
        due.sort_by_key(|sleeper| sleeper.until);
        for sleeper in due {
            // Nobody waits any more when the sleep was dropped.
            let _ = sleeper.wake.send(());
        }
    }

    /// How many sleeps are being waited for: lets a test know that a task has come to rest.
    pub fn sleepers(&self) -> usize {
        self.inner().sleepers.iter().filter(|sleeper| !sleeper.wake.is_closed()).count()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.start.after(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.inner().elapsed
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration.is_zero() {
            return async {}.boxed();
        }
        let (wake, woken) = oneshot::channel();
        let mut inner = self.inner();
        let until = inner.elapsed + duration;
        inner.sleepers.push(Sleeper { until, wake });
        async move {
            if woken.await.is_err() {
                // The clock is gone, so its time never comes.
                std::future::pending::<()>().await;
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn sleepers_wake_in_order_and_only_by_advance() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(5)));
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for seconds in [3, 1, 2, 1] {
            let (sleep, woken) = (clock.sleep(Duration::from_secs(seconds)), Arc::clone(&woken));
            tasks.push(async move {
                sleep.await;
                woken.lock().unwrap().push(seconds);
            });
        }
        let all = tokio::task::LocalSet::new();
        let tasks: Vec<_> = tasks.into_iter().map(|task| all.spawn_local(task)).collect();
        all.run_until(async {
            tokio::task::yield_now().await;
            assert_eq!((clock.sleepers(), woken.lock().unwrap().len()), (4, 0));
            clock.advance(Duration::from_secs(2));
            while woken.lock().unwrap().len() < 3 {
                tokio::task::yield_now().await;
            }
            assert_eq!(*woken.lock().unwrap(), [1, 1, 2]);
            assert_eq!((clock.sleepers(), clock.now()), (1, Timestamp::from_micros(2_000_005)));
            clock.advance(Duration::from_secs(1));
            for task in tasks {
                task.await.unwrap();
            }
        })
        .await;
        assert_eq!(clock.monotonic(), Duration::from_secs(3));
    }

    #[test]
    fn dropped_sleeps_are_not_counted() {
        let clock = ManualClock::new(Timestamp::default());
        drop(clock.sleep(Duration::from_secs(1)));
        assert_eq!(clock.sleepers(), 0);
        clock.advance(Duration::from_secs(2));
    }
}
