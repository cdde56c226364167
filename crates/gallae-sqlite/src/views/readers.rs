//! The threads that read.

use super::{session::Session, trouble::Trouble};
use crate::{OpenError, connection::open_reader};
use gallae_ports::StoreFault;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};
use tokio::sync::{mpsc, oneshot};

const THREADS: usize = 2;
/// Calls that wait at most; more callers wait to queue.
const QUEUE: usize = 1024;
const BEGIN: &str = "BEGIN";

type Job = Box<dyn FnOnce(&mut Session) + Send>;

/// Queues work for the threads, and ends them when dropped.
pub(super) struct Readers {
    queue: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(path: &Path) -> Result<Self, OpenError> {
        let (queue, jobs) = mpsc::channel::<Job>(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut readers = Self { queue: Some(queue), threads: Vec::new() };
        for _ in 0..THREADS {
            let (mut session, jobs) = (Session::new(open_reader(path)?), Arc::clone(&jobs));
            let next = move || jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
            let thread = thread::Builder::new()
                .name("views-reader".to_owned())
                .spawn(move || {
                    while let Some(job) = next() {
                        job(&mut session);
                    }
                })
                .map_err(|error| OpenError::Failed {
                    path: path.to_owned(),
                    source: StoreFault::new("starting a thread that reads").because(error),
                })?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Runs `work` on a snapshot.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |session| {
            // Nobody may be waiting any more.
            let _ = reply.send(session.transact(BEGIN, work));
        });
        let queue = self.queue.as_ref().ok_or(Trouble::Stopped)?;
        queue.send(job).await.map_err(|_| Trouble::Stopped)?;
        answer.await.map_err(|_| Trouble::Stopped)?
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that reads the views has panicked");
            }
        }
    }
}
