//! The point of no return.

use crate::{
    orders::{Order, OrderEvent, OrderRejection, OrderStatus, PaymentReference},
    payments::{Payment, gateway::Authorization},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Confirms a pending order whose stock is sold to it in the same transaction. Refused once the authorisation of its payment
/// has expired.
#[derive(Clone, Debug)]
pub struct ConfirmOrder {
    /// Which.
    pub order: Id<Order>,
    /// What the provider said, if it did.
    pub authorization: Option<Authorization>,
}

impl Command for ConfirmOrder {
    const NAME: &'static str = "order.confirm";
    type Aggregate = Order;

    fn target(&self) -> Id<Order> {
        self.order
    }
}

impl Decide<ConfirmOrder> for Order {
    fn decide(
        &self,
        command: &ConfirmOrder,
        cx: &DecisionContext<'_>,
    ) -> Result<Vec<OrderEvent>, OrderRejection> {
        let placed = self.existing()?;
        match placed.status {
            OrderStatus::Pending => {}
            OrderStatus::Confirmed => return Ok(vec![]),
            _ => return Err(placed.wrong_status("PENDING")),
        }
        let authorization = command.authorization.as_ref().ok_or(OrderRejection::PaymentNotAuthorized)?;
        if cx.now >= authorization.expires_at {
            return Err(OrderRejection::AuthorizationExpired { at: authorization.expires_at });
        }
        let payment = PaymentReference {
            id: Payment::of(command.order),
            provider_ref: authorization.provider_ref.clone(),
        };
        Ok(vec![OrderEvent::Confirmed { before: placed.summary(), payment }])
    }
}
