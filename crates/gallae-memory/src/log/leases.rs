//! Leases with epochs.

use super::{MemoryLog, ready};
use gallae_core::Timestamp;
use gallae_ports::{AppendError, BoxFuture, Fence, Lease, LeaseStore, StoreFault};
use std::{collections::BTreeMap, time::Duration};

#[derive(Debug, Default)]
pub(super) struct Leases(BTreeMap<String, Lease>);

impl Leases {
    /// Refuses a fence that names another epoch, or a lease that nobody holds. Time does not matter: a lease that has run
    /// out and was not taken over still has its epoch.
    pub(super) fn check_fence(&self, fence: Option<&Fence>) -> Result<(), AppendError> {
        let Some(Fence { lease, epoch }) = fence else { return Ok(()) };
        match self.0.get(lease) {
            Some(held) if held.epoch == *epoch && !held.owner.is_empty() => Ok(()),
            _ => Err(AppendError::Fenced { lease: lease.clone(), epoch: *epoch }),
        }
    }

    fn acquire(&mut self, name: &str, owner: &str, now: Timestamp, ttl: Duration) -> Option<Lease> {
        let until = now.after(ttl);
        let lease = self.0.entry(name.to_owned()).or_insert_with(|| Lease {
            name: name.to_owned(),
            owner: String::new(),
            epoch: 0,
            until: now,
            left: Duration::ZERO,
        });
        if lease.owner != owner {
            if !lease.owner.is_empty() && now < lease.until {
                return None;
            }
            owner.clone_into(&mut lease.owner);
            lease.epoch += 1;
        }
        (lease.until, lease.left) = (until, ttl);
        Some(lease.clone())
    }

    fn held(&mut self, name: &str, owner: &str, epoch: u64) -> Option<&mut Lease> {
        self.0.get_mut(name).filter(|lease| lease.owner == owner && lease.epoch == epoch)
    }

    fn renew(&mut self, name: &str, owner: &str, epoch: u64, until: Timestamp) -> bool {
        self.held(name, owner, epoch).map(|lease| lease.until = until).is_some()
    }

    fn release(&mut self, name: &str, owner: &str, epoch: u64, now: Timestamp) {
        if let Some(lease) = self.held(name, owner, epoch) {
            lease.owner.clear();
            lease.until = now;
        }
    }
}

impl LeaseStore for MemoryLog {
    fn acquire(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Option<Lease>, StoreFault>> {
        ready(self.state().leases.acquire(name, owner, self.clock.now(), ttl))
    }

    fn renew(
        &self,
        name: &str,
        owner: &str,
        epoch: u64,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<bool, StoreFault>> {
        let until = self.clock.now().after(ttl);
        ready(self.state().leases.renew(name, owner, epoch, until))
    }

    fn release(&self, name: &str, owner: &str, epoch: u64) -> BoxFuture<'_, Result<(), StoreFault>> {
        self.state().leases.release(name, owner, epoch, self.clock.now());
        ready(())
    }

    fn acquire_each(
        &self,
        names: &[String],
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Vec<Lease>, StoreFault>> {
        let (now, mut state) = (self.clock.now(), self.state());
        ready(names.iter().filter_map(|name| state.leases.acquire(name, owner, now, ttl)).collect())
    }

    fn renew_each(
        &self,
        held: &[Fence],
        owner: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Vec<String>, StoreFault>> {
        let (until, mut state) = (self.clock.now().after(ttl), self.state());
        let renewed = held.iter().filter(|held| state.leases.renew(&held.lease, owner, held.epoch, until));
        ready(renewed.map(|held| held.lease.clone()).collect())
    }

    fn release_each(&self, held: &[Fence], owner: &str) -> BoxFuture<'_, Result<(), StoreFault>> {
        let (now, mut state) = (self.clock.now(), self.state());
        held.iter().for_each(|held| state.leases.release(&held.lease, owner, held.epoch, now));
        ready(())
    }

    fn leases(&self) -> BoxFuture<'_, Result<Vec<Lease>, StoreFault>> {
        let now = self.clock.now();
        let shown = |lease: &Lease| Lease { left: lease.until.since(now), ..lease.clone() };
        ready(self.state().leases.0.values().map(shown).collect())
    }
}
