//! The aggregates a platform knows.

use gallae_core::{Aggregate, AnyState, Event, EventType};
use std::{collections::BTreeMap, fmt};

/// How often an aggregate is snapshotted: after this many events since the last one.
pub(crate) const SNAPSHOT_EVERY: u64 = 256;

/// What the dispatcher needs to know of one aggregate type.
#[derive(Clone, Copy)]
pub struct AggregateType {
    /// [`Aggregate::TYPE`].
    pub name: &'static str,
    /// Its events.
    pub events: &'static [EventType],
    pub(crate) snapshot_revision: u32,
    pub(crate) fresh: fn() -> Box<dyn AnyState>,
    pub(crate) restore: Restore,
}

impl AggregateType {
    /// Describes `A`.
    pub fn of<A: Aggregate>() -> Self {
        Self {
            name: A::TYPE,
            events: A::Event::TYPES,
            snapshot_revision: A::SNAPSHOT_REVISION,
            fresh: || Box::new(A::default()),
            restore: |json| Ok(Box::new(serde_json::from_slice::<A>(json)?)),
        }
    }
}

impl fmt::Debug for AggregateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AggregateType").field(&self.name).finish()
    }
}

/// Reads a snapshot.
type Restore = fn(&[u8]) -> Result<Box<dyn AnyState>, serde_json::Error>;

/// Every aggregate type, by name.
pub(crate) type AggregateTypes = BTreeMap<&'static str, AggregateType>;
