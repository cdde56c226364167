//! The log's port.

use super::{
    PostgresLog, check, events, prepared::correlation_key, purge, read_facts, statement::integer,
    subscription,
};
use crate::{
    fault::Trouble,
    pool::{Param, Pool},
};
use gallae_core::{CorrelationId, Position, RecordedEvent, StreamId, Timestamp, Version};
use gallae_ports::{
    AppendBatch, AppendError, Appended, BoxFuture, CheckDepth, CheckReport, EventPage, EventStore,
    EventStream, HeldClaim, IdempotencyRecord, ReadError, StoreFault, StreamInfo,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

const STREAM_HEAD: &str = "SELECT version FROM @.events WHERE stream = $1 ORDER BY version DESC LIMIT 1";

const IDEMPOTENCY: &str = "SELECT key, fingerprint, response, expires_at FROM @.idempotency
    WHERE key = $1 AND expires_at > $2";

const CLAIM: &str = "SELECT owner, expires_at FROM @.claims
    WHERE key = $1 AND (expires_at IS NULL OR expires_at > $2)";

/// Hops from stream to stream along the index, and asks each for its last version.
const STREAMS: &str = "WITH RECURSIVE names AS (
        (SELECT stream, 1 AS n FROM @.events WHERE stream >= $1 AND stream > $2 ORDER BY stream LIMIT 1)
        UNION ALL
        SELECT next.stream, names.n + 1 FROM names, LATERAL (
            SELECT e.stream FROM @.events e WHERE e.stream > names.stream ORDER BY e.stream LIMIT 1) next
        WHERE names.n < $3
    )
    SELECT names.stream, last.version FROM names, LATERAL (
        SELECT e.version FROM @.events e WHERE e.stream = names.stream ORDER BY e.version DESC LIMIT 1) last
    ORDER BY names.n LIMIT $3";

impl EventStore for PostgresLog {
    fn id(&self) -> Uuid {
        self.store
    }

    fn append(&self, batch: AppendBatch) -> BoxFuture<'static, Result<Appended, AppendError>> {
        self.writer().append(batch)
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, StoreFault>> {
        Box::pin(self.reads.head())
    }

