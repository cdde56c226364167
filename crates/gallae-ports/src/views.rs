//! Documents that projections maintain and queries read.

use crate::{ApplyError, BoxFuture, ProjectionStore, Slot, StoreFault};
use bytes::Bytes;
use gallae_core::{FieldValue, Position, ViewKey};

/// Typed documents with declared fields. Reads without a slot go to the live generation.
pub trait ViewStore: ProjectionStore {
    /// The documents with these keys, in that order.
    fn load(
        &self,
        slot: &Slot,
        keys: &[ViewKey],
    ) -> BoxFuture<'_, Result<Vec<Option<StoredView>>, StoreFault>>;

    /// Writes rows and moves the cursor, together.
    fn apply(&self, slot: &Slot, batch: ViewBatch) -> BoxFuture<'_, Result<(), ApplyError>>;

    /// One live document.
    fn get(&self, projection: &str, key: &ViewKey) -> BoxFuture<'_, Result<Option<StoredView>, StoreFault>>;

    /// Live documents that match.
    ///
    /// # Errors
    /// A fault when a field is not declared.
    fn query(&self, projection: &str, query: &ViewQuery) -> BoxFuture<'_, Result<ViewPage, StoreFault>>;

    /// Documents of any generation in key order after `after`: for verification.
    fn scan(
        &self,
        slot: &Slot,
        after: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<StoredView>, StoreFault>>;

    /// Replaces or removes single live rows without moving the cursor, provided the cursor still is `at`: the repair of what
    /// verification found.
    fn repair(
        &self,
        projection: &str,
        at: Position,
        rows: Vec<(ViewKey, Option<ViewRow>)>,
    ) -> BoxFuture<'_, Result<(), ApplyError>>;
}

/// A document as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredView {
    /// Its key.
    pub key: ViewKey,
    /// JSON.
    pub document: Bytes,
    /// The source position of its last change; serves as its entity tag.
    pub changed_at: Position,
}

/// A document to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewRow {
    /// Its key.
    pub key: ViewKey,
    /// JSON.
    pub document: Bytes,
    /// The values of the declared fields, in their order.
    pub fields: Vec<FieldValue>,
    /// The source position of this change.
    pub changed_at: Position,
}

/// Rows and the cursor that commits with them.
#[derive(Clone, Debug, Default)]
pub struct ViewBatch {
    /// The cursor before.
    pub from: Position,
    /// The cursor after.
    pub to: Position,
    /// The writer's epoch; older than the newest seen is refused.
    pub epoch: u64,
    /// Rows to write, one per key.
    pub rows: Vec<ViewRow>,
    /// Keys to remove.
    pub removed: Vec<ViewKey>,
}

/// Which documents, in which order, which part of them.
#[derive(Clone, Debug, Default)]
pub struct ViewQuery {
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// By this declared field, then by key; by key alone if absent.
    pub order: Option<Order>,
    /// Which part.
    pub paging: Paging,
    /// Whether to count all that match.
    pub count: bool,
}

/// A condition on a declared field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The field's name.
    pub field: &'static str,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what. `In` takes several.
    pub values: Vec<FieldValue>,
}

impl Condition {
    /// The field has this value.
    pub fn is(field: &'static str, value: impl Into<FieldValue>) -> Self {
        Self { field, comparison: Comparison::Equal, values: vec![value.into()] }
    }
    /// The field is at least this value.
    pub fn at_least(field: &'static str, value: impl Into<FieldValue>) -> Self {
        Self { field, comparison: Comparison::AtLeast, values: vec![value.into()] }
    }
    /// The field is below this value.
    pub fn below(field: &'static str, value: impl Into<FieldValue>) -> Self {
        Self { field, comparison: Comparison::Below, values: vec![value.into()] }
    }
    /// The field has one of these values.
    pub fn one_of(field: &'static str, values: Vec<FieldValue>) -> Self {
        Self { field, comparison: Comparison::In, values }
    }
}

/// How a field is compared. A field without a value equals [`FieldValue::Null`] and is neither at least nor below anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Equal or greater.
    AtLeast,
    /// Less.
    Below,
    /// Equal to one of several.
    In,
}

/// The order of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The field's name.
    pub field: &'static str,
    /// Largest first, those without a value last. Equal ones are in the order of their keys either way.
    pub descending: bool,
}

/// Which part of the matching documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paging {
    /// `limit` documents after skipping `offset`.
    Page {
        /// How many to skip.
        offset: u64,
        /// How many at most.
        limit: usize,
    },
    /// `limit` documents after the one that an earlier page ended with.
    After {
        /// `next` of the earlier page; opaque.
        cursor: String,
        /// How many at most.
        limit: usize,
    },
}

impl Default for Paging {
    fn default() -> Self {
        Self::Page { offset: 0, limit: 20 }
    }
}

/// Matching documents.
#[derive(Clone, Debug, Default)]
pub struct ViewPage {
    /// The documents, in order.
    pub rows: Vec<StoredView>,
    /// How many match in all, if it was asked.
    pub total: Option<u64>,
    /// Where the next page starts, if there may be one; opaque.
    pub next: Option<String>,
}
