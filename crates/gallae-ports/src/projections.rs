//! What views, search and counters have in common: a cursor that commits with the rows, and generations that let a rebuild
//! happen beside the live rows.

use crate::{BoxFuture, StoreFault};
use gallae_core::{Field, Position};

/// Cursors and generations of the projections that live in one store.
///
/// ```text
///   projection "orders"   generation 3  LIVE     cursor 9,120   ◄── queries read here
///                         generation 4  shadow   cursor 4,000   ◄── a rebuild fills it, then `switch` makes it live
/// ```
///
/// Rows and cursor of a generation change together or not at all. A batch names the cursor it starts from; if the store
/// stands elsewhere, or the epoch is older than the newest seen, nothing is written.
pub trait ProjectionStore: Send + Sync + 'static {
    /// Makes the projection known. Creates its live generation at cursor zero when it is new, or when its stored revision
    /// differs and `replace` is set; says how it stands. A stored revision that differs is reported, not touched, when `replace`
    /// is not set.
    fn open(&self, spec: &ProjectionSpec, replace: bool) -> BoxFuture<'_, Result<SlotState, StoreFault>>;

    /// How the live generation of a projection stands; `None` if the store does not know it.
    fn state(&self, projection: &str) -> BoxFuture<'_, Result<Option<SlotState>, StoreFault>>;

    /// A new, empty generation beside the live one, at cursor zero. An earlier unfinished one is dropped.
    fn create_shadow(&self, spec: &ProjectionSpec) -> BoxFuture<'_, Result<Slot, StoreFault>>;

    /// The cursor of any generation.
    fn cursor(&self, slot: &Slot) -> BoxFuture<'_, Result<Position, StoreFault>>;

    /// Makes `shadow` live, under the revision that it was created for, and drops what was live. One transaction: a query
    /// sees the old rows or the new ones. Refused with [`ApplyError::Cursor`] when the live cursor has passed the shadow's.
    fn switch(&self, shadow: &Slot) -> BoxFuture<'_, Result<(), ApplyError>>;

    /// Drops a shadow; nothing if it is gone.
    fn drop_shadow(&self, shadow: &Slot) -> BoxFuture<'_, Result<(), StoreFault>>;

    /// Whether an operator holds the projection.
    fn set_paused(&self, projection: &str, paused: bool) -> BoxFuture<'_, Result<(), StoreFault>>;
}

/// A projection as a store needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectionSpec {
    /// Its name.
    pub name: &'static str,
    /// Its revision.
    pub revision: u32,
    /// The fields queries filter and sort by; none for counters.
    pub fields: &'static [Field],
    /// The names of its text fields; none unless it is searched.
    pub text: &'static [&'static str],
}

/// Which rows of a projection: counts up with each rebuild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// One generation of one projection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The projection.
    pub projection: String,
    /// The generation.
    pub generation: Generation,
}

/// How a projection stands in its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// The live generation.
    pub slot: Slot,
    /// The revision whose rows it holds.
    pub revision: u32,
    /// The last position applied.
    pub cursor: Position,
    /// Whether an operator holds it.
    pub paused: bool,
}

/// Why a batch of rows was not applied. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The store stands at another cursor: somebody else applies this projection. Read it again.
    #[error("the projection stands at {actual}, not at {expected}")]
    Cursor {
        /// Where the batch starts from.
        expected: Position,
        /// Where the store stands.
        actual: Position,
    },
    /// The writer's lease has been taken over.
    #[error("a writer with a newer epoch has taken over")]
    StaleEpoch,
    /// The generation was dropped or replaced: open the projection again.
    #[error("this generation of the projection is gone")]
    Gone,
    /// Try again later.
    #[error("the store is unavailable")]
    Unavailable(#[source] StoreFault),
}
