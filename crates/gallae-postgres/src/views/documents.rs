//! Reading and writing documents: what views and search have in common.

use super::{
    PostgresViews, cells,
    failure::Failure,
    params::Params,
    reading::{PLACE_COLUMNS, Select},
    standing::position,
    tables::Tables,
    writing::Changes,
};
use bytes::Bytes;
use gallae_core::{FieldValue, Position, ViewKey};
use gallae_ports::{Kind, Mismatch, Slot, StoredView, text};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};
use tokio_postgres::{Row, types::Type};

/// A document to write, borrowed from a batch of either port.
#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) key: &'a ViewKey,
    pub(super) document: &'a Bytes,
    pub(super) fields: &'a [FieldValue],
    /// None for a view.
    pub(super) text: &'a [String],
    pub(super) changed_at: Position,
}

impl PostgresViews {
    /// The documents with these keys, in that order.
    pub(super) async fn load_documents(
        &self,
        slot: &Slot,
        keys: &[ViewKey],
    ) -> Result<Vec<Option<StoredView>>, Failure> {
        let wanted = keys.iter().map(|key| Ok(cells::key(key.as_str())?.into_owned()));
        let wanted = wanted.collect::<Result<Vec<_>, Failure>>()?;
        let select = |tables: &Tables, mut params: Params<'static>| {
            let keys = params.add(wanted, Type::TEXT_ARRAY);
            let page = format!(
                "SELECT d.key, d.document, d.changed_at FROM {} d WHERE d.key = ANY ({keys})",
                tables.documents
            );
            Ok(plain(page, String::new(), params))
        };
        let (_, rows) = self.read_slot(slot, select).await?;
        let found: HashMap<ViewKey, StoredView> = rows
            .iter()
            .filter_map(|row| stored_view(row, PLACE_COLUMNS))
            .map(|view| (view.key.clone(), view))
            .collect();
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    /// Documents in the order of their keys after `after`.
    pub(super) async fn scan_documents(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> Result<Vec<StoredView>, Failure> {
        let after = after.map(|key| cells::key(key.as_str())).transpose()?.map(Cow::into_owned);
        let select = |tables: &Tables, mut params: Params<'static>| {
            let rest = after.map(|after| format!("WHERE d.key > {}", params.text(after))).unwrap_or_default();
            let limit = params.integer(i64::try_from(limit).unwrap_or(i64::MAX));
            let page = format!(
                "SELECT d.key, d.document, d.changed_at FROM {} d {rest} ORDER BY d.key LIMIT {limit}",
                tables.documents
            );
            Ok(plain(page, " ORDER BY page.key".to_owned(), params))
        };
        let (_, rows) = self.read_slot(slot, select).await?;
        Ok(rows.iter().filter_map(|row| stored_view(row, PLACE_COLUMNS)).collect())
    }
}

/// A selection of key, document and position of its change.
pub(super) fn plain(page: String, order: String, params: Params<'static>) -> Select {
    let columns = "page.key, page.document, page.changed_at".to_owned();
    Select { once: String::new(), columns, page, order, params, prepare: true }
}

/// Key, document and position of its change, from the column `first` on; nothing where there was no row.
pub(super) fn stored_view(row: &Row, first: usize) -> Option<StoredView> {
    let key: Option<&str> = row.get(first);
    Some(StoredView {
        key: ViewKey::from(cells::restored(key?)),
        document: Bytes::copy_from_slice(row.get(first + 1)),
        changed_at: position(row.get(first + 2)),
    })
}

/// Writes and removes documents: one row a key, the last one given, in the order of the keys.
pub(super) fn changes<'b>(
    tables: &Tables,
    params: &mut Params<'b>,
    rows: impl Iterator<Item = Document<'b>>,
    removed: impl Iterator<Item = &'b ViewKey>,
) -> Result<Changes, Failure> {
    let mut latest: BTreeMap<&str, Document<'b>> = BTreeMap::new();
    for row in rows {
        tables.shape.check(row.key.as_str(), row.fields.len(), row.text.len())?;
        latest.insert(row.key.as_str(), row);
    }
    let mut gone: Vec<&str> = removed.map(ViewKey::as_str).collect();
    gone.sort_unstable();
    gone.dedup();
    for key in &gone {
        latest.remove(key);
    }
    let mut changes = Changes::new();
    if !latest.is_empty() {
        let rows: Vec<Document<'b>> = latest.into_values().collect();
        let keys = rows.iter().map(|row| cells::key(row.key.as_str())).collect::<Result<Vec<_>, _>>()?;
        let keys = params.add(keys, Type::TEXT_ARRAY);
        changes.push(write(tables, params, &keys, &rows)?);
        if let Some(words) = &tables.words {
            changes.push(write_words(tables, words, params, &keys, &rows));
        }
    }
    if !gone.is_empty() {
        let keys = gone.into_iter().map(cells::key).collect::<Result<Vec<_>, _>>()?;
        let keys = params.add(keys, Type::TEXT_ARRAY);
        for (name, table) in [("removed", Some(&tables.documents)), ("unworded", tables.words.as_ref())] {
            let Some(table) = table else { continue };
            changes
                .push(format!("{name} AS (DELETE FROM {table} t USING admitted WHERE t.key = ANY ({keys}))"));
        }
    }
    Ok(changes)
}

