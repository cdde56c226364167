//! Counters.

use super::{
    PostgresViews, cells,
    failure::Failure,
    params::Params,
    reading::{PLACE_COLUMNS, Select},
    tables::Tables,
    writing::{Admission, Changes},
};
use futures::FutureExt;
use gallae_core::{Position, Timestamp};
use gallae_ports::{
    ApplyError, BoxFuture, CounterBatch, CounterBucket, CounterRange, CounterStore, Slot, StoreFault,
};
use std::collections::BTreeMap;
use tokio_postgres::{Row, types::Type};

/// The sum of two sums that wraps at the ends of 64 bits, where PostgreSQL's own would fail: the halves are added apart.
const WRAPPING_SUM: &str =
    "((((c.sum >> 32) + (excluded.sum >> 32) + (((c.sum & 4294967295) + (excluded.sum & 4294967295)) >> 32)) << 32)
      | (((c.sum & 4294967295) + (excluded.sum & 4294967295)) & 4294967295))";

impl CounterStore for PostgresViews {
    fn apply(&self, slot: &Slot, batch: CounterBatch) -> BoxFuture<'_, Result<(), ApplyError>> {
        let slot = slot.clone();
        async move {
            let admission = Admission::Batch { from: batch.from, to: batch.to, epoch: batch.epoch };
            let sums = batch.sums();
            let changes =
                |tables: &Tables, params: &mut Params<'_>| write(tables, params, &sums, WRAPPING_SUM);
            self.apply_to("applying increments to counters", &slot, admission, changes).await
        }
        .boxed()
    }

    fn read(
        &self,
        projection: &str,
        range: &CounterRange,
    ) -> BoxFuture<'_, Result<Vec<CounterBucket>, StoreFault>> {
        let (projection, range) = (projection.to_owned(), range.clone());
        async move {
            let select = |tables: &Tables, params: Params<'static>| in_range(tables, params, &range);
            let found = Self::fault("reading counters", self.read_live(&projection, select).await)?;
            Ok(found.rows.iter().filter_map(bucket).collect())
        }
        .boxed()
    }

    fn totals(&self, projection: &str) -> BoxFuture<'_, Result<Vec<(String, i64)>, StoreFault>> {
        let projection = projection.to_owned();
        async move {
            let found = Self::fault("summing counters", self.read_live(&projection, totals).await)?;
            let total = |row: &Row| {
                let counter: Option<&str> = row.get(PLACE_COLUMNS);
                let (upper, lower): (i64, i64) = (row.get(PLACE_COLUMNS + 1), row.get(PLACE_COLUMNS + 2));
                Some((cells::restored(counter?).into_owned(), upper.wrapping_shl(32).wrapping_add(lower)))
            };
            Ok(found
                .rows
                .iter()
                .filter(|row| row.get::<_, Option<&str>>(PLACE_COLUMNS).is_some())
                .filter_map(total)
                .collect())
        }
        .boxed()
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&CounterBucket>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<CounterBucket>, StoreFault>> {
        let (slot, after) = (slot.clone(), after.cloned());
        async move {
            let select =
                |tables: &Tables, params: Params<'static>| behind(tables, params, after.as_ref(), limit);
            let (_, rows) = Self::fault("scanning counters", self.read_slot(&slot, select).await)?;
            Ok(rows.iter().filter_map(bucket).collect())
        }
        .boxed()
    }

    fn repair(
        &self,
        projection: &str,
        at: Position,
        buckets: Vec<CounterBucket>,
    ) -> BoxFuture<'_, Result<(), ApplyError>> {
        let projection = projection.to_owned();
        async move {
            let sums: BTreeMap<(&str, i64), i64> = buckets
                .iter()
                .map(|bucket| ((bucket.counter.as_str(), bucket.start.as_micros()), bucket.sum))
                .collect();
            let changes =
                |tables: &Tables, params: &mut Params<'_>| write(tables, params, &sums, "excluded.sum");
            self.repair_live("repairing counters", &projection, at, changes).await
        }
        .boxed()
    }
}

