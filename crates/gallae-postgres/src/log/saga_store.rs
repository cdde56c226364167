//! Saga rows, timers and effects, read. What drives instances comes from the primary, what shows them from a standby.

use super::{
    PostgresLog,
    event_store::{number, rows_at_most},
    statement::integer,
};
use crate::{
    fault::Trouble,
    pool::{Param, Pool},
};
use gallae_core::{
    CorrelationId, SagaId, Timestamp, Version,
    saga::{Cause, Direction, SagaStatus},
};
use gallae_ports::{
    BoxFuture, DueTimers, EarlyMessage, EffectRow, EffectState, LiveVersion, Partitions, SagaCount,
    SagaFilter, SagaRow, SagaStore, StoreFault, TimerKind, TimerRow,
};
use std::{error::Error as StdError, fmt::Write as _};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

macro_rules! saga_columns {
    () => {
        "id, definition, definition_version, definition_hash, business_key, status, cause, step, reason, version,
            partition, epoch, next_due, deadline, correlation, \"user\", started_at, updated_at"
    };
}
macro_rules! timers {
    ($rest:literal) => {
        concat!("SELECT saga, timer, partition, kind, fire_at, fail_count FROM @.timers ", $rest)
    };
}

const SAGA: &str = concat!("SELECT ", saga_columns!(), " FROM @.sagas WHERE id = $1");
const COUNTS: &str = "SELECT definition, status, count(*), min(updated_at) FROM @.sagas
    GROUP BY definition, status ORDER BY definition, status";
const DUE: &str = "SELECT saga, timer, partition, kind, fire_at, fail_count FROM (
        SELECT t.*, row_number() OVER (PARTITION BY s.definition
            ORDER BY t.fail_count, t.fire_at, t.saga, t.timer) AS place
        FROM @.timers t LEFT JOIN @.sagas s ON s.id = t.saga
        WHERE t.fire_at <= $1 AND t.partition = ANY ($2)) due
    WHERE place <= $3 ORDER BY fail_count, fire_at, saga, timer LIMIT $4";
const NEXT: &str = "SELECT min(fire_at) FROM @.timers WHERE partition = ANY ($1)";
const LIVE: &str =
    "SELECT definition, definition_version, definition_hash, count(*) FROM @.sagas WHERE ended IS NULL
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
macro_rules! unknown {
    () => {
        "FROM @.effects e WHERE state = 'unknown'
            AND EXISTS (SELECT FROM @.sagas s WHERE s.id = e.saga AND s.ended IS NULL)"
    };
}
const UNKNOWN: &str = concat!(
    "SELECT saga, key, step, direction, request_hash, state, first_sent_at, attempts, response, epoch ",
    unknown!(),
    " ORDER BY first_sent_at, number LIMIT $1"
);
const COUNT_UNKNOWN: &str = concat!("SELECT count(*) ", unknown!());
const EARLY: &str = "SELECT saga, message_id, signal, payload, expires_at FROM @.early_messages
    WHERE saga = $1 AND expires_at > $2 ORDER BY number";
const TIMERS: &str = timers!("WHERE saga = $1 ORDER BY fire_at, timer");
const EFFECTS: &str =
    "SELECT saga, key, step, direction, request_hash, state, first_sent_at, attempts, response, epoch
    FROM @.effects WHERE saga = $1 ORDER BY first_sent_at, number";

