//! Views and searched documents seen as one: documents with fields, the latter with text.

use gallae_core::{Position, ViewKey};
use gallae_ports::{
    ApplyError, BoxFuture, ProjectionStore, SearchBatch, SearchRow, SearchStore, Slot, StoreFault,
    StoredView, ViewBatch, ViewRow, ViewStore,
};
use std::sync::Arc;

/// A store of documents.
pub(in crate::projector) trait Documents: Send + Sync + 'static {
    fn projections(&self) -> &dyn ProjectionStore;

    fn load(
        &self,
        slot: &Slot,
        keys: &[ViewKey],
    ) -> BoxFuture<'_, Result<Vec<Option<StoredView>>, StoreFault>>;

    fn apply(&self, slot: &Slot, batch: SearchBatch) -> BoxFuture<'_, Result<(), ApplyError>>;

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredView>, StoreFault>>;

    fn repair(
        &self,
        projection: &str,
        at: Position,
        rows: Vec<(ViewKey, Option<SearchRow>)>,
    ) -> BoxFuture<'_, Result<(), ApplyError>>;
}

/// Documents that are queried.
pub(in crate::projector) struct ViewDocuments(pub(in crate::projector) Arc<dyn ViewStore>);

impl Documents for ViewDocuments {
    fn projections(&self) -> &dyn ProjectionStore {
        &*self.0
    }

    fn load(
        &self,
        slot: &Slot,
        keys: &[ViewKey],
    ) -> BoxFuture<'_, Result<Vec<Option<StoredView>>, StoreFault>> {
        self.0.load(slot, keys)
    }

    fn apply(&self, slot: &Slot, batch: SearchBatch) -> BoxFuture<'_, Result<(), ApplyError>> {
        let SearchBatch { from, to, epoch, rows, removed } = batch;
        let rows = rows.into_iter().map(without_text).collect();
        self.0.apply(slot, ViewBatch { from, to, epoch, rows, removed })
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredView>, StoreFault>> {
        self.0.scan(slot, after, limit)
    }

    fn repair(
        &self,
        projection: &str,
        at: Position,
        rows: Vec<(ViewKey, Option<SearchRow>)>,
    ) -> BoxFuture<'_, Result<(), ApplyError>> {
        let rows = rows.into_iter().map(|(key, row)| (key, row.map(without_text))).collect();
        self.0.repair(projection, at, rows)
    }
}

fn without_text(row: SearchRow) -> ViewRow {
    let SearchRow { key, document, fields, changed_at, text: _ } = row;
    ViewRow { key, document, fields, changed_at }
}

/// Documents that are searched.
pub(in crate::projector) struct SearchDocuments(pub(in crate::projector) Arc<dyn SearchStore>);

impl Documents for SearchDocuments {
    fn projections(&self) -> &dyn ProjectionStore {
        &*self.0
    }

    fn load(
        &self,
        slot: &Slot,
        keys: &[ViewKey],
    ) -> BoxFuture<'_, Result<Vec<Option<StoredView>>, StoreFault>> {
        self.0.load(slot, keys)
    }

    fn apply(&self, slot: &Slot, batch: SearchBatch) -> BoxFuture<'_, Result<(), ApplyError>> {
        self.0.apply(slot, batch)
    }

    fn scan(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredView>, StoreFault>> {
        self.0.scan(slot, after, limit)
    }

    fn repair(
        &self,
        projection: &str,
        at: Position,
        rows: Vec<(ViewKey, Option<SearchRow>)>,
    ) -> BoxFuture<'_, Result<(), ApplyError>> {
        self.0.repair(projection, at, rows)
    }
}
