//! Money went back.

use crate::{
    money::Money,
    orders::{Order, RefundRequest},
    payments::{Payment, PaymentEvent, PaymentRejection, RefundState, gateway},
};
use gallae_core::{Command, Decide, DecisionContext, Id, Timestamp};

/// Records that the provider paid a reserved refund.
#[derive(Clone, Debug)]
pub struct RecordRefund {
    /// For which order.
    pub order: Id<Order>,
    /// Which refund.
    pub refund: Id<RefundRequest>,
    /// What the provider said.
    pub refunded: gateway::Refunded,
    /// When.
    pub refunded_at: Timestamp,
}

impl Command for RecordRefund {
    const NAME: &'static str = "payment.record-refund";
    type Aggregate = Payment;

    fn target(&self) -> Id<Payment> {
        Payment::of(self.order)
    }
}

impl Decide<RecordRefund> for Payment {
    fn decide(
        &self,
        command: &RecordRefund,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<PaymentEvent>, PaymentRejection> {
        let amount = match self.refunds.get(&command.refund) {
            Some((_, RefundState::Paid)) => return Ok(vec![]),
            Some((amount, RefundState::Reserved)) => *amount,
            Some((_, RefundState::Released)) => return Err(PaymentRejection::RefundReleased),
            None => return Err(PaymentRejection::RefundNotReserved),
        };
        let captured = self.captured.ok_or(PaymentRejection::NotCaptured)?;
        Ok(vec![PaymentEvent::Refunded {
            order: command.order,
            refund: command.refund,
            amount,
            total_refunded: Money { amount: self.refunded() + amount.amount, ..captured },
            captured,
            provider_ref: command.refunded.provider_ref.clone(),
            refunded_at: command.refunded_at,
        }])
    }
}
