//! How the platform's values look in SQLite.

use gallae_core::{CorrelationId, Timestamp};
use rusqlite::{
    Error, Row, ToSql,
    types::{ToSqlOutput, Type, ValueRef},
};
use std::error::Error as StdError;
use uuid::Uuid;

/// SQLite's integers are signed; nothing real is cut off here, but a caller may ask for what comes after `u64::MAX`.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A page size as a LIMIT.
pub(super) fn limit(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(column, value))
}

pub(super) fn small(row: &Row<'_>, column: usize) -> rusqlite::Result<u32> {
    let value: i64 = row.get(column)?;
    u32::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(column, value))
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

pub(super) fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let micros: Option<i64> = row.get(column)?;
    Ok(micros.map(Timestamp::from_micros))
}

pub(super) fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    let bytes = row.get_ref(column)?.as_blob()?;
    Uuid::from_slice(bytes).map_err(|error| unreadable(column, Type::Blob, error))
}

pub(super) fn optional_uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Uuid>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => uuid(row, column).map(Some),
    }
}

/// Reads a stored word with the parser of its type.
pub(super) fn word<T, E: Into<Box<dyn StdError + Send + Sync>>>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> rusqlite::Result<T> {
    parse(row.get_ref(column)?.as_str()?).map_err(|error| unreadable(column, Type::Text, error))
}

pub(super) fn unreadable(
    column: usize,
    kind: Type,
    error: impl Into<Box<dyn StdError + Send + Sync>>,
) -> Error {
    Error::FromSqlConversionFailure(column, kind, error.into())
}

/// A correlation id as it is stored: 16 bytes for a UUID in its usual form, which sort by time when it is a v7 and keep the
/// index growing at its end; text for anything else.
#[derive(Debug)]
pub(super) enum CorrelationKey {
    Uuid([u8; 16]),
    Text(String),
}

impl From<&CorrelationId> for CorrelationKey {
    fn from(id: &CorrelationId) -> Self {
        match Uuid::try_parse(id.as_str()) {
            Ok(uuid) if CorrelationId::new(uuid) == *id => Self::Uuid(uuid.into_bytes()),
            _ => Self::Text(id.as_str().to_owned()),
        }
    }
}

impl CorrelationKey {
    pub(super) fn uuid(&self) -> Option<[u8; 16]> {
        match self {
            Self::Uuid(bytes) => Some(*bytes),
            Self::Text(_) => None,
        }
    }
}

impl ToSql for CorrelationKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Uuid(bytes) => ValueRef::Blob(bytes),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

pub(super) fn correlation(row: &Row<'_>, column: usize) -> rusqlite::Result<CorrelationId> {
    match row.get_ref(column)? {
        ValueRef::Blob(_) => uuid(row, column).map(CorrelationId::new),
        _ => word(row, column, str::parse),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_usual_form_of_a_uuid_is_stored_as_bytes() {
        let key = |text: &str| CorrelationKey::from(&text.parse::<CorrelationId>().unwrap());
        let usual = "0190d3a0-7b1c-7000-8000-00000000002a";
        assert!(matches!(key(usual), CorrelationKey::Uuid(_)));
        for other in [usual.to_uppercase(), usual.replace('-', ""), "import-7".to_owned()] {
            assert!(matches!(key(&other), CorrelationKey::Text(text) if text == other));
        }
    }
}
