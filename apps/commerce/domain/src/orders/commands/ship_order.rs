//! An order leaves.

use crate::orders::{Order, OrderEvent, OrderRejection, OrderStatus};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Ships an approved order. Again with the same tracking number is nothing to do.
#[derive(Clone, Debug)]
pub struct ShipOrder {
    /// Which.
    pub order: Id<Order>,
    /// The carrier's, 1 to 100 characters.
    pub tracking_number: String,
}

impl Command for ShipOrder {
    const NAME: &'static str = "order.ship";
    type Aggregate = Order;

    fn target(&self) -> Id<Order> {
        self.order
    }
}

impl Decide<ShipOrder> for Order {
    fn decide(
        &self,
        command: &ShipOrder,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<OrderEvent>, OrderRejection> {
        let placed = self.existing()?;
        let tracking_number = command.tracking_number.trim();
        if tracking_number.is_empty() || tracking_number.chars().count() > 100 {
            return Err(OrderRejection::InvalidTrackingNumber);
        }
        match placed.status {
            OrderStatus::Approved => {
                placed.refuse_while_refunding()?;
                let tracking_number = tracking_number.to_owned();
                Ok(vec![OrderEvent::Shipped { before: placed.summary(), tracking_number }])
            }
            OrderStatus::Shipped if placed.tracking_number.as_deref() == Some(tracking_number) => Ok(vec![]),
            _ => Err(placed.wrong_status("APPROVED")),
        }
    }
}
