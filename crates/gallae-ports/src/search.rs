//! Documents found by text.

use crate::{ApplyError, BoxFuture, Condition, Paging, ProjectionStore, Slot, StoreFault, StoredView};
use bytes::Bytes;
use gallae_core::{FieldValue, Position, ViewKey};

/// Text search in several fields, Korean and English alike.
///
/// Every term of the query must match, in any field, at the beginning of a word or, for scripts without spaces between
/// words such as Korean, anywhere: 강남 finds 서울시강남구. A query without terms matches every document. Case and Unicode form do not matter. More important fields and
/// more matches rank higher; equal ranks are ordered by newest change, then key.
pub trait SearchStore: ProjectionStore {
    /// The documents with these keys, in that order.
    fn load(
        &self,
        slot: &Slot,
        keys: &[ViewKey],
    ) -> BoxFuture<'_, Result<Vec<Option<StoredView>>, StoreFault>>;

    /// Writes rows and moves the cursor, together.
    fn apply(&self, slot: &Slot, batch: SearchBatch) -> BoxFuture<'_, Result<(), ApplyError>>;

    /// Live documents that match.
    fn search(&self, projection: &str, query: &SearchQuery) -> BoxFuture<'_, Result<SearchPage, StoreFault>>;

    /// Documents of any generation in key order after `after`: for verification.
    fn scan(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredView>, StoreFault>>;

    /// Replaces or removes single live rows without moving the cursor, provided the cursor still is `at`.
    fn repair(
        &self,
        projection: &str,
        at: Position,
        rows: Vec<(ViewKey, Option<SearchRow>)>,
    ) -> BoxFuture<'_, Result<(), ApplyError>>;
}

/// A document to store and index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchRow {
    /// Its key.
    pub key: ViewKey,
    /// JSON.
    pub document: Bytes,
    /// The values of the declared fields, in their order.
    pub fields: Vec<FieldValue>,
    /// The text of the declared text fields, in their order.
    pub text: Vec<String>,
    /// The source position of this change.
    pub changed_at: Position,
}

/// Rows and the cursor that commits with them.
#[derive(Clone, Debug, Default)]
pub struct SearchBatch {
    /// The cursor before.
    pub from: Position,
    /// The cursor after.
    pub to: Position,
    /// The writer's epoch.
    pub epoch: u64,
    /// Rows to write, one per key.
    pub rows: Vec<SearchRow>,
    /// Keys to remove.
    pub removed: Vec<ViewKey>,
}

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct SearchQuery {
    /// As typed; at most 200 characters are looked at.
    pub text: String,
    /// Conditions on declared fields; all must hold.
    pub conditions: Vec<Condition>,
    /// Which part, by offset.
    pub paging: Paging,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct SearchPage {
    /// Best first.
    pub hits: Vec<SearchHit>,
    /// How many match in all.
    pub total: u64,
}

/// One document found.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchHit {
    /// The document.
    pub row: StoredView,
    /// Higher is better; comparable within one query only.
    pub score: f64,
    /// Where it matched.
    pub highlights: Vec<Highlight>,
}

/// A piece of a text field with its matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Highlight {
    /// The text field.
    pub field: &'static str,
    /// The piece of text.
    pub text: String,
    /// The matches in it: byte ranges, in order, not overlapping, on character boundaries.
    pub matches: Vec<(usize, usize)>,
}
