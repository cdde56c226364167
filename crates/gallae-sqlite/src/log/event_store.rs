//! The log's port.

use super::{SqliteLog, check, purge, records, sql::CorrelationKey, subscription};
use gallae_core::{CorrelationId, Position, RecordedEvent, StreamId, Timestamp, Version};
use gallae_ports::{
    AppendBatch, AppendError, Appended, BoxFuture, CheckDepth, CheckReport, EventPage, EventStore,
    EventStream, HeldClaim, IdempotencyRecord, ReadError, StoreFault, StreamInfo,
};
use std::{future::ready, sync::Arc, time::Duration};
use uuid::Uuid;

impl EventStore for SqliteLog {
    fn id(&self) -> Uuid {
        self.inner.id
    }

    fn append(&self, batch: AppendBatch) -> BoxFuture<'static, Result<Appended, AppendError>> {
        self.inner.writer.submitter().append(batch)
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, StoreFault>> {
        Box::pin(ready(Ok(*self.inner.head.borrow())))
    }

    fn stream_head(&self, stream: &StreamId) -> BoxFuture<'_, Result<Version, StoreFault>> {
        let stream = stream.clone();
        self.read("reading a stream's head", move |reader| reader.stream_head(&stream))
    }

    fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> BoxFuture<'_, Result<EventPage, ReadError>> {
        let stream = stream.clone();
        let page = self.read("reading a stream", move |reader| reader.stream_page(&stream, after, limit));
        Box::pin(async move {
            let page = page.await.map_err(ReadError::Unavailable)?;
            check_contiguous(after, &page)?;
            Ok(page)
        })
    }

    fn read_all(&self, after: Position, limit: usize) -> BoxFuture<'_, Result<EventPage, ReadError>> {
        let page = self.read("reading the log", move |reader| reader.log_page(after, limit, usize::MAX));
        Box::pin(async move {
            let page = page.await.map_err(ReadError::Unavailable)?;
            subscription::check_dense(after, &page)?;
            Ok(page)
        })
    }

    fn read_correlation(
        &self,
        correlation: &CorrelationId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<EventPage, ReadError>> {
        let key = CorrelationKey::from(correlation);
        let page =
            self.read("reading a correlation", move |reader| reader.correlation_page(&key, after, limit));
        Box::pin(async move { page.await.map_err(ReadError::Unavailable) })
    }

    fn subscribe(&self, after: Position) -> EventStream {
        subscription::subscribe(self, after)
    }

    fn list_streams(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StreamInfo>, StoreFault>> {
        let prefix = prefix.to_owned();
        let after = after.cloned();
        self.read("listing streams", move |reader| reader.streams(&prefix, after.as_ref(), limit))
    }

    fn idempotency(
        &self,
        key: &str,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<IdempotencyRecord>, StoreFault>> {
        let key = key.to_owned();
        self.read("reading an idempotency record", move |reader| {
            records::find_record(&reader.connection, &key, now)
        })
    }

    fn claim(&self, key: &str, now: Timestamp) -> BoxFuture<'_, Result<Option<HeldClaim>, StoreFault>> {
        let key = key.to_owned();
        self.read("reading a claim", move |reader| records::find_claim(&reader.connection, &key, now))
    }

    fn purge(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreFault>> {
        self.write("purging what has expired", move |connection| purge::purge(connection, now, limit))
    }

    fn check(&self, depth: CheckDepth) -> BoxFuture<'_, Result<CheckReport, StoreFault>> {
        match depth {
            CheckDepth::Tail => {
                self.read("checking the log's tail", move |reader| check::check(&reader.connection, depth))
            }
            // Takes long: not on a thread that others wait for.
            CheckDepth::Full => Box::pin(check::check_aside(self.inner.path.clone())),
        }
    }

    fn ping(&self) -> BoxFuture<'_, Result<Duration, StoreFault>> {
        let started = self.inner.clock.monotonic();
        let pong = self.inner.writer.submitter().ping();
        Box::pin(async move {
            pong.await?;
            Ok(self.inner.clock.monotonic().saturating_sub(started))
        })
    }
}

fn check_contiguous(after: Version, page: &[Arc<RecordedEvent>]) -> Result<(), ReadError> {
    let versions = (after.get().saturating_add(1)..).map(Version::new);
    let mut last = Position::START;
    for (event, version) in page.iter().zip(versions) {
        if event.version != version {
            return Err(ReadError::Gap { after: last, found: event.position });
        }
        last = event.position;
    }
    Ok(())
}

/// Long work, on a thread of its own so that no reader waits for it.
pub(super) fn aside<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> Result<T, StoreFault> + Send + 'static,
) -> impl Future<Output = Result<T, StoreFault>> + Send {
    let (reply, answer) = tokio::sync::oneshot::channel();
    let started = std::thread::Builder::new().name("gallae-log-aside".to_owned()).spawn(move || {
        let _ = reply.send(work());
    });
    async move {
        started.map_err(|error| StoreFault::new(doing).because(error))?;
        answer.await.unwrap_or_else(|_| Err(StoreFault::new(doing).because("its thread panicked")))
    }
}