fn write<'b>(
    tables: &Tables,
    params: &mut Params<'b>,
    keys: &str,
    rows: &[Document<'b>],
) -> Result<String, Failure> {
    let changed: Vec<i64> = rows.iter().map(|row| row.changed_at.get().cast_signed()).collect();
    let documents: Vec<&'b [u8]> = rows.iter().map(|row| &**row.document).collect();
    let mut arrays = vec![keys.to_owned()];
    arrays.push(params.add(changed, Type::INT8_ARRAY));
    for (at, (name, kind)) in tables.shape.fields.iter().enumerate() {
        let values = rows.iter().map(|row| &row.fields[at]);
        arrays.push(match kind {
            Kind::Integer => {
                let values = values.map(|value| number(name, value)).collect::<Result<Vec<_>, _>>()?;
                params.add(values, Type::INT8_ARRAY)
            }
            Kind::Text => {
                let values = values.map(|value| words_of(name, value)).collect::<Result<Vec<_>, _>>()?;
                params.add(values, Type::TEXT_ARRAY)
            }
        });
    }
    arrays.push(params.add(documents, Type::BYTEA_ARRAY));
    let set: Vec<&str> = ["changed_at"]
        .into_iter()
        .chain(tables.columns.iter().map(String::as_str))
        .chain(["document"])
        .collect();
    Ok(upsert("written", &tables.documents, &set, &arrays, "r.*", ""))
}

fn number(field: &str, value: &FieldValue) -> Result<Option<i64>, Mismatch> {
    match value {
        FieldValue::Null => Ok(None),
        FieldValue::Integer(number) => Ok(Some(*number)),
        FieldValue::Text(_) => Err(Mismatch(format!("the field {field} holds numbers, and was given text"))),
    }
}

fn words_of<'b>(field: &str, value: &'b FieldValue) -> Result<Option<Cow<'b, str>>, Mismatch> {
    match value {
        FieldValue::Null => Ok(None),
        FieldValue::Text(text) => Ok(Some(cells::field(text))),
        FieldValue::Integer(_) => {
            Err(Mismatch(format!("the field {field} holds text, and was given a number")))
        }
    }
}

/// Words are indexed again only where a text has changed.
fn write_words(
    tables: &Tables,
    table: &str,
    params: &mut Params<'_>,
    keys: &str,
    rows: &[Document<'_>],
) -> String {
    let words: Vec<String> = rows.iter().map(|row| super::search::vector(row.text)).collect();
    let mut arrays = vec![keys.to_owned(), params.add(words, Type::TEXT_ARRAY)];
    for at in 0..tables.text.len() {
        let folded: Vec<String> = rows.iter().map(|row| text::folded_runs(&row.text[at])).collect();
        arrays.push(params.add(folded, Type::TEXT_ARRAY));
    }
    let texts: Vec<Vec<u8>> = rows.iter().map(|row| serde_json::json!(row.text).to_string().into()).collect();
    arrays.push(params.add(texts, Type::BYTEA_ARRAY));
    let columns: Vec<String> = tables.text_columns().collect();
    let set: Vec<&str> =
        ["words"].into_iter().chain(columns.iter().map(String::as_str)).chain(["texts"]).collect();
    let given: String = columns.iter().map(|column| format!("r.{column}, ")).collect();
    let select = format!("r.key, r.words::tsvector, {given}r.texts");
    upsert("worded", table, &set, &arrays, &select, " WHERE t.texts <> excluded.texts")
}

/// An expression that writes rows given as arrays, the keys first and then `columns`.
fn upsert(name: &str, table: &str, columns: &[&str], arrays: &[String], select: &str, only: &str) -> String {
    let set: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let (columns, set, arrays) = (columns.join(", "), set.join(", "), arrays.join(", "));
    format!(
        "{name} AS (INSERT INTO {table} AS t (key, {columns})
             SELECT {select} FROM admitted CROSS JOIN unnest({arrays}) AS r (key, {columns})
             ON CONFLICT (key) DO UPDATE SET {set}{only})"
    )
}
