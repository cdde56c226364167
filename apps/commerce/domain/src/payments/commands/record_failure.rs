//! The provider refused.

use crate::{
    money::Money,
    orders::{Order, PaymentMethod},
    payments::{Payment, PaymentEvent, PaymentRejection, PaymentStatus},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Records that the provider refused to hold the money.
#[derive(Clone, Debug)]
pub struct RecordFailure {
    /// For which order.
    pub order: Id<Order>,
    /// How much.
    pub amount: Money,
    /// How.
    pub method: PaymentMethod,
    /// Stable, such as `PAYMENT_DECLINED`.
    pub code: String,
    /// In words.
    pub reason: String,
}

impl Command for RecordFailure {
    const NAME: &'static str = "payment.record-failure";
    type Aggregate = Payment;

    fn target(&self) -> Id<Payment> {
        Payment::of(self.order)
    }
}

impl Decide<RecordFailure> for Payment {
    fn decide(
        &self,
        command: &RecordFailure,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<PaymentEvent>, PaymentRejection> {
        match self.status {
            PaymentStatus::Pending => {
                let RecordFailure { order, amount, method, code, reason } = command.clone();
                Ok(vec![PaymentEvent::Failed { order, amount, method, code, reason }])
            }
            PaymentStatus::Failed => Ok(vec![]),
            status => Err(PaymentRejection::WrongStatus { status, wanted: "PENDING" }),
        }
    }
}
