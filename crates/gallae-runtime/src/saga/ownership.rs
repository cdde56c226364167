//! The partitions that this node holds: taken, renewed and given back in batches.
//!
//! The lease gives efficiency only. What keeps the data right is the fence of every transition, the version and the epoch of the
//! row, and the key of every effect.

use super::{
    engine::Core,
    roster::{Balance, balance, node_lease, partition_lease, partition_of},
    row,
};
use crate::supervisor::error_chain;
use gallae_core::SagaId;
use gallae_ports::{Clock, Fence, Lease, PARTITIONS, Partitions, StoreFault};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// One period of owning one partition.
pub(super) struct Tenure {
    pub(super) fence: Fence,
    /// Cancelled when the lease is lost or given back: whatever is under way is left to the next owner.
    pub(super) ended: CancellationToken,
    leaving: AtomicBool,
}

/// What this node holds.
pub(super) struct Holdings {
    tenures: Mutex<Vec<Option<Arc<Tenure>>>>,
    /// The lease of the node itself.
    node: Mutex<Option<Fence>>,
    /// On the monotonic clock, in microseconds: two thirds into the leases since their last renewal.
    call_until: AtomicU64,
    /// Partitions taken and not swept yet.
    gained: Mutex<Partitions>,
    gain: Notify,
    /// Nodes that run sagas, this one among them.
    nodes: watch::Sender<usize>,
}

impl Tenure {
    pub(super) fn epoch(&self) -> u64 {
        self.fence.epoch
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }
}

impl Holdings {
    pub(super) fn new() -> Self {
        Self {
            tenures: Mutex::new(vec![None; usize::from(PARTITIONS)]),
            node: Mutex::default(),
            call_until: AtomicU64::new(0),
            gained: Mutex::default(),
            gain: Notify::new(),
            nodes: watch::Sender::new(1),
        }
    }

    /// The tenure under which this node runs an instance, if it does.
    pub(super) fn of(&self, saga: SagaId) -> Option<Arc<Tenure>> {
        self.tenures().get(usize::from(row::partition(saga))).cloned().flatten()
    }

    /// The partitions held.
    pub(super) fn partitions(&self) -> Partitions {
        let held = |(partition, tenure): (usize, &Option<Arc<Tenure>>)| {
            tenure.as_ref().and_then(|_| u16::try_from(partition).ok())
        };
        self.tenures().iter().enumerate().filter_map(held).collect()
    }

    /// Whether calls may still leave under this tenure.
    pub(super) fn may_call(&self, tenure: &Tenure, clock: &dyn Clock) -> bool {
        !tenure.is_leaving()
            && !tenure.ended.is_cancelled()
            && micros(clock.monotonic()) < self.call_until.load(Ordering::Relaxed)
    }

    /// How many nodes run sagas: changes are told.
    pub(super) fn nodes(&self) -> watch::Receiver<usize> {
        self.nodes.subscribe()
    }

    /// Partitions taken since this was last asked; waits until there are some.
    pub(super) async fn gained(&self) -> Partitions {
        loop {
            let gained = std::mem::take(&mut *self.gained.lock().unwrap_or_else(PoisonError::into_inner));
            if !gained.is_empty() {
                return gained;
            }
            self.gain.notified().await;
        }
    }

    fn fences(&self) -> Vec<Fence> {
        let partitions =
            self.tenures().iter().flatten().map(|tenure| tenure.fence.clone()).collect::<Vec<_>>();
        self.node().clone().into_iter().chain(partitions).collect()
    }

    fn begin(&self, lease: &Lease) -> Option<u16> {
        let partition = partition_of(&lease.name)?;
        let fence = Fence { lease: lease.name.clone(), epoch: lease.epoch };
        let tenure = Tenure { fence, ended: CancellationToken::new(), leaving: AtomicBool::new(false) };
        *self.tenures().get_mut(usize::from(partition))? = Some(Arc::new(tenure));
        self.gained.lock().unwrap_or_else(PoisonError::into_inner).insert(partition);
        self.gain.notify_one();
        Some(partition)
    }

    fn end(&self, partition: u16) -> Option<Arc<Tenure>> {
        let tenure = self.tenures().get_mut(usize::from(partition))?.take()?;
        tenure.ended.cancel();
        Some(tenure)
    }

    fn tenures(&self) -> MutexGuard<'_, Vec<Option<Arc<Tenure>>>> {
        self.tenures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node(&self) -> MutexGuard<'_, Option<Fence>> {
        self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Tells the others that this node runs sagas.
    pub(super) async fn register(&self) -> Result<(), StoreFault> {
        let asked = self.clock.monotonic();
        let names = [node_lease(&self.settings.owner)];
        let taken = self.leases.acquire_each(&names, &self.settings.owner, self.settings.lease).await?;
        let fence = taken.into_iter().next().map(|lease| Fence { lease: lease.name, epoch: lease.epoch });
        if fence.is_none() {
            tracing::error!(
                node = self.settings.owner,
                "another process runs sagas under this node's name: give each node its own"
            );
        }
        *self.holdings.node() = fence;
        self.renewed(asked);
        Ok(())
    }

    /// Keeps what this node holds and strives for its share, for ever.
    pub(super) async fn keep(&self) {
        let (third, mut renewed) = (self.settings.lease / 3, self.clock.monotonic());
        loop {
            let asked = self.clock.monotonic();
            if asked.saturating_sub(renewed) >= third {
                match self.renew().await {
                    Ok(()) => renewed = asked,
                    Err(fault) => self.not_renewed(&fault, asked.saturating_sub(renewed)),
                }
            }
            if let Err(fault) = self.rebalance().await {
                tracing::warn!(
                    error = error_chain(&fault),
                    "leases of sagas could not be listed; looking again"
                );
            }
            self.clock.sleep(self.settings.roster).await;
        }
    }