    fn stream_head(&self, stream: &StreamId) -> BoxFuture<'_, Result<Version, StoreFault>> {
        let stream = stream.clone();
        Box::pin(async move {
            const DOING: &str = "reading a stream's head";
            let rows = self.write_pool().read(DOING, STREAM_HEAD, &[(&stream.as_str(), Type::TEXT)]).await?;
            let version = rows.first().map(|row| number(row, 0)).transpose();
            Ok(Version::new(version.map_err(|trouble| trouble.into_fault(DOING))?.unwrap_or(0)))
        })
    }

    fn read_stream(
        &self,
        stream: &StreamId,
        after: Version,
        limit: usize,
    ) -> BoxFuture<'_, Result<EventPage, ReadError>> {
        let stream = stream.clone();
        Box::pin(async move {
            let (version, limit) = (integer(after.get()), rows_at_most(limit));
            let params: [Param<'_>; 3] =
                [(&stream.as_str(), Type::TEXT), (&version, Type::INT8), (&limit, Type::INT8)];
            let page = self.page(self.write_pool(), "reading a stream", events::OF_STREAM, &params).await?;
            check_contiguous(after, &page)?;
            Ok(page)
        })
    }

    fn read_all(&self, after: Position, limit: usize) -> BoxFuture<'_, Result<EventPage, ReadError>> {
        Box::pin(async move {
            let mut page = self.log_page(self.read_pool(), after, limit).await?;
            let end = page.last().map_or(after, |last| last.position);
            if page.len() < limit && end < self.tail.position() {
                // A standby is behind what this node has seen.
                page.extend(self.log_page(self.write_pool(), end, limit - page.len()).await?);
            }
            check_dense(after, &page)?;
            Ok(page)
        })
    }

    fn read_correlation(
        &self,
        correlation: &CorrelationId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<EventPage, ReadError>> {
        let key = correlation_key(correlation);
        Box::pin(async move {
            let (position, limit) = (integer(after.get()), rows_at_most(limit));
            let params: [Param<'_>; 3] = [(&key, Type::BYTEA), (&position, Type::INT8), (&limit, Type::INT8)];
            self.page(self.read_pool(), "reading a correlation", events::OF_CORRELATION, &params).await
        })
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
        let after = after.map_or_else(String::new, ToString::to_string);
        Box::pin(async move {
            const DOING: &str = "listing streams";
            let limit = rows_at_most(limit);
            let params: [Param<'_>; 3] = [(&prefix, Type::TEXT), (&after, Type::TEXT), (&limit, Type::INT8)];
            let rows = self.read_pool().read(DOING, STREAMS, &params).await?;
            let streams = rows.iter().map(stream_info);
            let streams = streams.take_while(|stream| match stream {
                Ok(stream) => stream.stream.as_str().starts_with(&prefix),
                Err(_) => true,
            });
            streams.collect::<Result<_, _>>().map_err(|trouble| trouble.into_fault(DOING))
        })
    }

    fn idempotency(
        &self,
        key: &str,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<IdempotencyRecord>, StoreFault>> {
        let key = key.to_owned();
        Box::pin(async move {
            const DOING: &str = "reading an idempotency record";
            let now = now.as_micros();
            let params: [Param<'_>; 2] = [(&key, Type::TEXT), (&now, Type::INT8)];
            let rows = self.write_pool().read(DOING, IDEMPOTENCY, &params).await?;
            let record = rows.first().map(read_facts::idempotency_record).transpose();
            record.map_err(|error| Trouble::Driver(error).into_fault(DOING))
        })
    }

    fn claim(&self, key: &str, now: Timestamp) -> BoxFuture<'_, Result<Option<HeldClaim>, StoreFault>> {
        let key = key.to_owned();
        Box::pin(async move {
            const DOING: &str = "reading a claim";
            let now = now.as_micros();
            let params: [Param<'_>; 2] = [(&key, Type::TEXT), (&now, Type::INT8)];
            let rows = self.write_pool().read(DOING, CLAIM, &params).await?;
            rows.first().map(held_claim).transpose().map_err(|trouble| trouble.into_fault(DOING))
        })
    }

    fn purge(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreFault>> {
        Box::pin(purge::purge(self.write_pool(), now, limit))
    }

    fn check(&self, depth: CheckDepth) -> BoxFuture<'_, Result<CheckReport, StoreFault>> {
        Box::pin(check::check(self.write_pool(), depth))
    }

    fn ping(&self) -> BoxFuture<'_, Result<Duration, StoreFault>> {
        let started = Instant::now();
        let pong = self.writer().ping();
        Box::pin(async move {
            pong.await?;
            Ok(started.elapsed())
        })
    }
}

impl PostgresLog {
    async fn log_page(&self, pool: &Pool, after: Position, limit: usize) -> Result<EventPage, ReadError> {
        let (position, limit) = (integer(after.get()), rows_at_most(limit));
        let params: [Param<'_>; 2] = [(&position, Type::INT8), (&limit, Type::INT8)];
        self.page(pool, "reading the log", events::OF_LOG, &params).await
    }

    async fn page(
        &self,
        pool: &Pool,
        doing: &'static str,
        statement: &'static str,
        params: &[Param<'_>],
    ) -> Result<EventPage, ReadError> {
        let rows = pool.read(doing, statement, params).await.map_err(ReadError::Unavailable)?;
        let page = self.reads.names.page(&rows);
        page.map_err(|trouble| ReadError::Unavailable(trouble.into_fault(doing)))
    }
}

/// A page size as a LIMIT.
pub(super) fn rows_at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A number that cannot be negative.
pub(super) fn number(row: &Row, column: usize) -> Result<u64, Trouble> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value)
        .map_err(|_| Trouble::Unreadable(format!("{value} is stored where no negative number can be")))
}

fn stream_info(row: &Row) -> Result<StreamInfo, Trouble> {
    Ok(StreamInfo { stream: events::stream_id(row.try_get(0)?)?, version: Version::new(number(row, 1)?) })
}

fn held_claim(row: &Row) -> Result<HeldClaim, Trouble> {
    let expires_at = row.try_get::<_, Option<i64>>(1)?.map(Timestamp::from_micros);
    Ok(HeldClaim { owner: row.try_get(0)?, expires_at })
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
