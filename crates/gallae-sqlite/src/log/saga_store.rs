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
    BoxFuture, DueTimers, EarlyMessage, EffectRow, EffectState, LiveVersion, Partitions, SagaCount,
    SagaFilter, SagaRow, SagaStore, StoreFault, TimerKind, TimerRow,
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
macro_rules! effect_columns {
    () => {
        "SELECT saga, key, step, direction, request_hash, state, first_sent_at, attempts, response, epoch FROM effects "
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

    fn live_versions(&self) -> BoxFuture<'_, Result<Vec<LiveVersion>, StoreFault>> {
        let query = format!(
            "SELECT definition, definition_version, definition_hash, count(*) FROM sagas WHERE status IN ({LIVE})
             GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        );
        self.read("counting live sagas", move |reader| {
            rows(&reader.connection, &query, [], |row| {
                Ok(LiveVersion {
                    definition: row.get(0)?,
                    version: sql::small(row, 1)?,
                    hash: row.get(2)?,
                    count: sql::unsigned(row, 3)?,
                })
            })
        })
    }

    fn due_timers(&self, due: &DueTimers) -> BoxFuture<'_, Result<Vec<TimerRow>, StoreFault>> {
        let query = format!(
            "SELECT saga, timer, partition, kind, fire_at, fail_count FROM (
                SELECT timers.*, row_number() OVER (PARTITION BY sagas.definition
                    ORDER BY fail_count, fire_at, saga, timer) AS place
                FROM timers LEFT JOIN sagas ON sagas.id = timers.saga WHERE fire_at <= ?1 AND {})
             WHERE place <= ?2 ORDER BY fail_count, fire_at, saga, timer LIMIT ?3",
            among("timers.partition", &due.partitions)
        );
        let params = (due.now.as_micros(), sql::limit(due.per_definition), sql::limit(due.limit));
        self.read("reading due timers", move |reader| rows(&reader.connection, &query, params, timer_row))
    }

    fn next_timer(&self, partitions: &Partitions) -> BoxFuture<'_, Result<Option<Timestamp>, StoreFault>> {
        let query = format!("SELECT min(fire_at) FROM timers WHERE {}", among("partition", partitions));
        self.read("reading the next timer", move |reader| {
            reader.connection.prepare_cached(&query)?.query_row([], |row| sql::optional_time(row, 0))
        })
    }

    fn timers(&self, saga: SagaId) -> BoxFuture<'_, Result<Vec<TimerRow>, StoreFault>> {
        const QUERY: &str = concat!(timer_columns!(), "WHERE saga = ?1 ORDER BY fire_at, timer");
        self.read("reading a saga's timers", move |reader| {
            rows(&reader.connection, QUERY, [saga.uuid().as_bytes()], timer_row)
        })
    }

    fn effects(&self, saga: SagaId) -> BoxFuture<'_, Result<Vec<EffectRow>, StoreFault>> {
        const QUERY: &str = concat!(effect_columns!(), "WHERE saga = ?1 ORDER BY first_sent_at, number");
        self.read("reading a saga's effects", move |reader| {
            rows(&reader.connection, QUERY, [saga.uuid().as_bytes()], effect_row)
        })
    }

    fn unknown_effects(&self, limit: usize) -> BoxFuture<'_, Result<(Vec<EffectRow>, u64), StoreFault>> {
        // By the instances that live, which are few: effects are found by their instance alone.
        let unknown = format!(
            "WHERE state = '{}' AND saga IN (SELECT id FROM sagas WHERE status IN ({LIVE}))",
            EffectState::Unknown.as_str()
        );
        let count = format!("SELECT count(*) FROM effects {unknown}");
        let query = format!("{}{unknown} ORDER BY first_sent_at, number LIMIT ?1", effect_columns!());
        self.read("reading unknown effects", move |reader| {
            let snapshot = reader.connection.unchecked_transaction()?;
            let total = snapshot.prepare_cached(&count)?.query_row([], |row| sql::unsigned(row, 0))?;
            let found = rows(&snapshot, &query, [sql::limit(limit)], effect_row)?;
            snapshot.finish()?;
            Ok((found, total))
        })
    }

    fn early_messages(
        &self,
        saga: SagaId,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<EarlyMessage>, StoreFault>> {
        const QUERY: &str = "SELECT saga, message_id, signal, payload, expires_at FROM early_messages
            WHERE saga = ?1 AND expires_at > ?2 ORDER BY number";
        self.read("reading early messages", move |reader| {
            rows(&reader.connection, QUERY, (saga.uuid().as_bytes(), now.as_micros()), early_message)
        })
    }
}

/// The statuses of instances that have not ended.
const LIVE: &str = "'RUNNING', 'WAITING', 'PAUSED', 'COMPENSATING', 'STUCK'";

/// The condition that a partition is one of these.
fn among(column: &str, partitions: &Partitions) -> String {
    if partitions.is_all() {
        return "TRUE".to_owned();
    }
    let numbers: Vec<_> = partitions.iter().map(|partition| partition.to_string()).collect();
    format!("{column} IN ({})", numbers.join(", "))
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
        if let Some(partitions) = &filter.partitions {
            conditions.clause.push_str(&format!(" AND {}", among("partition", partitions)));
        }
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

fn early_message(row: &Row<'_>) -> rusqlite::Result<EarlyMessage> {
    let payload: String = row.get(3)?;
    Ok(EarlyMessage {
        saga: SagaId::new(sql::uuid(row, 0)?),
        message_id: row.get(1)?,
        signal: row.get(2)?,
        payload: serde_json::from_str(&payload).map_err(|error| sql::unreadable(3, Type::Text, error))?,
        expires_at: sql::time(row, 4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statuses_that_live_are_those_that_are_not_terminal() {
        let live = SagaStatus::ALL.iter().filter(|status| !status.is_terminal());
        let words: Vec<_> = live.map(|status| format!("'{status}'")).collect();
        assert_eq!(words.join(", "), LIVE);
    }
}
