//! How busy the log's connections are.

use super::SqliteLog;
use gallae_ports::{Pool, Pools};

const NAME: &str = "log";

impl Pools for SqliteLog {
    fn pools(&self) -> Vec<Pool> {
        vec![self.inner.writer.submitter().figures(NAME), self.inner.readers.queue().figures(NAME)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::SqliteOptions;
    use gallae_ports::PoolRole;
    use gallae_runtime::{SystemClock, SystemEntropy};
    use std::{
        sync::{Arc, Mutex, mpsc},
        time::Duration,
    };

    /// Work that lasts until the sender is dropped.
    fn held() -> (mpsc::Sender<()>, impl Fn() + Clone + Send + 'static) {
        let (release, wait) = mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        (release, move || assert!(wait.lock().unwrap().recv().is_err()))
    }

    fn until(log: &SqliteLog, wanted: [Pool; 2]) {
        for _ in 0..500 {
            if log.pools() == wanted {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(log.pools(), wanted);
    }

    #[test]
    fn figures_say_who_works_and_who_waits() {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteOptions {
            node: "n".to_owned(),
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy),
        };
        let log = SqliteLog::open(directory.path(), options).unwrap();
        let figures = |writing, write_waiting, reading, read_waiting| {
            [
                Pool::new(NAME, PoolRole::Write, 1, writing, write_waiting),
                Pool::new(NAME, PoolRole::Read, 3, reading, read_waiting),
            ]
        };
        until(&log, figures(0, 0, 0, 0));

        let (release, wait) = held();
        let read = || {
            let wait = wait.clone();
            log.read("waiting", move |_| {
                wait();
                Ok(())
            })
        };
        let reads: Vec<_> = (0..5).map(|_| read()).collect();
        until(&log, figures(0, 0, 3, 2));
        let write = || {
            let wait = wait.clone();
            log.write("waiting", move |_| {
                wait();
                Ok(())
            })
        };
        let first = write();
        until(&log, figures(1, 0, 3, 2));
        let writes: Vec<_> = std::iter::once(first).chain((0..3).map(|_| write())).collect();
        until(&log, figures(1, 3, 3, 2));

        drop(release);
        until(&log, figures(0, 0, 0, 0));
        drop((reads, writes));
    }
}
