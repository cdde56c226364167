//! Holding a lease for as long as a piece of work runs.

use gallae_ports::{Clock, LeaseStore, StoreFault};
use std::{sync::Arc, time::Duration};

/// A lease that this node holds. The work that it covers is raced against [`Tenure::lost`].
///
/// The lease only keeps two nodes from doing the same work; what keeps the data right is the epoch, which the work hands
/// to every write.
#[derive(Debug)]
pub(crate) struct Tenure<'a> {
    terms: &'a LeaseTerms,
    epoch: u64,
}

/// Which lease, for whom, for how long.
#[derive(Clone)]
pub(crate) struct LeaseTerms {
    pub(crate) store: Arc<dyn LeaseStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) name: String,
    pub(crate) owner: Arc<str>,
    pub(crate) ttl: Duration,
}

impl std::fmt::Debug for LeaseTerms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeaseTerms").field("name", &self.name).field("owner", &self.owner).finish()
    }
}

impl LeaseTerms {
    /// How often a holder renews, and a candidate asks.
    pub(crate) fn interval(&self) -> Duration {
        self.ttl / 3
    }

    /// Takes the lease, unless somebody else holds it.
    pub(crate) async fn take(&self) -> Result<Option<Tenure<'_>>, StoreFault> {
        let lease = self.store.acquire(&self.name, &self.owner, self.ttl).await?;
        Ok(lease.map(|lease| Tenure { terms: self, epoch: lease.epoch }))
    }
}

impl Tenure<'_> {
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Renews the lease; returns when it is lost, or may have been because the store has not answered for its whole length.
    pub(crate) async fn lost(&self) {
        let LeaseTerms { store, clock, name, owner, ttl } = self.terms;
        let mut renewed = clock.monotonic();
        loop {
            clock.sleep(self.terms.interval()).await;
            let asked = clock.monotonic();
            match store.renew(name, owner, self.epoch, *ttl).await {
                Ok(true) => renewed = asked,
                Ok(false) => break,
                Err(error) if clock.monotonic().saturating_sub(renewed) > *ttl => {
                    tracing::warn!(lease = name, error = %error, "a lease could not be renewed in time");
                    break;
                }
                Err(_) => {}
            }
        }
        tracing::warn!(lease = name, epoch = self.epoch, "a lease was lost; its work stands by");
    }

    /// Lets it go, so that another node need not wait for it to run out.
    pub(crate) async fn release(self) {
        let LeaseTerms { store, name, owner, .. } = self.terms;
        if let Err(error) = store.release(name, owner, self.epoch).await {
            tracing::warn!(lease = name, error = %error, "a lease could not be released; it will run out");
        }
    }
}
