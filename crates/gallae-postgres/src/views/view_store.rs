//! Views.

use super::{
    PostgresViews,
    documents::{self, Document, plain, stored_view},
    params::Params,
    query,
    reading::PLACE_COLUMNS,
    tables::Tables,
    writing::Admission,
};
use crate::views::cells;
use futures::FutureExt;
use gallae_core::{Position, ViewKey};
use gallae_ports::{
    ApplyError, BoxFuture, Slot, StoreFault, StoredView, ViewBatch, ViewPage, ViewQuery, ViewRow, ViewStore,
};

impl ViewStore for PostgresViews {
    fn load(
        &self,
        slot: &Slot,
        keys: &[ViewKey],
    ) -> BoxFuture<'_, Result<Vec<Option<StoredView>>, StoreFault>> {
        let (slot, keys) = (slot.clone(), keys.to_owned());
        async move { Self::fault("loading views", self.load_documents(&slot, &keys).await) }.boxed()
    }

    fn apply(&self, slot: &Slot, batch: ViewBatch) -> BoxFuture<'_, Result<(), ApplyError>> {
        let slot = slot.clone();
        async move {
            let ViewBatch { from, to, epoch, rows, removed } = &batch;
            let admission = Admission::Batch { from: *from, to: *to, epoch: *epoch };
            self.apply_to("applying rows to a view", &slot, admission, |tables, params| {
                documents::changes(tables, params, rows.iter().map(document), removed.iter())
            })
            .await
        }
        .boxed()
    }

    fn get(&self, projection: &str, key: &ViewKey) -> BoxFuture<'_, Result<Option<StoredView>, StoreFault>> {
        let (projection, key) = (projection.to_owned(), key.clone());
        async move {
            let select = |tables: &Tables, mut params: Params<'static>| {
                let key = params.text(cells::key(key.as_str())?.into_owned());
                let page = format!(
                    "SELECT d.key, d.document, d.changed_at FROM {} d WHERE d.key = {key}",
                    tables.documents
                );
                Ok(plain(page, String::new(), params))
            };
            let found = Self::fault("reading a view", self.read_live(&projection, select).await)?;
            Ok(found.rows.first().and_then(|row| stored_view(row, PLACE_COLUMNS)))
        }
        .boxed()
    }

    fn query(&self, projection: &str, query: &ViewQuery) -> BoxFuture<'_, Result<ViewPage, StoreFault>> {
        let (projection, query) = (projection.to_owned(), query.clone());
        async move {
            let select = |tables: &Tables, params: Params<'static>| query::select(tables, params, &query);
            let found = Self::fault("querying views", self.read_live(&projection, select).await)?;
            Self::fault("querying views", query::page(&found, &query))
        }
        .boxed()
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredView>, StoreFault>> {
        let (slot, after) = (slot.clone(), after.cloned());
        async move { Self::fault("scanning views", self.scan_documents(&slot, after.as_ref(), limit).await) }
            .boxed()
    }

    fn repair(
        &self,
        projection: &str,
        at: Position,
        rows: Vec<(ViewKey, Option<ViewRow>)>,
    ) -> BoxFuture<'_, Result<(), ApplyError>> {
        let projection = projection.to_owned();
        async move {
            self.repair_live("repairing views", &projection, at, |tables, params| {
                let kept = rows.iter().filter_map(|(_, row)| row.as_ref()).map(document);
                let removed = rows.iter().filter(|(_, row)| row.is_none()).map(|(key, _)| key);
                documents::changes(tables, params, kept, removed)
            })
            .await
        }
        .boxed()
    }
}

fn document(row: &ViewRow) -> Document<'_> {
    let ViewRow { key, document, fields, changed_at } = row;
    Document { key, document, fields, text: &[], changed_at: *changed_at }
}
