//! Every event after a position: from memory at the head, from the database behind it.

use super::{
    PostgresLog, Reads, event_store,
    tail::{Head, Tail},
};
use futures::stream;
use gallae_core::Position;
use gallae_ports::{BoxFuture, EventPage, EventStream, ReadError, StoreFault};
use std::sync::{Arc, Weak};
use tokio::sync::watch;
use uuid::Uuid;

/// A page from memory holds at most this many events.
const PAGE_EVENTS: usize = 1_000;

/// What a subscription owns. None of it keeps the log open: when its last handle goes, the head's channel closes.
struct Subscription {
    after: Position,
    /// The last event handed out.
    last: Option<Uuid>,
    head: watch::Receiver<Head>,
    tail: Weak<Tail>,
    reads: Arc<Reads>,
    history: u64,
    /// Whether `after` is known to be in the log.
    placed: bool,
    /// The page from the database after `after`, being read while the last one is used.
    ahead: Option<BoxFuture<'static, Result<EventPage, StoreFault>>>,
    ended: bool,
}

/// Starts a subscription.
pub(super) fn subscribe(log: &PostgresLog, after: Position) -> EventStream {
    let tail = &log.tail;
    let head = tail.subscribe();
    let history = head.borrow().history;
    let subscription = Subscription {
        after,
        last: None,
        head,
        tail: Arc::downgrade(tail),
        reads: Arc::clone(&log.reads),
        history,
        placed: false,
        ahead: None,
        ended: false,
    };
    Box::pin(stream::unfold(subscription, |mut subscription| async move {
        if subscription.ended {
            return None;
        }
        let item = subscription.next().await;
        subscription.ended = item.is_err();
        Some((item, subscription))
    }))
}

impl Subscription {
    async fn next(&mut self) -> Result<EventPage, ReadError> {
        if !self.placed {
            self.find_place().await?;
        }
        let head = self.head_beyond_after().await?;
        let page = match self.ahead.take() {
            Some(page) => self.page_from_database(page, head.position).await?,
            None => match head.recent.after(self.after, PAGE_EVENTS) {
                Some(page) => page,
                None => {
                    let page = self.reads.page_up_to(self.after, head.position);
                    self.page_from_database(page, head.position).await?
                }
            },
        };
        if let Some(last) = page.last() {
            self.after = last.position;
            self.last = Some(last.id.uuid());
        }
        Ok(page)
    }

    /// Another node may have read further than this one knows the log to reach: the primary knows.
    async fn find_place(&mut self) -> Result<(), ReadError> {
        if self.after > self.head.borrow().position {
            let head = self.reads.head().await.map_err(ReadError::Unavailable)?;
            if self.after > head {
                return Err(ReadError::Regressed { after: self.after, head });
            }
            if let Some(tail) = self.tail.upgrade() {
                tail.heard(head);
            }
        }
        self.placed = true;
        Ok(())
    }

    /// Waits until there is something to read.
    async fn head_beyond_after(&mut self) -> Result<Head, ReadError> {
        loop {
            let head = self.head.borrow_and_update().clone();
            if head.history != self.history {
                self.check_history(&head).await?;
            }
            if head.position > self.after {
                return Ok(head);
            }
            if self.head.changed().await.is_err() {
                let closed = StoreFault::new("following the log").because("the log has been closed");
                return Err(ReadError::Unavailable(closed));
            }
        }
    }

    /// After the log has lost its end: whether what was handed out is still in it.
    async fn check_history(&mut self, head: &Head) -> Result<(), ReadError> {
        let regressed = ReadError::Regressed { after: self.after, head: head.position };
        if self.after > head.position {
            return Err(regressed);
        }
        if let Some(last) = self.last {
            let found = self.reads.id_at(self.after).await.map_err(ReadError::Unavailable)?;
            if found != Some(last) {
                return Err(regressed);
            }
        }
        self.ahead = None;
        self.history = head.history;
        Ok(())
    }

    /// Takes a page that is being read, and begins to read the next one if there is more.
    async fn page_from_database(
        &mut self,
        page: BoxFuture<'static, Result<EventPage, StoreFault>>,
        head: Position,
    ) -> Result<EventPage, ReadError> {
        let after = self.after;
        let page = page.await.map_err(ReadError::Unavailable)?;
        event_store::check_dense(after, &page)?;
        if page.is_empty() {
            // What was there, `head`, no longer is.
            tracing::error!(%after, %head, "the log ends before its head");
            return Err(ReadError::Regressed { after: head, head: after });
        }
        let last = page.last().map(|last| last.position).filter(|last| *last < head);
        self.ahead = last.map(|last| self.reads.page_up_to(last, head));
        Ok(page)
    }
}
