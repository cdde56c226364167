//! The thread that writes.

use super::{generations, session::Session, trouble::Trouble};
use crate::{OpenError, load::WriterLoad};
use gallae_ports::{Pool, StoreFault};
use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{self, TryRecvError},
    },
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;

/// Calls in one transaction at most.
const GROUP: usize = 256;
const BEGIN: &str = "BEGIN IMMEDIATE";

/// Queues work for the thread, and ends it when dropped. The queue is as long as the calls that wait for it.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    load: Arc<WriterLoad>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(session: Session, path: &Path) -> Result<Self, OpenError> {
        let (queue, jobs) = mpsc::channel();
        let load = Arc::<WriterLoad>::default();
        let own = Arc::clone(&load);
        let thread = thread::Builder::new()
            .name("views-writer".to_owned())
            .spawn(move || write(session, jobs, &own))
            .map_err(|error| OpenError::Failed {
                path: path.to_owned(),
                source: StoreFault::new("starting the thread that writes").because(error),
            })?;
        Ok(Self { queue: Some(queue), load, thread: Some(thread) })
    }

    /// Runs `work` in a transaction, perhaps with others, perhaps twice, and returns once it is committed.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Session) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { work, done: None, reply });
        let queue = self.queue.as_ref().ok_or(Trouble::Stopped)?;
        self.load.queued();
        queue.send(job).map_err(|_| Trouble::Stopped)?;
        answer.await.map_err(|_| Trouble::Stopped)?
    }

    pub(super) fn figures(&self, name: &'static str) -> Pool {
        self.load.figures(name)
    }
}

impl Drop for Writer {
    /// Waits until the queue is written, so that whoever opens the file next finds it at rest.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the views has panicked");
        }
    }
}

trait Job: Send {
    fn run(&mut self, session: &mut Session) -> Result<(), Trouble>;
    fn end(self: Box<Self>, committed: Result<(), Trouble>);
}

struct Task<T, F> {
    work: F,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, Trouble>>,
}

impl<T: Send, F: FnMut(&mut Session) -> Result<T, Trouble> + Send> Job for Task<T, F> {
    fn run(&mut self, session: &mut Session) -> Result<(), Trouble> {
        self.done = Some((self.work)(session)?);
        Ok(())
    }

    fn end(self: Box<Self>, committed: Result<(), Trouble>) {
        let Self { done, reply, .. } = *self;
        // Nobody may be waiting any more: a dropped future does not undo the call.
        let _ = reply.send(committed.and_then(|()| done.ok_or(Trouble::Stopped)));
    }
}

fn write(mut session: Session, jobs: mpsc::Receiver<Box<dyn Job>>, load: &WriterLoad) {
    loop {
        let first = match jobs.try_recv() {
            Ok(job) => Some(job),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) if session.has_retired => {
                drop_retired(&mut session);
                continue;
            }
            Err(TryRecvError::Empty) => jobs.recv().ok(),
        };
        let Some(first) = first else { return };
        load.at_work(true);
        let group = std::iter::once(first).chain(jobs.try_iter()).take(GROUP).inspect(|_| load.taken());
        commit(&mut session, group.collect());
        load.at_work(false);
        // So that it comes to an end even if there is always somebody waiting.
        if session.has_retired {
            drop_retired(&mut session);
        }
    }
}

/// One transaction for all. If it fails, it is undone and each gets its own, so that only the one at fault fails.
fn commit(session: &mut Session, mut group: Vec<Box<dyn Job>>) {
    let committed = session.transact(BEGIN, |session| group.iter_mut().try_for_each(|job| job.run(session)));
    match (committed, group.len()) {
        (Ok(()), _) => group.into_iter().for_each(|job| job.end(Ok(()))),
        (Err(trouble), 1) => group.remove(0).end(Err(trouble)),
        (Err(_), _) => group.into_iter().for_each(|job| commit(session, vec![job])),
    }
}

/// Drops a slice of what is left of retired generations.
fn drop_retired(session: &mut Session) {
    if let Err(trouble) = session.transact(BEGIN, generations::drop_slice) {
        session.has_retired = false;
        let error: &dyn std::error::Error = &trouble;
        tracing::warn!(
            error,
            "a replaced generation could not be dropped; the next rebuild or start tries again"
        );
    }
}
