//! The hold was given up.

use crate::{
    orders::Order,
    payments::{Payment, PaymentEvent, PaymentRejection, PaymentStatus},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Records that the provider gave up its hold. If there never was one, there never will be.
#[derive(Clone, Debug)]
pub struct RecordVoid {
    /// For which order.
    pub order: Id<Order>,
}

impl Command for RecordVoid {
    const NAME: &'static str = "payment.record-void";
    type Aggregate = Payment;

    fn target(&self) -> Id<Payment> {
        Payment::of(self.order)
    }
}

impl Decide<RecordVoid> for Payment {
    fn decide(
        &self,
        command: &RecordVoid,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<PaymentEvent>, PaymentRejection> {
        match self.status {
            PaymentStatus::Pending | PaymentStatus::Authorized => {
                Ok(vec![PaymentEvent::Voided { order: command.order }])
            }
            PaymentStatus::Failed | PaymentStatus::Voided => Ok(vec![]),
            status => Err(PaymentRejection::WrongStatus { status, wanted: "AUTHORIZED" }),
        }
    }
}
