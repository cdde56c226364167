//! A checkout turned back.

use super::order_window;
use crate::orders::{Order, OrderEvent, OrderRejection, OrderStatus, Placed};
use gallae_core::{ClaimChange, Command, Decide, DecisionContext, Id};

/// Cancels a pending order, in the transaction that ends its checkout: by then every effect was undone. A customer's wish to
/// cancel is a signal to the checkout, not this command. The same products may be ordered again at once.
#[derive(Clone, Debug)]
pub struct CancelOrder {
    /// Which.
    pub order: Id<Order>,
    /// Stable, such as `INSUFFICIENT_STOCK`.
    pub code: String,
    /// In words.
    pub reason: String,
}

impl Command for CancelOrder {
    const NAME: &'static str = "order.cancel";
    type Aggregate = Order;

    fn target(&self) -> Id<Order> {
        self.order
    }

    fn claims(&self, state: &Order) -> Vec<ClaimChange> {
        let release = |placed: &Placed| ClaimChange::Release {
            key: order_window(placed.customer.id, &placed.items),
            owner: self.order.to_string(),
        };
        state.placed().map(release).into_iter().collect()
    }
}

impl Decide<CancelOrder> for Order {
    fn decide(
        &self,
        command: &CancelOrder,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<OrderEvent>, OrderRejection> {
        let placed = self.existing()?;
        match placed.status {
            OrderStatus::Pending => Ok(vec![OrderEvent::Cancelled {
                before: placed.summary(),
                code: command.code.clone(),
                reason: command.reason.clone(),
            }]),
            OrderStatus::Cancelled => Ok(vec![]),
            _ => Err(placed.wrong_status("PENDING")),
        }
    }
}
