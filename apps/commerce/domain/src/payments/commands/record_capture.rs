//! The money is ours.

use crate::{
    money::Money,
    orders::{Order, PaymentMethod},
    payments::{Payment, PaymentEvent, PaymentRejection, PaymentStatus, gateway::Capture},
};
use gallae_core::{Command, Decide, DecisionContext, Id, Timestamp};

/// Records that the provider took the money for us.
#[derive(Clone, Debug)]
pub struct RecordCapture {
    /// For which order.
    pub order: Id<Order>,
    /// How much.
    pub amount: Money,
    /// How.
    pub method: PaymentMethod,
    /// What the provider said.
    pub capture: Capture,
    /// When, if not now: for imports.
    pub captured_at: Option<Timestamp>,
}

impl Command for RecordCapture {
    const NAME: &'static str = "payment.record-capture";
    type Aggregate = Payment;

    fn target(&self) -> Id<Payment> {
        Payment::of(self.order)
    }
}

impl Decide<RecordCapture> for Payment {
    fn decide(
        &self,
        command: &RecordCapture,
        cx: &DecisionContext<'_>,
    ) -> Result<Vec<PaymentEvent>, PaymentRejection> {
        if self.captured.is_some() {
            return Ok(vec![]);
        }
        let authorized = self.authorized.filter(|_| self.status == PaymentStatus::Authorized);
        let Some(authorized) = authorized else {
            return Err(PaymentRejection::WrongStatus { status: self.status, wanted: "AUTHORIZED" });
        };
        let RecordCapture { order, amount, method, .. } = *command;
        if amount.currency != authorized.currency || amount.amount > authorized.amount {
            return Err(PaymentRejection::CaptureTooLarge { amount, authorized });
        }
        let provider_ref = command.capture.provider_ref.clone();
        let captured_at = command.captured_at.unwrap_or(cx.now);
        Ok(vec![PaymentEvent::Completed { order, amount, method, provider_ref, captured_at }])
    }
}
