//! The thread that writes.

use super::{generations, session::Session, trouble::Trouble};
use crate::OpenError;
use gallae_ports::StoreFault;
use std::{
    path::Path,
    thread::{self, JoinHandle},
};
use tokio::sync::{mpsc, oneshot};

/// Calls that wait at most; more callers wait to queue.
const QUEUE: usize = 256;
const BEGIN: &str = "BEGIN IMMEDIATE";

/// Queues work for the thread, and ends it when dropped.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(session: Session, path: &Path) -> Result<Self, OpenError> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("views-writer".to_owned())
            .spawn(move || write(session, jobs))
            .map_err(|error| OpenError::Failed {
                path: path.to_owned(),
                source: StoreFault::new("starting the thread that writes").because(error),
            })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs `work` in a transaction, perhaps with others, perhaps twice, and returns once it is committed.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Session) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { work, done: None, reply });
        let queue = self.queue.as_ref().ok_or(Trouble::Stopped)?;
        queue.send(job).await.map_err(|_| Trouble::Stopped)?;
        answer.await.map_err(|_| Trouble::Stopped)?
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

fn write(mut session: Session, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    drop_retired(&mut session, &jobs);
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        while group.len() < QUEUE
            && let Ok(next) = jobs.try_recv()
        {
            group.push(next);
        }
        commit(&mut session, group);
        drop_retired(&mut session, &jobs);
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

/// Drops what is left of retired generations, slice by slice: one at least, so that it ends under load too, and more while
/// nobody waits. The next start goes on with what is left at the end.
fn drop_retired(session: &mut Session, jobs: &mpsc::Receiver<Box<dyn Job>>) {
    while session.has_retired {
        match session.transact(BEGIN, generations::drop_slice) {
            Ok(true) if jobs.is_empty() && !jobs.is_closed() => {}
            Ok(_) => return,
            Err(trouble) => {
                let error: &dyn std::error::Error = &trouble;
                tracing::warn!(
                    error,
                    "rows of a replaced generation could not be dropped; the next write tries again"
                );
                return;
            }
        }
    }
}
