//! Filters, orders and pages.

use super::{
    documents::{field_value, owned, stored_view},
    page_cursor::PageCursor,
    shape::Tables,
    trouble::Trouble,
};
use gallae_core::FieldValue;
use gallae_ports::{Comparison, Condition, Order, Paging, ViewPage, ViewQuery};
use rusqlite::{Connection, params_from_iter, types::Value};

/// A filter that leaves fewer rows than this is read first and its rows are sorted; if all leave more, the rows are read in
/// order and filtered until the page is full. At a million rows and pages of twenty both cost about the same here.
const FEW: i64 = 5_000;

/// The conditions of a query as SQL.
pub(super) struct Filter {
    tests: Vec<Test>,
}

struct Test {
    column: String,
    sql: String,
    values: Vec<Value>,
    equal: bool,
}

/// Which index the rows are found by. SQLite would have to guess: it keeps no statistics here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drive {
    /// That of the order.
    Order,
    /// That of this test.
    Test(usize),
}

impl Filter {
    pub(super) fn of(tables: &Tables, conditions: &[Condition]) -> Result<Self, Trouble> {
        let tests = conditions.iter().map(|condition| Test::of(tables, condition));
        Ok(Self { tests: tests.collect::<Result<_, _>>()? })
    }

    /// Chooses the index for reading in the order of a column, or of the key if there is none.
    pub(super) fn drive(
        &self,
        connection: &Connection,
        documents: &str,
        order: Option<&str>,
    ) -> Result<Drive, Trouble> {
        let mut fewest = (FEW, None);
        for (at, test) in self.tests.iter().enumerate().filter(|(_, test)| Some(&*test.column) != order) {
            let sql = format!(
                "SELECT count(*) FROM (SELECT 1 FROM {documents} WHERE {} {} LIMIT {})",
                test.column, test.sql, fewest.0
            );
            let mut count = connection.prepare_cached(&sql)?;
            let rows: i64 = count.query_row(params_from_iter(&test.values), |row| row.get(0))?;
            if rows < fewest.0 {
                fewest = (rows, Some(at));
            }
        }
        // The rows of one value of a field lie in the order of their keys.
        let in_key_order = || self.tests.iter().position(|test| test.equal).filter(|_| order.is_none());
        Ok(fewest.1.or_else(in_key_order).map_or(Drive::Order, Drive::Test))
    }

    /// The tests, joined; a plus keeps SQLite from using a column's index.
    pub(super) fn sql(&self, drive: Drive, order: Option<&str>) -> String {
        let mut sql = String::new();
        for (at, test) in self.tests.iter().enumerate() {
            let free = match drive {
                Drive::Order => Some(&*test.column) == order,
                Drive::Test(driving) => at == driving,
            };
            let plus = if free { "" } else { "+" };
            sql += &format!(" AND {plus}{} {}", test.column, test.sql);
        }
        sql
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.tests.iter().flat_map(|test| &test.values)
    }

    pub(super) fn count(
        &self,
        connection: &Connection,
        documents: &str,
        drive: Drive,
    ) -> Result<u64, Trouble> {
        let tests: String = match drive {
            Drive::Order => {
                self.tests.iter().map(|test| format!(" AND {} {}", test.column, test.sql)).collect()
            }
            Drive::Test(_) => self.sql(drive, None),
        };
        let sql = format!("SELECT count(*) FROM {documents} WHERE true{tests}");
        let mut count = connection.prepare_cached(&sql)?;
        let rows: i64 = count.query_row(params_from_iter(self.values()), |row| row.get(0))?;
        Ok(rows.unsigned_abs())
    }
}

impl Test {
    fn of(tables: &Tables, condition: &Condition) -> Result<Self, Trouble> {
        let column = tables.column(condition.field)?.to_owned();
        let values: Vec<Value> = condition.values.iter().map(owned).collect();
        let (sql, alone) = match condition.comparison {
            Comparison::Equal => ("= ?".to_owned(), true),
            Comparison::AtLeast => (">= ?".to_owned(), true),
            Comparison::Below => ("< ?".to_owned(), true),
            Comparison::In => (format!("IN ({})", vec!["?"; values.len()].join(", ")), false),
        };
        if alone && values.len() != 1 {
            return Err(Trouble::wrong(format!(
                "the condition on {:?} takes one value, and has {}",
                condition.field,
                values.len()
            )));
        }
        Ok(Self { column, sql, values, equal: condition.comparison == Comparison::Equal })
    }
}

pub(super) fn page(connection: &Connection, tables: &Tables, query: &ViewQuery) -> Result<ViewPage, Trouble> {
    let filter = Filter::of(tables, &query.conditions)?;
    let order = query.order.map(|order| tables.column(order.field)).transpose()?;
    let drive = filter.drive(connection, &tables.documents, order)?;
    let (limit, offset, after) = part(&query.paging, query.order)?;
    let (sql, values) = select(tables, &filter, drive, query.order, after.as_ref())?;

    let mut select = connection.prepare_cached(&sql)?;
    let bounds = [Value::Integer(limit.saturating_add(1)), Value::Integer(offset)];
    let mut found = select.query(params_from_iter(values.into_iter().chain(bounds)))?;
    let mut page = ViewPage::default();
    let mut last = FieldValue::Null;
    while let Some(row) = found.next()? {
        if page.rows.len() as i64 == limit {
            let key = page.rows.last().map(|row| row.key.as_str());
            page.next = key.map(|key| PageCursor::new(query.order, last, key).encode());
            break;
        }
        last = field_value(row.get_ref(3)?)?;
        page.rows.push(stored_view(row)?);
    }
    if query.count {
        page.total = Some(filter.count(connection, &tables.documents, drive)?);
    }
    Ok(page)
}

fn part(paging: &Paging, order: Option<Order>) -> Result<(i64, i64, Option<PageCursor>), Trouble> {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Ok(match paging {
        Paging::Page { offset, limit } => (whole(*limit as u64), whole(*offset), None),
        Paging::After { cursor, limit } => {
            (whole(*limit as u64), 0, Some(PageCursor::decode(cursor, order)?))
        }
    })
}

/// The statement for a page, without the values of its limit and offset, which come last.
pub(super) fn select(
    tables: &Tables,
    filter: &Filter,
    drive: Drive,
    order: Option<Order>,
    after: Option<&PageCursor>,
) -> Result<(String, Vec<Value>), Trouble> {
    let documents = &tables.documents;
    let column = order.map(|order| tables.column(order.field)).transpose()?;
    let (direction, beyond) =
        if order.is_some_and(|order| order.descending) { ("DESC", "<") } else { ("", ">") };
    // Rows that are found by a filter are sorted; a plus keeps the index of the order out of it.
    let plus = if drive == Drive::Order { "" } else { "+" };
    let mut values: Vec<Value> = filter.values().cloned().collect();
    let mut tests = filter.sql(drive, column);
    if let Some(after) = after {
        match column {
            Some(column) => {
                tests += &format!(" AND ({plus}{column}, key) {beyond} (?, ?)");
                values.push(owned(&after.value));
            }
            None => tests += " AND key > ?",
        }
        values.push(Value::Text(after.key.clone()));
    }
    let (value, by) = match column {
        Some(column) => (column, format!("{plus}{column} {direction}, key {direction}")),
        None => ("NULL", "key".to_owned()),
    };
    let sql = format!(
        "SELECT key, document, changed_at, {value} FROM {documents} WHERE true{tests} ORDER BY {by} LIMIT ? OFFSET ?"
    );
    Ok((sql, values))
}
