//! What the writer is asked to do, and the queue in which it waits.

use super::append::{Appender, Prepared, Stop};
use crate::load::WriterLoad;
use gallae_ports::{AppendBatch, AppendError, Appended, BoxFuture, Pool, StoreFault};
use rusqlite::Connection;
use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// What may wait in the queue, counting payloads and [`OVERHEAD`].
const QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// Counted for a request besides its payload.
const OVERHEAD: usize = 1024;

/// Advised when the queue is full: it drains in less.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(200);

/// A piece of work for the writer's transaction.
pub(super) enum Request {
    Append {
        prepared: Box<Prepared>,
        outcome: Option<Result<Appended, AppendError>>,
        reply: oneshot::Sender<Result<Appended, AppendError>>,
    },
    Work(Box<dyn Work>),
    Ping(oneshot::Sender<Result<(), StoreFault>>),
}

impl Request {
    /// Does the work inside the transaction; the answer waits for the commit.
    pub(super) fn perform(
        &mut self,
        connection: &Connection,
        appender: &mut Appender<'_>,
        proven: bool,
    ) -> rusqlite::Result<()> {
        match self {
            Self::Append { prepared, outcome, .. } => {
                *outcome = Some(match appender.append(prepared) {
                    Ok(appended) => Ok(appended),
                    Err(Stop::Refused(error)) => Err(error),
                    Err(Stop::Failed(error)) => return Err(error),
                });
            }
            Self::Work(work) => work.perform(connection)?,
            Self::Ping(_) if proven => {}
            Self::Ping(_) => {
                connection.prepare_cached("UPDATE store SET probed_at = probed_at + 1")?.execute([])?;
            }
        }
        Ok(())
    }

    /// Answers after the commit.
    pub(super) fn succeed(self) {
        // Whoever no longer waits has dropped the other end.
        match self {
            Self::Append { outcome, reply, .. } => {
                let unperformed = || Err(AppendError::Unavailable(StoreFault::new("appending to the log")));
                let _ = reply.send(outcome.unwrap_or_else(unperformed));
            }
            Self::Work(work) => work.succeed(),
            Self::Ping(reply) => {
                let _ = reply.send(Ok(()));
            }
        }
    }

    /// Answers after a transaction that failed.
    pub(super) fn fail(self, fault: impl Fn() -> StoreFault, nothing_written: bool) {
        match self {
            Self::Append { outcome, reply, .. } => {
                // What was refused was not written, however the commit ended.
                let refused = matches!(outcome, Some(Err(_)));
                let error = if nothing_written || refused {
                    AppendError::Unavailable(fault())
                } else {
                    AppendError::Indeterminate(fault())
                };
                let _ = reply.send(Err(error));
            }
            Self::Work(work) => work.fail(fault()),
            Self::Ping(reply) => {
                let _ = reply.send(Err(fault()));
            }
        }
    }
}

/// Any write that is not an append.
pub(super) trait Work: Send {
    /// May be called again after a neighbour failed.
    fn perform(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    fn succeed(self: Box<Self>);
    fn fail(self: Box<Self>, fault: StoreFault);
}

/// A closure as work.
pub(super) struct Closure<F, T> {
    doing: &'static str,
    work: F,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreFault>>,
}

impl<F, T> Closure<F, T> {
    pub(super) fn new(doing: &'static str, reply: oneshot::Sender<Result<T, StoreFault>>, work: F) -> Self {
        Self { doing, work, result: None, reply }
    }
}

impl<F, T: Send> Work for Closure<F, T>
where
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send,
{
    fn perform(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.result = Some((self.work)(connection)?);
        Ok(())
    }

    fn succeed(self: Box<Self>) {
        let doing = self.doing;
        let _ = self.reply.send(self.result.ok_or_else(|| StoreFault::new(doing)));
    }

    fn fail(self: Box<Self>, fault: StoreFault) {
        let _ = self.reply.send(Err(StoreFault::new(self.doing).because(fault)));
    }
}

/// Queues requests in the order of calls.
#[derive(Clone, Debug)]
pub(super) struct Submitter {
    sender: mpsc::Sender<Pending>,
    queue: Arc<Queue>,
}

/// What is in the queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    bytes: AtomicUsize,
    pub(super) load: WriterLoad,
}

/// A request in the queue.
pub(super) struct Pending {
    request: Request,
    bytes: usize,
    queue: Arc<Queue>,
}

impl Pending {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes it off the queue.
    pub(super) fn take(self) -> Request {
        self.queue.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.queue.load.taken();
        self.request
    }
}

impl Submitter {
    pub(super) fn new() -> (Self, mpsc::Receiver<Pending>) {
        let (sender, receiver) = mpsc::channel();
        (Self { sender, queue: Arc::default() }, receiver)
    }

    /// What is in it, for the writer.
    pub(super) fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }

    pub(super) fn figures(&self, name: &'static str) -> Pool {
        self.queue.load.figures(name)
    }

    fn submit(&self, request: Request, payload: usize) -> Result<(), StoreFault> {
        let bytes = payload + OVERHEAD;
        if self.queue.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > QUEUE_BYTES {
            self.queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(StoreFault::new("queueing for the writer: too much waits already")
                .retry_after(QUEUE_FULL_WAIT));
        }
        self.queue.load.queued();
        let pending = Pending { request, bytes, queue: Arc::clone(&self.queue) };
        self.sender.send(pending).map_err(|_| gone())
    }

    pub(super) fn append(&self, batch: AppendBatch) -> BoxFuture<'static, Result<Appended, AppendError>> {
        let prepared = match Prepared::new(batch) {
            Ok(prepared) => Box::new(prepared),
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let size = prepared.size();
        let (reply, answer) = oneshot::channel();
        if let Err(fault) = self.submit(Request::Append { prepared, outcome: None, reply }, size) {
            return Box::pin(ready(Err(AppendError::Unavailable(fault))));
        }
        Box::pin(async move { answer.await.unwrap_or_else(|_| Err(AppendError::Indeterminate(gone()))) })
    }

    pub(super) fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, StoreFault>> {
        let (reply, answer) = oneshot::channel();
        let submitted = self.submit(Request::Work(Box::new(Closure::new(doing, reply, work))), 0);
        Box::pin(async move {
            submitted?;
            answer.await.unwrap_or_else(|_| Err(gone()))
        })
    }

    pub(super) fn ping(&self) -> BoxFuture<'static, Result<(), StoreFault>> {
        let (reply, answer) = oneshot::channel();
        let submitted = self.submit(Request::Ping(reply), 0);
        Box::pin(async move {
            submitted?;
            answer.await.unwrap_or_else(|_| Err(gone()))
        })
    }
}

fn gone() -> StoreFault {
    StoreFault::new("asking the writer, which has ended: restart the process")
}
