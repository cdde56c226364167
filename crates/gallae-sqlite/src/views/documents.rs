//! Reading and writing documents: what views and search have in common.

use super::{
    session::{Session, Standing},
    shape::Tables,
    trouble::Trouble,
};
use bytes::Bytes;
use gallae_core::{FieldValue, Position, ViewKey};
use gallae_ports::{Slot, StoredView};
use rusqlite::{
    CachedStatement, Connection, OptionalExtension, Row, ToSql, params_from_iter,
    types::{ToSqlOutput, Value, ValueRef},
};

/// A document to write, borrowed from a batch of either port.
pub(super) struct Document<'a> {
    pub(super) key: &'a ViewKey,
    pub(super) document: &'a Bytes,
    pub(super) fields: &'a [FieldValue],
    /// None for a view.
    pub(super) text: &'a [String],
    pub(super) changed_at: Position,
}

/// A field's value as SQLite keeps it. Null is stored as minus infinity: it sorts before every number and text, as
/// [`FieldValue`] has it, and compares like any other value, so that SQL's third truth value does not come up.
pub(super) fn stored(value: &FieldValue) -> ValueRef<'_> {
    match value {
        FieldValue::Null => ValueRef::Real(f64::NEG_INFINITY),
        FieldValue::Integer(number) => ValueRef::Integer(*number),
        FieldValue::Text(text) => ValueRef::Text(text.as_bytes()),
    }
}

/// The value that [`stored`] wrote.
pub(super) fn field_value(value: ValueRef<'_>) -> rusqlite::Result<FieldValue> {
    Ok(match value {
        ValueRef::Integer(number) => FieldValue::Integer(number),
        ValueRef::Text(_) => FieldValue::Text(value.as_str()?.to_owned()),
        _ => FieldValue::Null,
    })
}

pub(super) fn owned(value: &FieldValue) -> Value {
    match value {
        FieldValue::Null => Value::Real(f64::NEG_INFINITY),
        FieldValue::Integer(number) => Value::Integer(*number),
        FieldValue::Text(text) => Value::Text(text.clone()),
    }
}

/// Key, document and position of its change from the first three columns.
pub(super) fn stored_view(row: &Row<'_>) -> rusqlite::Result<StoredView> {
    Ok(StoredView {
        key: ViewKey::from(row.get_ref(0)?.as_str()?),
        document: Bytes::copy_from_slice(row.get_ref(1)?.as_blob()?),
        changed_at: Position::new(row.get::<_, i64>(2)? as u64),
    })
}

pub(super) fn load(
    session: &mut Session,
    slot: &Slot,
    keys: &[ViewKey],
) -> Result<Vec<Option<StoredView>>, Trouble> {
    let tables = session.at(slot)?.tables;
    let mut select = session.connection.prepare_cached(&tables.select)?;
    let one = |key: &ViewKey| Ok(select.query_row([key.as_str()], stored_view).optional()?);
    keys.iter().map(one).collect()
}

