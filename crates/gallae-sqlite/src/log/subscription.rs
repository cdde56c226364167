//! Every event after a position: from memory at the head, from disk behind it.

use super::{
    SqliteLog,
    readers::{ReadQueue, Reader},
};
use futures::stream;
use gallae_core::Position;
use gallae_ports::{BoxFuture, EventPage, EventStream, ReadError, RecentEvents, StoreFault};
use std::sync::Arc;
use tokio::sync::watch;

/// A page from disk holds at most this many events, and not many more bytes than this.
const PAGE_EVENTS: usize = 1_000;
const PAGE_BYTES: usize = 2 * 1024 * 1024;

/// What a subscription owns. None of it keeps the log open: when its last handle goes, the head's channel closes.
struct Subscription {
    after: Position,
    head: watch::Receiver<Position>,
    recent: Arc<RecentEvents>,
    readers: ReadQueue,
    /// The page from disk after `after`, being read while the last one is used.
    ahead: Option<BoxFuture<'static, Result<EventPage, StoreFault>>>,
    ended: bool,
}

/// Starts a subscription.
pub(super) fn subscribe(log: &SqliteLog, after: Position) -> EventStream {
    let subscription = Subscription {
        after,
        head: log.inner.head.clone(),
        recent: Arc::clone(&log.inner.recent),
        readers: log.inner.readers.queue().clone(),
        ahead: None,
        ended: false,
    };
    let head = *subscription.head.borrow();
    if head < after {
        return Box::pin(stream::iter([Err(ReadError::Regressed { after, head })]));
    }
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
        let head = self.head_beyond_after().await?;
        let page = match self.ahead.take() {
            Some(page) => self.page_from_disk(page, head).await?,
            None => match self.recent.after(self.after, PAGE_EVENTS) {
                Some(page) => page,
                None => self.page_from_disk(self.read(self.after), head).await?,
            },
        };
        if let Some(last) = page.last() {
            self.after = last.position;
        }
        Ok(page)
    }

    /// Waits until there is something to read.
    async fn head_beyond_after(&mut self) -> Result<Position, ReadError> {
        loop {
            let head = *self.head.borrow_and_update();
            if head > self.after {
                return Ok(head);
            }
            if self.head.changed().await.is_err() {
                let closed = StoreFault::new("following the log").because("the log has been closed");
                return Err(ReadError::Unavailable(closed));
            }
        }
    }

    fn read(&self, after: Position) -> BoxFuture<'static, Result<EventPage, StoreFault>> {
        let work = move |reader: &mut Reader| reader.log_page(after, PAGE_EVENTS, PAGE_BYTES);
        self.readers.read("reading the log", work)
    }

    /// Takes a page that is being read, and begins to read the next one if there is more.
    async fn page_from_disk(
        &mut self,
        page: BoxFuture<'static, Result<EventPage, StoreFault>>,
        head: Position,
    ) -> Result<EventPage, ReadError> {
        let after = self.after;
        let page = page.await.map_err(ReadError::Unavailable)?;
        check_dense(after, &page)?;
        if page.is_empty() {
            // What was there, `head`, no longer is.
            tracing::error!(%after, %head, "the log ends before its head");
            return Err(ReadError::Regressed { after: head, head: after });
        }
        self.ahead = page.last().filter(|last| last.position < head).map(|last| self.read(last.position));
        Ok(page)
    }
}

/// Refuses a page whose positions do not follow `after` one by one.
pub(super) fn check_dense(after: Position, page: &EventPage) -> Result<(), ReadError> {
    let mut last = after;
    for event in page {
        if event.position != last.next() {
            return Err(ReadError::Gap { after: last, found: event.position });
        }
        last = event.position;
    }
    Ok(())
}
