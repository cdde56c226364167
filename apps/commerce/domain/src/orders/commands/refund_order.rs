//! Money was paid back.

use crate::{
    money::Money,
    orders::{Order, OrderEvent, OrderRejection, OrderStatus, RefundOutcome, RefundRequest},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Records that a refund was paid. The order is refunded when nothing is left to pay back.
#[derive(Clone, Debug)]
pub struct RefundOrder {
    /// Of which order.
    pub order: Id<Order>,
    /// Which refund.
    pub refund: Id<RefundRequest>,
}

impl Command for RefundOrder {
    const NAME: &'static str = "order.refund";
    type Aggregate = Order;

    fn target(&self) -> Id<Order> {
        self.order
    }
}

impl Decide<RefundOrder> for Order {
    fn decide(
        &self,
        command: &RefundOrder,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<OrderEvent>, OrderRejection> {
        let placed = self.existing()?;
        let refund = placed.refunds.get(&command.refund).ok_or(OrderRejection::UnknownRefund)?;
        match refund.outcome {
            RefundOutcome::Refunded => return Ok(vec![]),
            RefundOutcome::Rejected => return Err(OrderRejection::RefundSettled),
            RefundOutcome::Pending => {}
        }
        let amount = refund.request.amount;
        let refunded = placed.refunded().amount + amount.amount;
        let all = refunded == placed.total.amount;
        Ok(vec![OrderEvent::Refunded {
            before: placed.summary(),
            refund: command.refund,
            amount,
            total_refunded: Money { amount: refunded, ..placed.total },
            returned_pieces: refund.request.pieces(),
            status: if all { OrderStatus::Refunded } else { placed.status },
        }])
    }
}
