//! What must always add up, checked from the log and the provider's own record: used by `doctor` and by operators.

mod book;
mod order;
mod report;
mod scan;

pub use report::{Report, Violation};
pub use scan::{CheckError, check};

use crate::payments::PaymentGateway;
use gallae_ports::{BoxFuture, EventStore, StoreFault};
use gallae_server::admin::{InvariantCheck, Invariants};
use std::{fmt, sync::Arc};

/// The shop's part of `GET /admin/invariants`.
pub struct ShopInvariants {
    store: Arc<dyn EventStore>,
    gateway: Arc<dyn PaymentGateway>,
}

impl ShopInvariants {
    /// Of the shop on this log and with this provider.
    pub fn new(store: Arc<dyn EventStore>, gateway: Arc<dyn PaymentGateway>) -> Self {
        Self { store, gateway }
    }
}

impl Invariants for ShopInvariants {
    fn check(&self) -> BoxFuture<'_, Result<Vec<InvariantCheck>, StoreFault>> {
        Box::pin(async {
            let report = check(&*self.store, &*self.gateway).await;
            let report =
                report.map_err(|error| StoreFault::new("checking the shop's invariants").because(error))?;
            Ok(report.checks())
        })
    }
}

impl fmt::Debug for ShopInvariants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShopInvariants").finish_non_exhaustive()
    }
}
