//! An order arrives.

use crate::orders::{Order, OrderEvent, OrderRejection, OrderStatus};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Records that a shipped order arrived.
#[derive(Clone, Debug)]
pub struct DeliverOrder {
    /// Which.
    pub order: Id<Order>,
}

impl Command for DeliverOrder {
    const NAME: &'static str = "order.deliver";
    type Aggregate = Order;

    fn target(&self) -> Id<Order> {
        self.order
    }
}

impl Decide<DeliverOrder> for Order {
    fn decide(&self, _: &DeliverOrder, _: &DecisionContext<'_>) -> Result<Vec<OrderEvent>, OrderRejection> {
        let placed = self.existing()?;
        match placed.status {
            OrderStatus::Shipped => Ok(vec![OrderEvent::Delivered { before: placed.summary() }]),
            OrderStatus::Delivered => Ok(vec![]),
            _ => Err(placed.wrong_status("SHIPPED")),
        }
    }
}
