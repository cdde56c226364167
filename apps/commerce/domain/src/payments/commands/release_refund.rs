//! A refund will not happen.

use crate::{
    money::Money,
    orders::{Order, RefundRequest},
    payments::{Payment, PaymentEvent, PaymentRejection, RefundState},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Frees the money that was bound to a refund. If none was, none will be.
#[derive(Clone, Debug)]
pub struct ReleaseRefund {
    /// For which order.
    pub order: Id<Order>,
    /// Which refund.
    pub refund: Id<RefundRequest>,
    /// How much.
    pub amount: Money,
}

impl Command for ReleaseRefund {
    const NAME: &'static str = "payment.release-refund";
    type Aggregate = Payment;

    fn target(&self) -> Id<Payment> {
        Payment::of(self.order)
    }
}

impl Decide<ReleaseRefund> for Payment {
    fn decide(
        &self,
        command: &ReleaseRefund,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<PaymentEvent>, PaymentRejection> {
        let ReleaseRefund { order, refund, amount } = *command;
        match self.refunds.get(&refund) {
            Some((_, RefundState::Released)) => Ok(vec![]),
            Some((_, RefundState::Paid)) => Err(PaymentRejection::RefundPaid),
            Some((_, RefundState::Reserved)) | None => {
                Ok(vec![PaymentEvent::RefundReleased { order, refund, amount }])
            }
        }
    }
}
