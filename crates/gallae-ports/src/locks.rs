//! Locks for efficiency. Correctness comes from versions, claims and epochs in the event store.

use crate::{BoxFuture, StoreFault};
use std::time::Duration;

/// Named locks that run out by themselves.
///
/// A grant carries a fencing token that grows with every grant of the key; whatever the lock protects must refuse a token
/// lower than the highest seen, because a holder may be paused past its lease without knowing.
pub trait LockService: Send + Sync + 'static {
    /// Tries to take the lock; being refused is an answer, not an error.
    fn try_lock(
        &self,
        key: &str,
        holder: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Result<LockGrant, LockRefusal>, StoreFault>>;

    /// Extends a grant; `false` if it was lost.
    fn extend(&self, grant: &LockGrant, ttl: Duration) -> BoxFuture<'_, Result<bool, StoreFault>>;

    /// Gives a grant back; `false` if it was lost.
    fn unlock(&self, grant: &LockGrant) -> BoxFuture<'_, Result<bool, StoreFault>>;

    /// Who holds the lock.
    fn lock_state(&self, key: &str) -> BoxFuture<'_, Result<Option<LockState>, StoreFault>>;

    /// Takes the lock away from whoever holds it: an operator's act. `false` if it was free.
    fn break_lock(&self, key: &str) -> BoxFuture<'_, Result<bool, StoreFault>>;
}

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockGrant {
    /// The key.
    pub key: String,
    /// Who holds it.
    pub holder: String,
    /// Grows with every grant of the key.
    pub fencing_token: u64,
    /// Known to the holder alone; proves the grant.
    pub secret: u128,
}

/// Somebody else holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockRefusal {
    /// Who.
    pub holder: String,
    /// For how much longer, unless it is given back or extended.
    pub remaining: Duration,
}

/// How a lock stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockState {
    /// Who holds it.
    pub holder: String,
    /// The token of the grant.
    pub fencing_token: u64,
    /// For how much longer.
    pub remaining: Duration,
}
