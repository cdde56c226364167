//! The threads that read.

use super::{session::Session, trouble::Trouble};
use crate::{OpenError, connection::open_reader};
use gallae_ports::{Pool, PoolRole, StoreFault};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;

const THREADS: usize = 2;
const BEGIN: &str = "BEGIN";

type Job = Box<dyn FnOnce(&mut Session) + Send>;

/// Hands work to the thread with the least to do, and ends the threads when dropped. A queue is as long as the calls that
/// wait for it.
pub(super) struct Readers {
    readers: Vec<Reader>,
}

/// A thread with a queue of its own: one queue for all would wake two threads for each call.
struct Reader {
    queue: Option<mpsc::Sender<Job>>,
    waiting: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(path: &Path) -> Result<Self, OpenError> {
        let readers = (0..THREADS).map(|_| Reader::start(path)).collect::<Result<_, _>>()?;
        Ok(Self { readers })
    }

    /// Runs `work` on a snapshot.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (reply, answer) = oneshot::channel();
        let idlest = self.readers.iter().min_by_key(|reader| reader.waiting.load(Ordering::Relaxed));
        let reader = idlest.ok_or(Trouble::Stopped)?;
        reader.hand(Box::new(move |session| {
            // Nobody may be waiting any more.
            let _ = reply.send(session.transact(BEGIN, work));
        }))?;
        answer.await.map_err(|_| Trouble::Stopped)?
    }

    pub(super) fn figures(&self, name: &'static str) -> Pool {
        // The first call of a thread is the one that it is at.
        let calls = self.readers.iter().map(|reader| reader.waiting.load(Ordering::Relaxed));
        let (in_use, waiting) = calls.fold((0, 0), |(in_use, waiting), calls| {
            (in_use + calls.min(1), waiting + calls.saturating_sub(1))
        });
        Pool::new(name, PoolRole::Read, self.readers.len(), in_use, waiting)
    }
}

impl Reader {
    fn start(path: &Path) -> Result<Self, OpenError> {
        let mut session = Session::new(open_reader(path)?);
        let (queue, jobs) = mpsc::channel::<Job>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let done = Arc::clone(&waiting);
        let read = move || {
            for job in jobs {
                job(&mut session);
                done.fetch_sub(1, Ordering::Relaxed);
            }
        };
        let thread = thread::Builder::new().name("views-reader".to_owned()).spawn(read);
        let thread = thread.map_err(|error| OpenError::Failed {
            path: path.to_owned(),
            source: StoreFault::new("starting a thread that reads").because(error),
        })?;
        Ok(Self { queue: Some(queue), waiting, thread: Some(thread) })
    }

    fn hand(&self, job: Job) -> Result<(), Trouble> {
        let queue = self.queue.as_ref().ok_or(Trouble::Stopped)?;
        self.waiting.fetch_add(1, Ordering::Relaxed);
        queue.send(job).map_err(|_| Trouble::Stopped)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a thread that reads the views has panicked");
        }
    }
}
