//! A refund came to nothing.

use crate::orders::{Order, OrderEvent, OrderRejection, RefundOutcome, RefundRequest};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Records that a refund was not paid; its amount may be asked back again.
#[derive(Clone, Debug)]
pub struct RejectRefund {
    /// Of which order.
    pub order: Id<Order>,
    /// Which refund.
    pub refund: Id<RefundRequest>,
    /// Stable.
    pub code: String,
    /// In words.
    pub reason: String,
}

impl Command for RejectRefund {
    const NAME: &'static str = "order.reject-refund";
    type Aggregate = Order;

    fn target(&self) -> Id<Order> {
        self.order
    }
}

impl Decide<RejectRefund> for Order {
    fn decide(
        &self,
        command: &RejectRefund,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<OrderEvent>, OrderRejection> {
        let placed = self.existing()?;
        let refund = placed.refunds.get(&command.refund).ok_or(OrderRejection::UnknownRefund)?;
        match refund.outcome {
            RefundOutcome::Rejected => Ok(vec![]),
            RefundOutcome::Refunded => Err(OrderRejection::RefundSettled),
            RefundOutcome::Pending => Ok(vec![OrderEvent::RefundRejected {
                before: placed.summary(),
                refund: command.refund,
                code: command.code.clone(),
                reason: command.reason.clone(),
            }]),
        }
    }
}
