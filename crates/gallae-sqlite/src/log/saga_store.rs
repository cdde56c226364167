//! Saga rows, timers and effects, read.

use super::{
    SqliteLog,
    sql::{self, CorrelationKey},
};
use gallae_core::{
    SagaId, Timestamp, Version,
    saga::{Direction, SagaStatus},
};
use gallae_ports::{
    BoxFuture, EffectRow, EffectState, SagaCount, SagaFilter, SagaRow, SagaStore, StoreFault, TimerKind,
    TimerRow,
};
use rusqlite::{Connection, OptionalExtension, Params, Row, ToSql, params_from_iter, types::Type};

macro_rules! saga_columns {
    () => {
        "SELECT id, definition, definition_version, definition_hash, business_key, status, cause, step, reason,
            version, partition, epoch, next_due, deadline, correlation, user, started_at, updated_at FROM sagas "
    };
}
macro_rules! timer_columns {
    () => {
        "SELECT saga, timer, partition, kind, fire_at, fail_count FROM timers "
    };
}

impl SagaStore for SqliteLog {
    fn saga(&self, id: SagaId) -> BoxFuture<'_, Result<Option<SagaRow>, StoreFault>> {
        self.read("reading a saga", move |reader| {
            reader
                .connection
                .prepare_cached(concat!(saga_columns!(), "WHERE id = ?1"))?
                .query_row([id.uuid().as_bytes()], saga_row)
                .optional()
        })
    }

    fn sagas(
        &self,
        filter: &SagaFilter,
        offset: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<(Vec<SagaRow>, u64), StoreFault>> {
        let filter = Conditions::new(filter);
        self.read("listing sagas", move |reader| filter.find(&reader.connection, offset, limit))
    }

    fn saga_counts(&self) -> BoxFuture<'_, Result<Vec<SagaCount>, StoreFault>> {
        const QUERY: &str = "SELECT definition, status, count(*), min(updated_at) FROM sagas
            GROUP BY status, definition ORDER BY definition, status";
        self.read("counting sagas", move |reader| {
            rows(&reader.connection, QUERY, [], |row| {
                Ok(SagaCount {
                    definition: row.get(0)?,
                    status: sql::word(row, 1, str::parse)?,
                    count: sql::unsigned(row, 2)?,
                    oldest: sql::time(row, 3)?,
                })
            })
        })
    }

    fn due_timers(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<TimerRow>, StoreFault>> {
        const QUERY: &str = concat!(
            timer_columns!(),
            "WHERE fire_at <= ?1 ORDER BY fail_count, fire_at, saga, timer LIMIT ?2"
        );
        self.read("reading due timers", move |reader| {
            rows(&reader.connection, QUERY, (now.as_micros(), sql::limit(limit)), timer_row)
        })
    }

    fn next_timer(&self) -> BoxFuture<'_, Result<Option<Timestamp>, StoreFault>> {
        self.read("reading the next timer", |reader| {
            reader
                .connection
                .prepare_cached("SELECT min(fire_at) FROM timers")?
                .query_row([], |row| sql::optional_time(row, 0))
        })
    }

    fn timers(&self, saga: SagaId) -> BoxFuture<'_, Result<Vec<TimerRow>, StoreFault>> {
        const QUERY: &str = concat!(timer_columns!(), "WHERE saga = ?1 ORDER BY fire_at, timer");
        self.read("reading a saga's timers", move |reader| {
            rows(&reader.connection, QUERY, [saga.uuid().as_bytes()], timer_row)
        })
    }

    fn effects(&self, saga: SagaId) -> BoxFuture<'_, Result<Vec<EffectRow>, StoreFault>> {
        const QUERY: &str =
            "SELECT saga, key, step, direction, request_hash, state, first_sent_at, attempts, response,
            epoch FROM effects WHERE saga = ?1 ORDER BY first_sent_at, number";
        self.read("reading a saga's effects", move |reader| {
            rows(&reader.connection, QUERY, [saga.uuid().as_bytes()], effect_row)
        })
    }
}

fn rows<T>(
    connection: &Connection,
    query: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(query)?.query_map(params, read)?.collect()
}

/// A filter as SQL.
struct Conditions {
    clause: String,
    values: Vec<Box<dyn ToSql + Send>>,
}

