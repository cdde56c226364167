//! Payments as operators see them.

use crate::{
    money::Money,
    orders::{Order, PaymentMethod, RefundRequest},
    payments::{Payment, PaymentEvent, PaymentStatus},
};
use gallae_core::{Field, FieldValue, Id, Projection, Recorded, Timestamp, View, ViewKey};
use serde::{Deserialize, Serialize};

/// One view per payment.
#[derive(Clone, Copy, Debug)]
pub struct PaymentViews;

/// A payment as queries show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PaymentView {
    /// Which.
    pub id: Option<Id<Payment>>,
    /// For which order.
    pub order: Option<Id<Order>>,
    /// Where it stands.
    pub status: PaymentStatus,
    /// How.
    pub method: PaymentMethod,
    /// What was asked of the provider.
    pub amount: Option<Money>,
    /// What became ours.
    pub captured: Option<Money>,
    /// What went back.
    pub total_refunded: Option<Money>,
    /// What the provider calls it.
    pub provider_ref: Option<String>,
    /// Why the provider refused: stable code.
    pub failure_code: Option<String>,
    /// Why the provider refused: in words.
    pub failure_reason: Option<String>,
    /// What went back, one by one.
    pub refunds: Vec<PaymentRefundSummary>,
    /// When the provider first answered.
    pub created_at: Option<Timestamp>,
    /// When something last happened to it.
    pub updated_at: Option<Timestamp>,
    /// The hold must be captured by then.
    pub expires_at: Option<Timestamp>,
    /// When the money became ours.
    pub captured_at: Option<Timestamp>,
}

/// Money that went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRefundSummary {
    /// Which refund.
    pub id: Id<RefundRequest>,
    /// How much.
    pub amount: Money,
    /// What the provider calls it.
    pub provider_ref: String,
    /// When.
    pub refunded_at: Timestamp,
}

impl View for PaymentView {
    const FIELDS: &'static [Field] = &[
        Field::text("order"),
        Field::text("status"),
        Field::integer("created_at"),
        Field::integer("amount"),
    ];

    fn fields(&self) -> Vec<FieldValue> {
        vec![
            self.order.map(|order| order.to_string()).into(),
            self.status.as_str().into(),
            self.created_at.into(),
            self.amount.map(|amount| amount.amount).into(),
        ]
    }
}

impl Projection for PaymentViews {
    const NAME: &'static str = "payment-views";
    const REVISION: u32 = 1;
    type Events = PaymentEvent;
    type View = PaymentView;

    fn key(event: &Recorded<PaymentEvent>) -> Option<ViewKey> {
        Some(event.stream().key().into())
    }

    fn project(view: &mut PaymentView, event: &Recorded<PaymentEvent>) {
        view.id = event.id();
        view.order = Some(event.event.order());
        view.status = event.event.status().unwrap_or(view.status);
        view.created_at = view.created_at.or(Some(event.time()));
        view.updated_at = Some(event.time());
        match &event.event {
            PaymentEvent::Authorized { amount, method, provider_ref, expires_at, .. } => {
                view.amount = Some(*amount);
                view.method = *method;
                view.provider_ref = Some(provider_ref.clone());
                view.expires_at = Some(*expires_at);
            }
            PaymentEvent::Failed { amount, method, code, reason, .. } => {
                view.amount = Some(*amount);
                view.method = *method;
                view.failure_code = Some(code.clone());
                view.failure_reason = Some(reason.clone());
            }
            PaymentEvent::Completed { amount, captured_at, .. } => {
                view.captured = Some(*amount);
                view.total_refunded = Some(Money::zero(amount.currency));
                view.captured_at = Some(*captured_at);
            }
            PaymentEvent::Refunded { refund, amount, total_refunded, provider_ref, refunded_at, .. } => {
                view.total_refunded = Some(*total_refunded);
                view.refunds.push(PaymentRefundSummary {
                    id: *refund,
                    amount: *amount,
                    provider_ref: provider_ref.clone(),
                    refunded_at: *refunded_at,
                });
            }
            PaymentEvent::Voided { .. }
            | PaymentEvent::RefundReserved { .. }
            | PaymentEvent::RefundReleased { .. } => {}
        }
    }
}
