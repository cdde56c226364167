//! Stock, as the log tells it.

use commerce_domain::stock::{StockEvent, StockLevels};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The copies of one book.
#[derive(Clone, Debug, Default)]
pub(super) struct StockTally {
    pub(super) levels: StockLevels,
    /// Copies that came back with refunds.
    pub(super) returned: u64,
    /// Open promises, by order.
    pub(super) reserved: BTreeMap<Uuid, u64>,
}

impl StockTally {
    pub(super) fn stock(&mut self, event: &StockEvent) {
        self.levels = event.levels();
        match event {
            StockEvent::Reserved { order, quantity, .. } => {
                self.reserved.insert(order.uuid(), u64::from(*quantity));
            }
            StockEvent::Released { order, .. } | StockEvent::Sold { order, .. } => {
                self.reserved.remove(&order.uuid());
            }
            StockEvent::Returned { quantity, .. } => self.returned += u64::from(*quantity),
            StockEvent::Changed { .. } => {}
        }
    }
}