impl SagaStore for PostgresLog {
    fn saga(&self, id: SagaId) -> BoxFuture<'_, Result<Option<SagaRow>, StoreFault>> {
        Box::pin(async move {
            const DOING: &str = "reading a saga";
            let id = id.uuid();
            let rows = self.write_pool().read(DOING, SAGA, &[(&id, Type::UUID)]).await?;
            rows.first().map(|row| saga_row(row, 0)).transpose().map_err(|trouble| trouble.into_fault(DOING))
        })
    }

    fn sagas(
        &self,
        filter: &SagaFilter,
        offset: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<(Vec<SagaRow>, u64), StoreFault>> {
        let listing = Listing::new(filter, offset, limit);
        // A search for instances that have not moved is a sweep, and sweeps decide.
        let pool = if filter.updated_before.is_some() { self.write_pool() } else { self.read_pool() };
        Box::pin(async move { listing.find(pool).await })
    }

    fn saga_counts(&self) -> BoxFuture<'_, Result<Vec<SagaCount>, StoreFault>> {
        Box::pin(rows(self.read_pool(), "counting sagas", COUNTS, [], |row| {
            Ok(SagaCount {
                definition: row.try_get(0)?,
                status: word(row.try_get(1)?, str::parse::<SagaStatus>)?,
                count: number(row, 2)?,
                oldest: Timestamp::from_micros(row.try_get(3)?),
            })
        }))
    }

    fn live_versions(&self) -> BoxFuture<'_, Result<Vec<LiveVersion>, StoreFault>> {
        Box::pin(rows(self.write_pool(), "counting live sagas", LIVE, [], |row| {
            Ok(LiveVersion {
                definition: row.try_get(0)?,
                version: small(row, 1)?,
                hash: row.try_get(2)?,
                count: number(row, 3)?,
            })
        }))
    }

    fn due_timers(&self, due: &DueTimers) -> BoxFuture<'_, Result<Vec<TimerRow>, StoreFault>> {
        let (now, partitions) = (due.now.as_micros(), numbers(&due.partitions));
        let (each, limit) = (rows_at_most(due.per_definition), rows_at_most(due.limit));
        Box::pin(async move {
            let params: [Param<'_>; 4] = [
                (&now, Type::INT8),
                (&partitions, Type::INT4_ARRAY),
                (&each, Type::INT8),
                (&limit, Type::INT8),
            ];
            rows(self.write_pool(), "reading due timers", DUE, params, timer_row).await
        })
    }

    fn next_timer(&self, partitions: &Partitions) -> BoxFuture<'_, Result<Option<Timestamp>, StoreFault>> {
        let partitions = numbers(partitions);
        Box::pin(async move {
            const DOING: &str = "reading the next timer";
            let params: [Param<'_>; 1] = [(&partitions, Type::INT4_ARRAY)];
            let next = rows(self.write_pool(), DOING, NEXT, params, |row| Ok(optional_time(row, 0)?)).await?;
            Ok(next.into_iter().flatten().next())
        })
    }

    fn timers(&self, saga: SagaId) -> BoxFuture<'_, Result<Vec<TimerRow>, StoreFault>> {
        Box::pin(async move {
            let saga = saga.uuid();
            rows(self.write_pool(), "reading a saga's timers", TIMERS, [(&saga as _, Type::UUID)], timer_row)
                .await
        })
    }

    fn effects(&self, saga: SagaId) -> BoxFuture<'_, Result<Vec<EffectRow>, StoreFault>> {
        Box::pin(async move {
            let saga = saga.uuid();
            rows(
                self.write_pool(),
                "reading a saga's effects",
                EFFECTS,
                [(&saga as _, Type::UUID)],
                effect_row,
            )
            .await
        })
    }

    fn unknown_effects(&self, limit: usize) -> BoxFuture<'_, Result<(Vec<EffectRow>, u64), StoreFault>> {
        Box::pin(async move {
            const DOING: &str = "reading unknown effects";
            let limit = rows_at_most(limit);
            let pool = self.write_pool();
            let effects = rows(pool, DOING, UNKNOWN, [(&limit as _, Type::INT8)], effect_row).await?;
            let count = rows(pool, DOING, COUNT_UNKNOWN, [], |row| number(row, 0)).await?;
            Ok((effects, count.into_iter().next().unwrap_or_default()))
        })
    }

    fn early_messages(
        &self,
        saga: SagaId,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<EarlyMessage>, StoreFault>> {
        let (saga, now) = (saga.uuid(), now.as_micros());
        Box::pin(async move {
            let params: [Param<'_>; 2] = [(&saga, Type::UUID), (&now, Type::INT8)];
            rows(self.write_pool(), "reading early messages", EARLY, params, early_message).await
        })
    }
}

/// Partitions as an array of them.
fn numbers(partitions: &Partitions) -> Vec<i32> {
    partitions.iter().map(i32::from).collect()
}

async fn rows<T, const N: usize>(
    pool: &Pool,
    doing: &'static str,
    statement: &'static str,
    params: [Param<'_>; N],
    read: impl Fn(&Row) -> Result<T, Trouble>,
) -> Result<Vec<T>, StoreFault> {
    let rows = pool.read(doing, statement, &params).await?;
    rows.iter().map(read).collect::<Result<_, _>>().map_err(|trouble| trouble.into_fault(doing))
}

/// A filter as a statement that finds a page and counts all, in one snapshot. The first column is the count; the others are NULL
/// when the page is empty.
struct Listing {
    conditions: String,
    values: Vec<(Box<dyn ToSql + Sync + Send>, Type)>,
}

impl Listing {
    fn new(filter: &SagaFilter, offset: u64, limit: usize) -> Self {
        let mut listing = Self { conditions: "true".to_owned(), values: Vec::new() };
        let limit = rows_at_most(limit);
        listing.values.push((Box::new(limit), Type::INT8));
        listing.values.push((Box::new(integer(offset)), Type::INT8));
        listing.equal("definition", filter.definition.clone(), Type::TEXT);
        listing.equal("step", filter.step.clone(), Type::TEXT);
        listing.equal("business_key", filter.business_key.clone(), Type::TEXT);
        listing.equal("correlation", filter.correlation_id.as_ref().map(ToString::to_string), Type::TEXT);
        listing.equal("\"user\"", filter.user, Type::UUID);
        listing.add("updated_at <", filter.updated_before.map(Timestamp::as_micros), Type::INT8);
        if let Some(partitions) = &filter.partitions {
            let place = listing.value(numbers(partitions), Type::INT4_ARRAY);
            let _ = write!(listing.conditions, " AND partition = ANY ({place})");
        }
        listing.statuses(&filter.statuses);
        listing
    }

    fn equal<T: ToSql + Sync + Send + 'static>(&mut self, column: &str, value: Option<T>, kind: Type) {
        self.add(&format!("{column} ="), value, kind);
    }

    fn add<T: ToSql + Sync + Send + 'static>(&mut self, condition: &str, value: Option<T>, kind: Type) {
        if let Some(value) = value {
            let place = self.value(value, kind);
            let _ = write!(self.conditions, " AND {condition} {place}");
        }
    }

    fn value(&mut self, value: impl ToSql + Sync + Send + 'static, kind: Type) -> String {
        self.values.push((Box::new(value), kind));
        format!("${}", self.values.len())
    }

    /// Ended instances are many and found by the index of their end; those that may still move are what is left.
    fn statuses(&mut self, statuses: &[SagaStatus]) {
        if statuses.is_empty() {
            return;
        }
        let words = |ended: bool| -> Vec<String> {
            let wanted = statuses.iter().filter(|status| status.is_terminal() == ended);
            wanted.map(|status| status.as_str().to_owned()).collect()
        };
        let ended = self.value(words(true), Type::TEXT_ARRAY);
        let moving = self.value(words(false), Type::TEXT_ARRAY);
        let _ = write!(
            self.conditions,
            " AND (ended = ANY ({ended}) OR (ended IS NULL AND status = ANY ({moving})))"
        );
    }

    async fn find(self, pool: &Pool) -> Result<(Vec<SagaRow>, u64), StoreFault> {
        const DOING: &str = "listing sagas";
        let conditions = &self.conditions;
        let statement = pool.schema().qualify(&format!(
            "SELECT total.n, page.* FROM (SELECT count(*) AS n FROM @.sagas WHERE {conditions}) total
             LEFT JOIN (SELECT {} FROM @.sagas WHERE {conditions}
                ORDER BY started_at DESC, id DESC LIMIT $1 OFFSET $2) page ON true
             ORDER BY page.started_at DESC, page.id DESC",
            saga_columns!()
        ));
        let params: Vec<Param<'_>> =
            self.values.iter().map(|(value, kind)| (&**value as _, kind.clone())).collect();
        let rows = pool.read_text(DOING, &statement, &params).await?;
        let read = || -> Result<_, Trouble> {
            let total = rows.first().map_or(Ok(0), |row| number(row, 0))?;
            let mut page = Vec::with_capacity(rows.len());
            for row in &rows {
                if row.try_get::<_, Option<Uuid>>(1)?.is_some() {
                    page.push(saga_row(row, 1)?);
                }
            }
            Ok((page, total))
        };
        read().map_err(|trouble| trouble.into_fault(DOING))
    }
}