/// Writes sums in the order of their counters; where there is one already, `sum` says what becomes of it.
fn write(
    tables: &Tables,
    params: &mut Params<'_>,
    sums: &BTreeMap<(&str, i64), i64>,
    sum: &str,
) -> Result<Changes, Failure> {
    let table = tables.counters()?;
    if sums.is_empty() {
        return Ok(Changes::new());
    }
    let counters = sums.keys().map(|(counter, _)| cells::key(counter).map(|name| name.into_owned()));
    let counters = params.add(counters.collect::<Result<Vec<_>, _>>()?, Type::TEXT_ARRAY);
    let starts = params.add(sums.keys().map(|(_, start)| *start).collect::<Vec<_>>(), Type::INT8_ARRAY);
    let added = params.add(sums.values().copied().collect::<Vec<_>>(), Type::INT8_ARRAY);
    Ok(vec![format!(
        "written AS (INSERT INTO {table} AS c (counter, start, sum)
             SELECT r.* FROM admitted CROSS JOIN unnest({counters}, {starts}, {added}) AS r (counter, start, sum)
             ON CONFLICT (counter, start) DO UPDATE SET sum = {sum})"
    )])
}

/// Steps from counter to counter, so that a day is read without the years before it.
fn in_range(tables: &Tables, mut params: Params<'static>, range: &CounterRange) -> Result<Select, Failure> {
    let table = tables.counters()?;
    let prefix = params.text(cells::storable(&range.prefix).into_owned());
    let [from, until] = [range.from, range.until].map(|at| params.integer(at.as_micros()));
    let page = format!(
        "WITH RECURSIVE names AS (
             (SELECT c.counter FROM {table} c WHERE c.counter >= {prefix} ORDER BY c.counter LIMIT 1)
             UNION ALL
             SELECT (SELECT c.counter FROM {table} c WHERE c.counter > n.counter ORDER BY c.counter LIMIT 1)
             FROM names n WHERE starts_with(n.counter, {prefix}))
         SELECT c.counter, c.start, c.sum FROM names n JOIN {table} c
             ON c.counter = n.counter AND c.start >= {from} AND c.start < {until}
         WHERE starts_with(n.counter, {prefix}) AND c.sum <> 0"
    );
    Ok(buckets(page, params))
}

/// The upper and lower halves of the numbers are summed apart, which cannot overflow, to be joined.
fn totals(tables: &Tables, params: Params<'static>) -> Result<Select, Failure> {
    let page = format!(
        "SELECT c.counter, sum(c.sum >> 32)::bigint AS upper, sum(c.sum & 4294967295)::bigint AS lower
         FROM {} c WHERE c.sum <> 0 GROUP BY c.counter",
        tables.counters()?
    );
    let columns = "page.counter, page.upper, page.lower".to_owned();
    let order = " ORDER BY page.counter".to_owned();
    Ok(Select { once: String::new(), columns, page, order, params, prepare: true })
}

/// Buckets whose sum is zero are left out: whether a row was ever there must not show.
fn behind(
    tables: &Tables,
    mut params: Params<'static>,
    after: Option<&CounterBucket>,
    limit: usize,
) -> Result<Select, Failure> {
    let rest = match after {
        None => String::new(),
        Some(after) => {
            let counter = params.text(cells::storable(&after.counter).into_owned());
            format!(" AND (c.counter, c.start) > ({counter}, {})", params.integer(after.start.as_micros()))
        }
    };
    let limit = params.integer(i64::try_from(limit).unwrap_or(i64::MAX));
    let page = format!(
        "SELECT c.counter, c.start, c.sum FROM {} c WHERE c.sum <> 0{rest} ORDER BY c.counter, c.start LIMIT {limit}",
        tables.counters()?
    );
    Ok(buckets(page, params))
}

fn buckets(page: String, params: Params<'static>) -> Select {
    let columns = "page.counter, page.start, page.sum".to_owned();
    let order = " ORDER BY page.counter, page.start".to_owned();
    Select { once: String::new(), columns, page, order, params, prepare: true }
}

fn bucket(row: &Row) -> Option<CounterBucket> {
    let counter: Option<&str> = row.get(PLACE_COLUMNS);
    Some(CounterBucket {
        counter: cells::restored(counter?).into_owned(),
        start: Timestamp::from_micros(row.get(PLACE_COLUMNS + 1)),
        sum: row.get(PLACE_COLUMNS + 2),
    })
}