impl Conditions {
    fn new(filter: &SagaFilter) -> Self {
        let mut conditions = Self { clause: "WHERE TRUE".to_owned(), values: Vec::new() };
        conditions.equal("definition", filter.definition.clone());
        conditions.equal("step", filter.step.clone());
        conditions.equal("business_key", filter.business_key.clone());
        conditions.equal("correlation", filter.correlation_id.as_ref().map(CorrelationKey::from));
        conditions.equal("user", filter.user.map(uuid::Uuid::into_bytes));
        conditions.add(" AND updated_at < ?", filter.updated_before.map(Timestamp::as_micros));
        if !filter.statuses.is_empty() {
            let places = vec!["?"; filter.statuses.len()].join(", ");
            conditions.clause.push_str(&format!(" AND status IN ({places})"));
            conditions.values.extend(filter.statuses.iter().map(|status| Box::new(status.as_str()) as _));
        }
        conditions
    }

    fn equal<T: ToSql + Send + 'static>(&mut self, column: &str, value: Option<T>) {
        self.add(&format!(" AND {column} = ?"), value);
    }

    fn add<T: ToSql + Send + 'static>(&mut self, condition: &str, value: Option<T>) {
        if let Some(value) = value {
            self.clause.push_str(condition);
            self.values.push(Box::new(value));
        }
    }

    /// A page and the count of all, from one snapshot.
    fn find(
        self,
        connection: &Connection,
        offset: u64,
        limit: usize,
    ) -> rusqlite::Result<(Vec<SagaRow>, u64)> {
        let Self { clause, mut values } = self;
        let snapshot = connection.unchecked_transaction()?;
        let count = snapshot
            .prepare_cached(&format!("SELECT count(*) FROM sagas {clause}"))?
            .query_row(params_from_iter(&values), |row| sql::unsigned(row, 0))?;
        let query =
            format!("{}{clause} ORDER BY started_at DESC, number DESC LIMIT ? OFFSET ?", saga_columns!());
        values.push(Box::new(sql::limit(limit)));
        values.push(Box::new(sql::integer(offset)));
        let found = rows(&snapshot, &query, params_from_iter(&values), saga_row)?;
        snapshot.finish()?;
        Ok((found, count))
    }
}

fn saga_row(row: &Row<'_>) -> rusqlite::Result<SagaRow> {
    let cause: Option<String> = row.get(6)?;
    Ok(SagaRow {
        id: SagaId::new(sql::uuid(row, 0)?),
        definition: row.get(1)?,
        definition_version: sql::small(row, 2)?,
        definition_hash: row.get(3)?,
        business_key: row.get(4)?,
        status: sql::word(row, 5, str::parse::<SagaStatus>)?,
        cause: cause
            .map(|word| word.parse().map_err(|error: String| sql::unreadable(6, Type::Text, error)))
            .transpose()?,
        step: row.get(7)?,
        reason: row.get(8)?,
        version: Version::new(sql::unsigned(row, 9)?),
        partition: row.get(10)?,
        epoch: sql::unsigned(row, 11)?,
        next_due: sql::optional_time(row, 12)?,
        deadline: sql::optional_time(row, 13)?,
        correlation_id: sql::correlation(row, 14)?,
        user: sql::optional_uuid(row, 15)?,
        started_at: sql::time(row, 16)?,
        updated_at: sql::time(row, 17)?,
    })
}

fn timer_row(row: &Row<'_>) -> rusqlite::Result<TimerRow> {
    let kind =
        |word: &str| TimerKind::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or("not a timer");
    Ok(TimerRow {
        saga: SagaId::new(sql::uuid(row, 0)?),
        timer: row.get(1)?,
        partition: row.get(2)?,
        kind: sql::word(row, 3, kind)?,
        fire_at: sql::time(row, 4)?,
        fail_count: sql::small(row, 5)?,
    })
}

fn effect_row(row: &Row<'_>) -> rusqlite::Result<EffectRow> {
    let directions = [Direction::Do, Direction::Undo];
    let direction =
        |word: &str| directions.into_iter().find(|known| known.as_str() == word).ok_or("not a direction");
    let state =
        |word: &str| EffectState::ALL.into_iter().find(|known| known.as_str() == word).ok_or("not a state");
    let response: Option<String> = row.get(8)?;
    Ok(EffectRow {
        saga: SagaId::new(sql::uuid(row, 0)?),
        key: row.get(1)?,
        step: row.get(2)?,
        direction: sql::word(row, 3, direction)?,
        request_hash: row.get(4)?,
        state: sql::word(row, 5, state)?,
        first_sent_at: sql::time(row, 6)?,
        attempts: sql::small(row, 7)?,
        response: response
            .map(|text| serde_json::from_str(&text).map_err(|error| sql::unreadable(8, Type::Text, error)))
            .transpose()?,
        epoch: sql::unsigned(row, 9)?,
    })
}