    /// Renews everything held, in one statement. What is not renewed was lost.
    pub(super) async fn renew(&self) -> Result<(), StoreFault> {
        let (held, asked) = (self.holdings.fences(), self.clock.monotonic());
        let SagaTerms { owner, ttl } = self.terms();
        let renewed = self.leases.renew_each(&held, owner, ttl).await?;
        let lost = held.iter().filter(|fence| !renewed.contains(&fence.lease));
        self.lose(lost.filter_map(|fence| partition_of(&fence.lease)).collect());
        self.renewed(asked);
        if !renewed.contains(&node_lease(owner)) {
            self.register().await?;
        }
        Ok(())
    }

    fn renewed(&self, asked: Duration) {
        let until = micros(asked + self.settings.lease * 2 / 3);
        self.holdings.call_until.store(until, Ordering::Relaxed);
    }

    fn not_renewed(&self, fault: &StoreFault, since: Duration) {
        tracing::warn!(error = error_chain(fault), "the leases on sagas were not renewed; asking again");
        if since >= self.settings.lease {
            self.lose(self.holdings.partitions());
        }
    }

    fn lose(&self, partitions: Partitions) {
        if !partitions.is_empty() {
            self.queue.close(&partitions);
            partitions.iter().for_each(|partition| drop(self.holdings.end(partition)));
            self.forget_left_alone();
            tracing::warn!(
                partitions = partitions.len(),
                "leases on sagas were lost; what was under way is left to their new owner"
            );
            metrics::counter!("gallae_saga_leases_lost_total").increment(partitions.len() as u64);
        }
    }

    /// Gives back what is beyond this node's share, and takes what is free up to it.
    async fn rebalance(&self) -> Result<(), StoreFault> {
        let SagaTerms { owner, ttl } = self.terms();
        let leases = self.leases.leases().await?;
        let held = self.holdings.partitions();
        let Balance { nodes, surplus, wanted, abandoned } = balance(&leases, owner, &held);
        self.holdings.nodes.send_if_modified(|known| std::mem::replace(known, nodes) != nodes);
        self.give_back(surplus).await?;
        if !wanted.is_empty() {
            let names: Vec<_> = wanted.iter().map(|partition| partition_lease(*partition)).collect();
            let taken = self.leases.acquire_each(&names, owner, ttl).await?;
            let partitions: Partitions =
                taken.iter().filter_map(|lease| self.holdings.begin(lease)).collect();
            partitions.iter().for_each(|partition| self.queue.open(partition));
            let takeovers = partitions.iter().filter(|partition| abandoned.contains(*partition)).count();
            metrics::counter!("gallae_saga_lease_takeovers_total").increment(takeovers as u64);
            if !partitions.is_empty() {
                tracing::info!(partitions = partitions.len(), takeovers, nodes, "this node runs more sagas");
            }
        }
        metrics::gauge!("gallae_saga_partitions").set(self.holdings.partitions().len() as f64);
        metrics::gauge!("gallae_saga_nodes").set(nodes as f64);
        Ok(())
    }

    /// Gives back so many partitions, those first in which nothing is being run. One in which something is takes up nothing new,
    /// and is given back when that has come to rest.
    async fn give_back(&self, surplus: usize) -> Result<(), StoreFault> {
        let tenures = self.holdings.tenures().clone();
        let mut held: Vec<_> =
            (0..PARTITIONS).zip(&tenures).filter_map(|(n, t)| Some((n, t.as_ref()?))).collect();
        held.sort_by_key(|(partition, tenure)| (self.queue.is_busy(*partition), !tenure.is_leaving()));
        let stay = held.split_off(surplus.min(held.len()));
        for (partition, tenure) in stay.iter().filter(|(_, tenure)| tenure.is_leaving()) {
            tenure.leaving.store(false, Ordering::Relaxed);
            self.queue.open(*partition);
        }
        let (busy, idle): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|(partition, _)| self.queue.is_busy(*partition));
        self.leave(&busy.iter().map(|(partition, _)| *partition).collect());
        self.hand_over(idle.iter().map(|(partition, _)| *partition).collect()).await
    }

    /// No new instance of these partitions is taken up, and no new call made; what is under way may finish.
    pub(super) fn leave(&self, partitions: &Partitions) {
        self.queue.close(partitions);
        for (partition, tenure) in (0..PARTITIONS).zip(&*self.holdings.tenures()) {
            if let Some(tenure) = tenure.as_ref().filter(|_| partitions.contains(partition)) {
                tenure.leaving.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Releases partitions at once, whatever is under way in them.
    pub(super) async fn hand_over(&self, partitions: Partitions) -> Result<(), StoreFault> {
        if partitions.is_empty() {
            return Ok(());
        }
        self.queue.close(&partitions);
        let ended = partitions.iter().filter_map(|partition| self.holdings.end(partition));
        let fences: Vec<_> = ended.map(|tenure| tenure.fence.clone()).collect();
        self.forget_left_alone();
        self.leases.release_each(&fences, &self.settings.owner).await
    }

    /// Tells the others that this node runs no sagas any more.
    pub(super) async fn unregister(&self) -> Result<(), StoreFault> {
        let node = self.holdings.node().take();
        match node {
            Some(node) => self.leases.release_each(&[node], &self.settings.owner).await,
            None => Ok(()),
        }
    }

    fn terms(&self) -> SagaTerms<'_> {
        SagaTerms { owner: &self.settings.owner, ttl: self.settings.lease }
    }
}

struct SagaTerms<'a> {
    owner: &'a str,
    ttl: Duration,
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
