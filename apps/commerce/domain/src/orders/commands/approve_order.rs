//! An operator lets an order go to the warehouse.

use crate::orders::{Order, OrderEvent, OrderRejection, OrderStatus};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Approves a confirmed order.
#[derive(Clone, Debug)]
pub struct ApproveOrder {
    /// Which.
    pub order: Id<Order>,
}

impl Command for ApproveOrder {
    const NAME: &'static str = "order.approve";
    type Aggregate = Order;

    fn target(&self) -> Id<Order> {
        self.order
    }
}

impl Decide<ApproveOrder> for Order {
    fn decide(&self, _: &ApproveOrder, _: &DecisionContext<'_>) -> Result<Vec<OrderEvent>, OrderRejection> {
        let placed = self.existing()?;
        match placed.status {
            OrderStatus::Confirmed => {
                placed.refuse_while_refunding()?;
                Ok(vec![OrderEvent::Approved { before: placed.summary() }])
            }
            OrderStatus::Approved => Ok(vec![]),
            _ => Err(placed.wrong_status("CONFIRMED")),
        }
    }
}