/// Reads a stored word with the parser of its type.
fn word<T, E: Into<Box<dyn StdError + Send + Sync>>>(
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Trouble> {
    parse(text).map_err(|error| Trouble::Unreadable(error.into().to_string()))
}

fn optional_time(row: &Row, column: usize) -> Result<Option<Timestamp>, tokio_postgres::Error> {
    Ok(row.try_get::<_, Option<i64>>(column)?.map(Timestamp::from_micros))
}

fn small(row: &Row, column: usize) -> Result<u32, tokio_postgres::Error> {
    row.try_get::<_, i32>(column).map(i32::cast_unsigned)
}

/// The columns of a saga row from column `at` on.
fn saga_row(row: &Row, at: usize) -> Result<SagaRow, Trouble> {
    let cause: Option<&str> = row.try_get(at + 6)?;
    let partition: i32 = row.try_get(at + 10)?;
    Ok(SagaRow {
        id: SagaId::new(row.try_get(at)?),
        definition: row.try_get(at + 1)?,
        definition_version: small(row, at + 2)?,
        definition_hash: row.try_get(at + 3)?,
        business_key: row.try_get(at + 4)?,
        status: word(row.try_get(at + 5)?, str::parse::<SagaStatus>)?,
        cause: cause.map(|text| word(text, str::parse::<Cause>)).transpose()?,
        step: row.try_get(at + 7)?,
        reason: row.try_get(at + 8)?,
        version: Version::new(number(row, at + 9)?),
        partition: partition_of(partition)?,
        epoch: number(row, at + 11)?,
        next_due: optional_time(row, at + 12)?,
        deadline: optional_time(row, at + 13)?,
        correlation_id: word(row.try_get(at + 14)?, str::parse::<CorrelationId>)?,
        user: row.try_get(at + 15)?,
        started_at: Timestamp::from_micros(row.try_get(at + 16)?),
        updated_at: Timestamp::from_micros(row.try_get(at + 17)?),
    })
}

fn partition_of(stored: i32) -> Result<u16, Trouble> {
    u16::try_from(stored).map_err(|_| Trouble::Unreadable(format!("{stored} is no partition")))
}

fn timer_row(row: &Row) -> Result<TimerRow, Trouble> {
    let kind =
        |word: &str| TimerKind::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or("not a timer");
    Ok(TimerRow {
        saga: SagaId::new(row.try_get(0)?),
        timer: row.try_get(1)?,
        partition: partition_of(row.try_get(2)?)?,
        kind: word(row.try_get(3)?, kind)?,
        fire_at: Timestamp::from_micros(row.try_get(4)?),
        fail_count: small(row, 5)?,
    })
}

fn early_message(row: &Row) -> Result<EarlyMessage, Trouble> {
    Ok(EarlyMessage {
        saga: SagaId::new(row.try_get(0)?),
        message_id: row.try_get(1)?,
        signal: row.try_get(2)?,
        payload: word(row.try_get(3)?, |text| serde_json::from_str(text))?,
        expires_at: Timestamp::from_micros(row.try_get(4)?),
    })
}

fn effect_row(row: &Row) -> Result<EffectRow, Trouble> {
    let directions = [Direction::Do, Direction::Undo];
    let direction =
        |word: &str| directions.into_iter().find(|known| known.as_str() == word).ok_or("not a direction");
    let state =
        |word: &str| EffectState::ALL.into_iter().find(|known| known.as_str() == word).ok_or("not a state");
    let response: Option<&str> = row.try_get(8)?;
    Ok(EffectRow {
        saga: SagaId::new(row.try_get(0)?),
        key: row.try_get(1)?,
        step: row.try_get(2)?,
        direction: word(row.try_get(3)?, direction)?,
        request_hash: row.try_get(4)?,
        state: word(row.try_get(5)?, state)?,
        first_sent_at: Timestamp::from_micros(row.try_get(6)?),
        attempts: small(row, 7)?,
        response: response.map(|text| word(text, |text| serde_json::from_str(text))).transpose()?,
        epoch: number(row, 9)?,
    })
}
