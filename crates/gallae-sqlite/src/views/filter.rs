//! Conditions as SQL, and the index to read by.

use super::{documents::owned, shape::Tables, trouble::Trouble};
use gallae_core::FieldValue;
use gallae_ports::{Comparison, Condition};
use rusqlite::{Connection, params_from_iter, types::Value};

/// A filter that leaves fewer rows than this is read first and its rows are sorted; if all leave more, the rows are read in
/// order and filtered until the page is full. At a million rows and pages of twenty both cost about the same here.
const FEW: i64 = 5_000;

/// The conditions of a query.
pub(super) struct Filter {
    tests: Vec<Test>,
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
        let floor = |field| {
            let at_least =
                |other: &&Condition| other.comparison == Comparison::AtLeast && other.field == field;
            conditions.iter().find(at_least).is_some()
        };
        let tests = conditions.iter().map(|condition| Test::of(tables, condition, floor(condition.field)));
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
            let (test_sql, limit) = (test.sql(true), fewest.0);
            let sql =
                format!("SELECT count(*) FROM (SELECT 1 FROM {documents} WHERE {test_sql} LIMIT {limit})");
            // Not cached: the limit makes most of these statements new.
            let mut count = connection.prepare(&sql)?;
            let rows: i64 = count.query_row(params_from_iter(&test.values), |row| row.get(0))?;
            if rows < fewest.0 {
                fewest = (rows, Some(at));
            }
        }
        // The rows of one value of a field lie in the order of their keys.
        let in_key_order = || self.tests.iter().position(|test| test.equal).filter(|_| order.is_none());
        Ok(fewest.1.or_else(in_key_order).map_or(Drive::Order, Drive::Test))
    }

    /// The tests, each after an `AND`.
    pub(super) fn sql(&self, drive: Drive, order: Option<&str>) -> String {
        let indexed = |at, test: &Test| match drive {
            Drive::Order => Some(&*test.column) == order,
            Drive::Test(driving) => at == driving,
        };
        let tests = self.tests.iter().enumerate();
        tests.map(|(at, test)| format!(" AND {}", test.sql(indexed(at, test)))).collect()
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
            Drive::Order => self.tests.iter().map(|test| format!(" AND {}", test.sql(true))).collect(),
            Drive::Test(_) => self.sql(drive, None),
        };
        // Without a WHERE, SQLite counts whole pages.
        let tests = tests.strip_prefix(" AND ").map(|tests| format!(" WHERE {tests}")).unwrap_or_default();
        let sql = format!("SELECT count(*) FROM {documents}{tests}");
        let mut count = connection.prepare_cached(&sql)?;
        let rows: i64 = count.query_row(params_from_iter(self.values()), |row| row.get(0))?;
        Ok(rows.unsigned_abs())
    }
}

struct Test {
    column: String,
    comparison: String,
    values: Vec<Value>,
    equal: bool,
    /// What keeps rows without a value out of the range; `None` for a comparison that does so already.
    present: Option<Present>,
}

#[derive(Clone, Copy)]
enum Present {
    /// As the lower end of the range that the index is read in.
    Bound,
    /// As a test of the rows: the range has a lower end of its own, and SQLite might take this one.
    Check,
}

impl Test {
    fn of(tables: &Tables, condition: &Condition, has_floor: bool) -> Result<Self, Trouble> {
        let column = tables.column(condition.field)?.to_owned();
        let values: Vec<Value> = condition.values.iter().map(owned).collect();
        if condition.comparison != Comparison::In && values.len() != 1 {
            return Err(Trouble::wrong(format!(
                "the condition on {:?} takes one value, and has {}",
                condition.field,
                values.len()
            )));
        }
        let from_null = condition.values.first() == Some(&FieldValue::Null);
        let (comparison, present) = match condition.comparison {
            Comparison::Equal => ("= ?".to_owned(), None),
            Comparison::AtLeast if from_null => ("> ?".to_owned(), None),
            Comparison::AtLeast => (">= ?".to_owned(), None),
            Comparison::Below if has_floor => ("< ?".to_owned(), Some(Present::Check)),
            Comparison::Below => ("< ?".to_owned(), Some(Present::Bound)),
            Comparison::In => (format!("IN ({})", vec!["?"; values.len()].join(", ")), None),
        };
        let equal = condition.comparison == Comparison::Equal;
        Ok(Self { column, comparison, values, equal, present })
    }

    /// The test; a plus keeps SQLite from using the column's index where it is not wanted.
    fn sql(&self, indexed: bool) -> String {
        let (plus, column) = (if indexed { "" } else { "+" }, &self.column);
        let comparison = format!("{plus}{column} {}", self.comparison);
        // Minus infinity stands for no value.
        match self.present {
            None => comparison,
            Some(Present::Bound) => format!("{comparison} AND {plus}{column} > -9e999"),
            Some(Present::Check) => format!("{comparison} AND +{column} > -9e999"),
        }
    }
}
