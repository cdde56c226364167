//! What the batcher is asked to do, and the queue in which it waits.

use super::prepared::Prepared;
use gallae_ports::{AppendBatch, AppendError, Appended, BoxFuture, StoreFault};
use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// What may wait in the queue, counting payloads and [`OVERHEAD`].
const QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// Counted for a request besides its payload.
const OVERHEAD: usize = 1024;

/// Advised when the queue is full: it drains in less.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(200);

type Answer = Result<Appended, AppendError>;

/// A piece of work for the batcher.
#[derive(Debug)]
pub(super) enum Request {
    Append(Waiting),
    Ping(oneshot::Sender<Result<(), StoreFault>>),
}

/// An append and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) prepared: Box<Prepared>,
    /// Since when.
    pub(super) since: Instant,
    reply: oneshot::Sender<Answer>,
    // Gives the place in the queue back.
    _place: Place,
}

impl Waiting {
    pub(super) fn answer(self, answer: Answer) {
        // Whoever no longer waits has dropped the other end.
        let _ = self.reply.send(answer);
    }
}

/// Bytes counted against [`QUEUE_BYTES`].
#[derive(Debug)]
struct Place {
    bytes: usize,
    queued: Arc<AtomicUsize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queued.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Queues requests in the order of calls.
#[derive(Clone, Debug)]
pub(super) struct Submitter {
    sender: mpsc::UnboundedSender<Request>,
    queued: Arc<AtomicUsize>,
}

impl Submitter {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Request>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender, queued: Arc::default() }, receiver)
    }

    pub(super) fn append(&self, batch: AppendBatch) -> BoxFuture<'static, Answer> {
        let prepared = match Prepared::new(batch) {
            Ok(prepared) => Box::new(prepared),
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let place = match self.place(prepared.size) {
            Ok(place) => place,
            Err(fault) => return Box::pin(ready(Err(AppendError::Unavailable(fault)))),
        };
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting { prepared, since: Instant::now(), reply, _place: place };
        if self.sender.send(Request::Append(waiting)).is_err() {
            return Box::pin(ready(Err(AppendError::Unavailable(gone()))));
        }
        Box::pin(async move { answer.await.unwrap_or_else(|_| Err(AppendError::Indeterminate(gone()))) })
    }

    pub(super) fn ping(&self) -> BoxFuture<'static, Result<(), StoreFault>> {
        let (reply, answer) = oneshot::channel();
        let sent = self.sender.send(Request::Ping(reply)).map_err(|_| gone());
        Box::pin(async move {
            sent?;
            answer.await.unwrap_or_else(|_| Err(gone()))
        })
    }

    fn place(&self, payload: usize) -> Result<Place, StoreFault> {
        let bytes = payload + OVERHEAD;
        let place = Place { bytes, queued: Arc::clone(&self.queued) };
        if self.queued.fetch_add(bytes, Ordering::Relaxed) + bytes > QUEUE_BYTES {
            return Err(StoreFault::new("queueing for the batcher: too much waits already")
                .retry_after(QUEUE_FULL_WAIT));
        }
        Ok(place)
    }
}

fn gone() -> StoreFault {
    StoreFault::new("asking the batcher, which has ended: restart the process")
}
