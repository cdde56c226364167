//! The provider holds the money.

use crate::{
    money::Money,
    orders::{Order, PaymentMethod},
    payments::{Payment, PaymentEvent, PaymentRejection, PaymentStatus, gateway::Authorization},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Records that the provider holds the money.
#[derive(Clone, Debug)]
pub struct RecordAuthorization {
    /// For which order.
    pub order: Id<Order>,
    /// How much.
    pub amount: Money,
    /// How.
    pub method: PaymentMethod,
    /// What the provider said.
    pub authorization: Authorization,
}

impl Command for RecordAuthorization {
    const NAME: &'static str = "payment.record-authorization";
    type Aggregate = Payment;

    fn target(&self) -> Id<Payment> {
        Payment::of(self.order)
    }
}

impl Decide<RecordAuthorization> for Payment {
    fn decide(
        &self,
        command: &RecordAuthorization,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<PaymentEvent>, PaymentRejection> {
        if self.authorized.is_some() {
            return Ok(vec![]);
        }
        if self.status != PaymentStatus::Pending {
            return Err(PaymentRejection::WrongStatus { status: self.status, wanted: "PENDING" });
        }
        let Authorization { provider_ref, expires_at } = command.authorization.clone();
        let RecordAuthorization { order, amount, method, .. } = *command;
        Ok(vec![PaymentEvent::Authorized { order, amount, method, provider_ref, expires_at }])
    }
}
