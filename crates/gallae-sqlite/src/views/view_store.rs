//! Views.

use super::{
    SqliteViews,
    documents::{self, Document, Pen, stored_view},
    generations, query,
};
use gallae_core::{Position, ViewKey};
use gallae_ports::{
    ApplyError, BoxFuture, Slot, StoreFault, StoredView, ViewBatch, ViewPage, ViewQuery, ViewRow, ViewStore,
};
use rusqlite::OptionalExtension;

impl ViewStore for SqliteViews {
    fn load(
        &self,
        slot: &Slot,
        keys: &[ViewKey],
    ) -> BoxFuture<'_, Result<Vec<Option<StoredView>>, StoreFault>> {
        let (slot, keys) = (slot.clone(), keys.to_owned());
        Box::pin(self.on_reader("loading views", move |session| documents::load(session, &slot, &keys)))
    }

    fn apply(&self, slot: &Slot, batch: ViewBatch) -> BoxFuture<'_, Result<(), ApplyError>> {
        let slot = slot.clone();
        let applied = self.on_writer("applying rows to a view", move |session| {
            match generations::admit(session, &slot, (batch.from, batch.to), batch.epoch)? {
                Err(refusal) => Ok(Err(refusal)),
                Ok(standing) => {
                    let mut pen = Pen::new(session, &standing)?;
                    batch.rows.iter().try_for_each(|row| pen.write(&document(row)))?;
                    batch.removed.iter().try_for_each(|key| pen.remove(key))?;
                    Ok(Ok(()))
                }
            }
        });
        Box::pin(async move { applied.await.map_err(ApplyError::Unavailable)? })
    }

    fn get(&self, projection: &str, key: &ViewKey) -> BoxFuture<'_, Result<Option<StoredView>, StoreFault>> {
        let (projection, key) = (projection.to_owned(), key.clone());
        Box::pin(self.on_reader("reading a view", move |session| {
            let tables = session.known(&projection)?.tables;
            let mut select = session.connection.prepare_cached(&tables.select)?;
            Ok(select.query_row([key.as_str()], stored_view).optional()?)
        }))
    }

    fn query(&self, projection: &str, query: &ViewQuery) -> BoxFuture<'_, Result<ViewPage, StoreFault>> {
        let (projection, query) = (projection.to_owned(), query.clone());
        Box::pin(self.on_reader("querying views", move |session| {
            let tables = session.known(&projection)?.tables;
            query::page(&session.connection, &tables, &query)
        }))
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredView>, StoreFault>> {
        let (slot, after) = (slot.clone(), after.cloned());
        Box::pin(self.on_reader("scanning views", move |session| {
            documents::scan(session, &slot, after.as_ref(), limit)
        }))
    }

    fn repair(
        &self,
        projection: &str,
        at: Position,
        rows: Vec<(ViewKey, Option<ViewRow>)>,
    ) -> BoxFuture<'_, Result<(), ApplyError>> {
        let projection = projection.to_owned();
        let repaired = self.on_writer("repairing views", move |session| {
            match generations::still_at(session, &projection, at)? {
                Err(refusal) => Ok(Err(refusal)),
                Ok(standing) => {
                    let mut pen = Pen::new(session, &standing)?;
                    rows.iter().try_for_each(|(key, row)| match row {
                        Some(row) => pen.write(&document(row)),
                        None => pen.remove(key),
                    })?;
                    Ok(Ok(()))
                }
            }
        });
        Box::pin(async move { repaired.await.map_err(ApplyError::Unavailable)? })
    }
}

fn document(row: &ViewRow) -> Document<'_> {
    let ViewRow { key, document, fields, changed_at } = row;
    Document { key, document, fields, text: &[], changed_at: *changed_at }
}
