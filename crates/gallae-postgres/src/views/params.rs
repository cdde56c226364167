//! A statement that is put together at run time.

use crate::pool::Param;
use tokio_postgres::types::{ToSql, Type};

/// The values of a statement.
#[derive(Default)]
pub(super) struct Params<'a> {
    values: Vec<(Box<dyn ToSql + Sync + Send + 'a>, Type)>,
}

impl<'a> Params<'a> {
    /// Adds a value; says how the statement calls it.
    pub(super) fn add(&mut self, value: impl ToSql + Sync + Send + 'a, kind: Type) -> String {
        self.values.push((Box::new(value), kind));
        format!("${}", self.values.len())
    }

    pub(super) fn integer(&mut self, value: i64) -> String {
        self.add(value, Type::INT8)
    }

    pub(super) fn text(&mut self, value: impl ToSql + Sync + Send + 'a) -> String {
        self.add(value, Type::TEXT)
    }

    /// As a connection takes them.
    pub(super) fn bound(&self) -> Vec<Param<'_>> {
        self.values.iter().map(|(value, kind)| (&**value as &(dyn ToSql + Sync), kind.clone())).collect()
    }
}
