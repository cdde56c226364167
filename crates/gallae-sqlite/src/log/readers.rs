//! Threads that read, each with a connection of its own. A thread of our own costs a tiny read less than a blocking task does,
//! and keeps what it has learned: statements, stream names, event types.

use super::events::Names;
use crate::{OpenError, connection::open_reader, error::fault};
use gallae_ports::{BoxFuture, Pool, PoolRole, StoreFault};
use rusqlite::Connection;
use std::{
    collections::VecDeque,
    fmt,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
};
use tokio::sync::oneshot;

const THREADS: usize = 3;

/// The reading threads. Dropping this ends them after what they are at; reads still queued fail.
pub(super) struct Readers {
    queue: ReadQueue,
    threads: Vec<thread::JoinHandle<()>>,
}

/// What a read works with.
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) names: Names,
}

type Task = Box<dyn FnOnce(&mut Reader) + Send>;

/// The way to the readers; does not keep them alive.
#[derive(Clone)]
pub(super) struct ReadQueue {
    shared: Arc<Shared>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    /// One for each thread.
    wake: [Condvar; THREADS],
}

#[derive(Default)]
struct Waiting {
    tasks: VecDeque<Task>,
    /// Threads without work, the one that had some last at the end.
    idle: Vec<usize>,
    closed: bool,
}

impl Readers {
    pub(super) fn start(path: &Path) -> Result<Self, OpenError> {
        let shared = Shared { waiting: Mutex::default(), wake: [const { Condvar::new() }; THREADS] };
        let queue = ReadQueue { shared: Arc::new(shared) };
        let mut readers = Self { queue, threads: Vec::new() };
        for number in 0..THREADS {
            let mut reader = Reader { connection: open_reader(path)?, names: Names::new() };
            let shared = Arc::clone(&readers.queue.shared);
            let thread = thread::Builder::new().name("gallae-log-reader".to_owned()).spawn(move || {
                while let Some(task) = shared.next(number) {
                    task(&mut reader);
                }
            });
            let thread = thread.map_err(|error| OpenError::Failed {
                path: path.into(),
                source: StoreFault::new("starting a reader's thread").because(error),
            })?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    pub(super) fn queue(&self) -> &ReadQueue {
        &self.queue
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        let mut waiting = self.queue.shared.lock();
        waiting.closed = true;
        waiting.tasks.clear();
        drop(waiting);
        self.queue.shared.wake.iter().for_each(Condvar::notify_one);
        for thread in self.threads.drain(..) {
            // A reader that panicked has failed the read that it was at.
            let _ = thread.join();
        }
    }
}

impl ReadQueue {
    /// Runs `work` on a reading thread. Queued when called.
    pub(super) fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Reader) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreFault>> {
        let (reply, answer) = oneshot::channel();
        self.shared.push(Box::new(move |reader| {
            // Whoever no longer waits has dropped the other end.
            if !reply.is_closed() {
                let _ = reply.send(work(reader));
            }
        }));
        Box::pin(async move {
            match answer.await {
                Ok(result) => result.map_err(|error| fault(doing, error)),
                Err(_) => Err(StoreFault::new(doing).because("the log has been closed")),
            }
        })
    }

    pub(super) fn figures(&self, name: &'static str) -> Pool {
        let waiting = self.shared.lock();
        Pool::new(name, PoolRole::Read, THREADS, THREADS - waiting.idle.len(), waiting.tasks.len())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing can panic while the lock is held.
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Wakes the thread that had work last: who reads page after page is served by one that knows the names in them and holds
    /// the pages of the database that come next.
    fn push(&self, task: Task) {
        let mut waiting = self.lock();
        if waiting.closed {
            return;
        }
        waiting.tasks.push_back(task);
        let idle = waiting.idle.pop();
        drop(waiting);
        if let Some(number) = idle {
            self.wake[number].notify_one();
        }
    }

    fn next(&self, number: usize) -> Option<Task> {
        let mut waiting = self.lock();
        loop {
            if waiting.closed {
                return None;
            }
            if let Some(task) = waiting.tasks.pop_front() {
                waiting.idle.retain(|idle| *idle != number);
                return Some(task);
            }
            // Woken for a task that a busy thread took first, or for nothing: still idle.
            if !waiting.idle.contains(&number) {
                waiting.idle.push(number);
            }
            waiting = self.wake[number].wait(waiting).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }
}

impl fmt::Debug for ReadQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadQueue").finish_non_exhaustive()
    }
}
