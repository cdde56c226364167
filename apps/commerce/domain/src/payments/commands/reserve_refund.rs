//! Captured money is bound to a refund.

use crate::{
    money::Money,
    orders::{Order, RefundRequest},
    payments::{Payment, PaymentEvent, PaymentRejection, RefundState},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Binds captured money to a refund before the provider is asked, so that several refunds never exceed what was captured.
#[derive(Clone, Debug)]
pub struct ReserveRefund {
    /// For which order.
    pub order: Id<Order>,
    /// Which refund.
    pub refund: Id<RefundRequest>,
    /// How much.
    pub amount: Money,
}

impl Command for ReserveRefund {
    const NAME: &'static str = "payment.reserve-refund";
    type Aggregate = Payment;

    fn target(&self) -> Id<Payment> {
        Payment::of(self.order)
    }
}

impl Decide<ReserveRefund> for Payment {
    fn decide(
        &self,
        command: &ReserveRefund,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<PaymentEvent>, PaymentRejection> {
        let ReserveRefund { order, refund, amount } = *command;
        match self.refunds.get(&refund) {
            Some((_, RefundState::Released)) => return Err(PaymentRejection::RefundReleased),
            Some((_, RefundState::Reserved | RefundState::Paid)) => return Ok(vec![]),
            None => {}
        }
        let refundable = self.refundable().ok_or(PaymentRejection::NotCaptured)?;
        if !amount.is_positive()
            || amount.currency != refundable.currency
            || amount.amount > refundable.amount
        {
            return Err(PaymentRejection::RefundTooLarge { refundable });
        }
        Ok(vec![PaymentEvent::RefundReserved { order, refund, amount }])
    }
}
