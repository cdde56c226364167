//! Counters.

use super::{
    SqliteViews, generations,
    session::{Session, Standing},
    trouble::Trouble,
};
use gallae_core::{Position, Timestamp};
use gallae_ports::{
    ApplyError, BoxFuture, CounterBatch, CounterBucket, CounterRange, CounterStore, Slot, StoreFault,
};
use rusqlite::{OptionalExtension, Row};

impl CounterStore for SqliteViews {
    fn apply(&self, slot: &Slot, batch: CounterBatch) -> BoxFuture<'_, Result<(), ApplyError>> {
        let slot = slot.clone();
        let applied = self.on_writer("applying increments to counters", move |session| {
            match generations::admit(session, &slot, (batch.from, batch.to), batch.epoch)? {
                Err(refusal) => Ok(Err(refusal)),
                Ok(standing) => add(session, &standing, &batch).map(Ok),
            }
        });
        Box::pin(async move { applied.await.map_err(ApplyError::Unavailable)? })
    }

    fn read(
        &self,
        projection: &str,
        range: &CounterRange,
    ) -> BoxFuture<'_, Result<Vec<CounterBucket>, StoreFault>> {
        let (projection, range) = (projection.to_owned(), range.clone());
        Box::pin(self.on_reader("reading counters", move |session| {
            let standing = session.known(&projection)?;
            read(session, table(&standing, &projection)?, &range)
        }))
    }

    fn totals(&self, projection: &str) -> BoxFuture<'_, Result<Vec<(String, i64)>, StoreFault>> {
        let projection = projection.to_owned();
        Box::pin(self.on_reader("summing counters", move |session| {
            let standing = session.known(&projection)?;
            totals(session, table(&standing, &projection)?)
        }))
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&CounterBucket>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<CounterBucket>, StoreFault>> {
        let (slot, after) = (slot.clone(), after.cloned());
        Box::pin(self.on_reader("scanning counters", move |session| {
            let standing = session.at(&slot)?;
            scan(session, table(&standing, &slot.projection)?, after.as_ref(), limit)
        }))
    }

    fn repair(
        &self,
        projection: &str,
        at: Position,
        buckets: Vec<CounterBucket>,
    ) -> BoxFuture<'_, Result<(), ApplyError>> {
        let projection = projection.to_owned();
        let repaired = self.on_writer("repairing counters", move |session| {
            match generations::still_at(session, &projection, at)? {
                Err(refusal) => Ok(Err(refusal)),
                Ok(standing) => set(session, table(&standing, &projection)?, &buckets).map(Ok),
            }
        });
        Box::pin(async move { repaired.await.map_err(ApplyError::Unavailable)? })
    }
}

fn table<'a>(standing: &'a Standing, projection: &str) -> Result<&'a str, Trouble> {
    let none = || Trouble::wrong(format!("{projection} has fields, so it holds no counters"));
    standing.tables.counters.as_deref().ok_or_else(none)
}

fn add(session: &Session, standing: &Standing, batch: &CounterBatch) -> Result<(), Trouble> {
    let table = table(standing, "the projection")?;
    let select = format!("SELECT sum FROM {table} WHERE counter = ? AND start = ?");
    let mut select = session.connection.prepare_cached(&select)?;
    let upsert = format!("INSERT OR REPLACE INTO {table} (counter, start, sum) VALUES (?, ?, ?)");
    let mut upsert = session.connection.prepare_cached(&upsert)?;
    for ((counter, start), by) in batch.sums() {
        // Added here and not in SQL, where a sum that overflows turns into a float.
        let before = select.query_row((counter, start), |row| row.get::<_, i64>(0)).optional()?;
        upsert.execute((counter, start, before.unwrap_or(0).wrapping_add(by)))?;
    }
    Ok(())
}

fn set(session: &Session, table: &str, buckets: &[CounterBucket]) -> Result<(), Trouble> {
    let upsert = format!("INSERT OR REPLACE INTO {table} (counter, start, sum) VALUES (?, ?, ?)");
    let mut upsert = session.connection.prepare_cached(&upsert)?;
    for CounterBucket { counter, start, sum } in buckets {
        upsert.execute((counter, start.as_micros(), sum))?;
    }
    Ok(())
}

/// Steps from counter to counter, so that a day is read without the years before it.
fn read(session: &Session, table: &str, range: &CounterRange) -> Result<Vec<CounterBucket>, Trouble> {
    let first = format!("SELECT counter FROM {table} WHERE counter >= ? ORDER BY counter LIMIT 1");
    let next = format!("SELECT counter FROM {table} WHERE counter > ? ORDER BY counter LIMIT 1");
    let buckets = format!(
        "SELECT counter, start, sum FROM {table} WHERE counter = ? AND start >= ? AND start < ? AND sum <> 0 ORDER BY start"
    );
    let step = |sql: &str, after: &str| -> Result<Option<String>, Trouble> {
        let found =
            session.connection.prepare_cached(sql)?.query_row([after], |row| row.get(0)).optional()?;
        Ok(found)
    };
    let mut found = Vec::new();
    let mut counter = step(&first, &range.prefix)?;
    while let Some(name) = counter.filter(|name| name.starts_with(&range.prefix)) {
        let mut select = session.connection.prepare_cached(&buckets)?;
        let rows = select.query_map((&name, range.from.as_micros(), range.until.as_micros()), bucket)?;
        for row in rows {
            found.push(row?);
        }
        counter = step(&next, &name)?;
    }
    Ok(found)
}

/// Sums the upper and lower half of the numbers, which cannot overflow, and joins them.
fn totals(session: &Session, table: &str) -> Result<Vec<(String, i64)>, Trouble> {
    let sql = format!(
        "SELECT counter, sum(sum >> 32), sum(sum & 0xffffffff) FROM {table} WHERE sum <> 0 GROUP BY counter ORDER BY counter"
    );
    let mut select = session.connection.prepare_cached(&sql)?;
    let rows = select.query_map((), |row| {
        let (upper, lower): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok((row.get(0)?, upper.wrapping_shl(32).wrapping_add(lower)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Buckets whose sum is zero are left out: whether a row was ever there must not show.
fn scan(
    session: &Session,
    table: &str,
    after: Option<&CounterBucket>,
    limit: usize,
) -> Result<Vec<CounterBucket>, Trouble> {
    let sql = format!(
        "SELECT counter, start, sum FROM {table} WHERE (counter, start) > (?, ?) AND sum <> 0 ORDER BY counter, start LIMIT ?"
    );
    let mut select = session.connection.prepare_cached(&sql)?;
    let (counter, start) = after.map_or(("", i64::MIN), |after| (&after.counter, after.start.as_micros()));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = select.query_map((counter, start, limit), bucket)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn bucket(row: &Row<'_>) -> rusqlite::Result<CounterBucket> {
    Ok(CounterBucket { counter: row.get(0)?, start: Timestamp::from_micros(row.get(1)?), sum: row.get(2)? })
}
