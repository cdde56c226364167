//! Events that a projection could not apply.

use crate::{BoxFuture, StoreFault};
use gallae_core::{Position, Timestamp, ViewKey};

/// Parked events, per projection and view key, in the event store's database.
///
/// A poison event parks its key: it and every later event of the key wait here, in order, while other keys go on.
pub trait DeadLetterStore: Send + Sync + 'static {
    /// Parks events. Parking the same (projection, position) again changes nothing but the error and the attempts.
    fn park(&self, letters: Vec<DeadLetter>) -> BoxFuture<'_, Result<(), StoreFault>>;

    /// The parked keys of a projection.
    fn parked_keys(&self, projection: &str) -> BoxFuture<'_, Result<Vec<ViewKey>, StoreFault>>;

    /// Parked events in position order: of one projection or all, of one key or all.
    fn dead_letters(
        &self,
        projection: Option<&str>,
        key: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreFault>>;

    /// Takes events off, after a successful retry or by an operator's decision; says how many were there.
    fn discard(
        &self,
        projection: &str,
        key: &ViewKey,
        up_to: Position,
    ) -> BoxFuture<'_, Result<u64, StoreFault>>;
}

/// A parked event. Its payload stays in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Whose.
    pub projection: String,
    /// Which view waits for it.
    pub key: ViewKey,
    /// Which event.
    pub position: Position,
    /// Its type.
    pub event_type: String,
    /// What went wrong, or that it waits behind another.
    pub error: String,
    /// Tries so far.
    pub attempts: u32,
    /// When it was first parked.
    pub parked_at: Timestamp,
}
