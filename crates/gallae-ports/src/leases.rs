//! Leases with epochs: who does a piece of work, and proof that it still does.

use crate::{BoxFuture, Fence, StoreFault};
use gallae_core::Timestamp;
use std::time::Duration;

/// Leases in the event store's database, judged by its clock.
///
/// A lease gives efficiency; safety is the epoch, checked in the transaction of every append that names it as its fence.
pub trait LeaseStore: Send + Sync + 'static {
    /// Takes the lease if nobody holds it, it has run out, or `owner` holds it. A change of owner raises the epoch.
    /// `None`: somebody else holds it.
    fn acquire(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Option<Lease>, StoreFault>>;

    /// Extends a lease that `owner` holds at `epoch`; `false` if it was lost.
    fn renew(
        &self,
        name: &str,
        owner: &str,
        epoch: u64,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<bool, StoreFault>>;

    /// Lets it go at once, so that the next owner need not wait.
    fn release(&self, name: &str, owner: &str, epoch: u64) -> BoxFuture<'_, Result<(), StoreFault>>;

    /// Takes each of these leases that [`acquire`](Self::acquire) would give, in one statement; those that somebody else holds
    /// are left out.
    fn acquire_each(
        &self,
        names: &[String],
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Vec<Lease>, StoreFault>>;

    /// Extends each of these leases that `owner` still holds at its epoch, in one statement. The names of those extended: what
    /// is missing was lost.
    fn renew_each(
        &self,
        held: &[Fence],
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Vec<String>, StoreFault>>;

    /// Lets each of these leases go that `owner` still holds at its epoch, in one statement.
    fn release_each(&self, held: &[Fence], owner: &str) -> BoxFuture<'_, Result<(), StoreFault>>;

    /// Every lease.
    fn leases(&self) -> BoxFuture<'_, Result<Vec<Lease>, StoreFault>>;
}

/// A lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// Who holds it; empty if released.
    pub owner: String,
    /// Counts the changes of owner; never decreases.
    pub epoch: u64,
    /// Until when, by the store's clock.
    pub until: Timestamp,
    /// How long it still lasts, by the store's clock; zero once it has run out or was released.
    pub left: Duration,
}