pub(super) fn scan(
    session: &mut Session,
    slot: &Slot,
    after: Option<&ViewKey>,
    limit: usize,
) -> Result<Vec<StoredView>, Trouble> {
    let tables = session.at(slot)?.tables;
    let after_clause = if after.is_some() { "WHERE key > ?2" } else { "" };
    let sql = format!(
        "SELECT key, document, changed_at FROM {} {after_clause} ORDER BY key LIMIT ?1",
        tables.documents
    );
    let mut select = session.connection.prepare_cached(&sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = match after {
        Some(key) => select.query_map((limit, key.as_str()), stored_view)?,
        None => select.query_map([limit], stored_view)?,
    };
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Writes and removes documents of a generation.
pub(super) struct Pen<'a> {
    connection: &'a Connection,
    tables: &'a Tables,
    find: CachedStatement<'a>,
    insert: CachedStatement<'a>,
}

impl<'a> Pen<'a> {
    pub(super) fn new(session: &'a Session, standing: &'a Standing) -> Result<Self, Trouble> {
        let (connection, tables) = (&session.connection, &*standing.tables);
        let find = connection.prepare_cached(&tables.stored)?;
        let insert = connection.prepare_cached(&tables.insert)?;
        Ok(Self { connection, tables, find, insert })
    }

    pub(super) fn write(&mut self, row: &Document<'_>) -> Result<(), Trouble> {
        self.tables.shape.check(row.key.as_str(), row.fields.len(), row.text.len())?;
        let texts = match row.text {
            [] => None,
            text => Some(serde_json::json!(text).to_string()),
        };
        let Some(before) = self.before(row, texts.as_deref())? else {
            return self.add(row, texts.as_deref());
        };
        self.change(row, texts.as_deref(), &before)?;
        if before.texts_differ {
            self.forget_words(before.id)?;
            self.index_words(before.id, row.text)?;
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &ViewKey) -> Result<(), Trouble> {
        let id = self.find.query_row([key.as_str()], |row| row.get::<_, i64>(0)).optional()?;
        let Some(id) = id else { return Ok(()) };
        self.forget_words(id)?;
        let sql = format!("DELETE FROM {} WHERE id = ?", self.tables.documents);
        self.connection.prepare_cached(&sql)?.execute([id])?;
        Ok(())
    }

    /// What is stored under the row's key, compared with the row.
    fn before(&mut self, row: &Document<'_>, texts: Option<&str>) -> Result<Option<Before>, Trouble> {
        let compare = |stored_row: &Row<'_>| {
            let texts_differ = match texts {
                Some(texts) => stored_row.get_ref(1)?.as_str()? != texts,
                None => false,
            };
            let first = 1 + usize::from(texts.is_some());
            let mut changed = Vec::new();
            for (at, value) in row.fields.iter().enumerate() {
                if stored_row.get_ref(first + at)? != stored(value) {
                    changed.push(at);
                }
            }
            Ok(Before { id: stored_row.get(0)?, changed, texts_differ })
        };
        Ok(self.find.query_row([row.key.as_str()], compare).optional()?)
    }

    fn add(&mut self, row: &Document<'_>, texts: Option<&str>) -> Result<(), Trouble> {
        let changed_at = row.changed_at.get() as i64;
        let head = [
            ValueRef::Text(row.key.as_str().as_bytes()),
            ValueRef::Integer(changed_at),
            ValueRef::Blob(row.document),
        ];
        let texts = texts.map(|texts| ValueRef::Text(texts.as_bytes()));
        let values = head.into_iter().chain(texts).chain(row.fields.iter().map(stored));
        self.insert.execute(params_from_iter(values.map(ToSqlOutput::Borrowed)))?;
        if !row.text.is_empty() {
            self.index_words(self.connection.last_insert_rowid(), row.text)?;
        }
        Ok(())
    }

    /// Sets only what differs: SQLite rewrites the entry of every index whose column is set, even to the same value.
    fn change(&self, row: &Document<'_>, texts: Option<&str>, before: &Before) -> Result<(), Trouble> {
        let texts = texts.filter(|_| before.texts_differ);
        let mut sql = format!("UPDATE {} SET changed_at = ?, document = ?", self.tables.documents);
        if texts.is_some() {
            sql += ", texts = ?";
        }
        for &at in &before.changed {
            sql += ", ";
            sql += &self.tables.columns[at];
            sql += " = ?";
        }
        sql += " WHERE id = ?";
        let head = [ValueRef::Integer(row.changed_at.get() as i64), ValueRef::Blob(row.document)];
        let texts = texts.map(|texts| ValueRef::Text(texts.as_bytes()));
        let fields = before.changed.iter().map(|&at| stored(&row.fields[at]));
        let values = head.into_iter().chain(texts).chain(fields).chain([ValueRef::Integer(before.id)]);
        self.connection.prepare_cached(&sql)?.execute(params_from_iter(values.map(ToSqlOutput::Borrowed)))?;
        Ok(())
    }

    fn index_words(&self, id: i64, text: &[String]) -> Result<(), Trouble> {
        let Some(words) = &self.tables.words else { return Ok(()) };
        let names: String = (0..text.len()).map(|at| format!(", t{at}")).collect();
        let sql = format!("INSERT INTO {words} (rowid{names}) VALUES (?{})", ", ?".repeat(text.len()));
        let tokens: Vec<String> =
            text.iter().map(|text| gallae_ports::text::index_terms(text).join(" ")).collect();
        let values = tokens.iter().map(|tokens| tokens as &dyn ToSql);
        let values = std::iter::once(&id as &dyn ToSql).chain(values);
        self.connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
        Ok(())
    }

    fn forget_words(&self, id: i64) -> Result<(), Trouble> {
        let Some(words) = &self.tables.words else { return Ok(()) };
        self.connection.prepare_cached(&format!("DELETE FROM {words} WHERE rowid = ?"))?.execute([id])?;
        Ok(())
    }
}

/// A stored row, compared with the one that replaces it.
struct Before {
    id: i64,
    /// The fields that differ, by place.
    changed: Vec<usize>,
    texts_differ: bool,
}
