//! Orders with all that a customer asks about them.

use crate::{
    money::Money,
    orders::{
        Customer, Order, OrderCreated, OrderEvent, OrderItem, OrderSource, OrderStatus, PaymentMethod,
        RefundOutcome, RefundRequest, ShippingAddress,
    },
    payments::{Payment, PaymentEvent, PaymentStatus},
    sagas::Checkout,
};
use gallae_core::{
    CorrelationId, EventSet, Field, FieldValue, Id, Projection, Recorded, SagaId, Timestamp, Version, View,
    ViewKey,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One view per order, from its own events and its payment's.
#[derive(Clone, Copy, Debug)]
pub struct OrderViews;

/// What [`OrderViews`] listens to.
#[derive(Clone, Debug, EventSet)]
pub enum OrderOrPaymentEvent {
    /// Of the order.
    Order(OrderEvent),
    /// Of its payment.
    Payment(PaymentEvent),
}

/// An order as queries show it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OrderView {
    /// Which.
    pub id: Option<Id<Order>>,
    /// The version of the order that it shows; its payment does not count.
    pub version: Version,
    /// Where it stands; none while only its payment is known.
    pub status: Option<OrderStatus>,
    /// For whom.
    pub customer: Option<Customer>,
    /// What.
    pub items: Arc<[OrderItem]>,
    /// Lines.
    pub item_count: usize,
    /// What all of it costs.
    pub total: Option<Money>,
    /// The same for people: `₩1,500,000`.
    pub formatted_total: String,
    /// What was paid back.
    pub total_refunded: Option<Money>,
    /// How it is paid.
    pub payment_method: PaymentMethod,
    /// What became of the payment.
    pub payment: PaymentSummary,
    /// Where to.
    pub shipping_address: Option<ShippingAddress>,
    /// How far the goods are.
    pub shipping_status: ShippingStatus,
    /// When it should arrive.
    pub estimated_delivery: Option<Timestamp>,
    /// The carrier's.
    pub tracking_number: Option<String>,
    /// Its checkout.
    pub saga_id: Option<SagaId>,
    /// The flow that placed it.
    pub correlation_id: Option<CorrelationId>,
    /// How it came in.
    pub source: OrderSource,
    /// The number it has where it came from.
    pub reference: Option<String>,
    /// Why it was cancelled.
    pub cancellation: Option<Cancellation>,
    /// Money asked back.
    pub refunds: Vec<RefundSummary>,
    /// When it was placed.
    pub created_at: Option<Timestamp>,
    /// When the last of its events happened.
    pub updated_at: Option<Timestamp>,
    /// When it was confirmed.
    pub confirmed_at: Option<Timestamp>,
    /// When it was approved.
    pub approved_at: Option<Timestamp>,
    /// When it left.
    pub shipped_at: Option<Timestamp>,
    /// When it arrived.
    pub delivered_at: Option<Timestamp>,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// When the last of it was paid back.
    pub refunded_at: Option<Timestamp>,
}

/// How far the goods are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ShippingStatus {
    /// Nothing happens before an operator approves.
    #[default]
    Pending,
    /// In the warehouse.
    Preparing,
    /// On their way.
    Shipped,
    /// Arrived.
    Delivered,
    /// They will not leave.
    Cancelled,
}

/// What became of the payment of an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PaymentSummary {
    /// Which.
    pub id: Option<Id<Payment>>,
    /// Where it stands.
    pub status: PaymentStatus,
    /// What the provider calls it.
    pub provider_ref: Option<String>,
    /// When the money was held.
    pub authorized_at: Option<Timestamp>,
    /// When the money became ours.
    pub paid_at: Option<Timestamp>,
    /// Why the provider refused: stable code.
    pub failure_code: Option<String>,
    /// Why the provider refused: in words.
    pub failure_reason: Option<String>,
}

/// Why an order was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    /// Stable.
    pub code: String,
    /// In words.
    pub reason: String,
}

/// A refund of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundSummary {
    /// Which.
    pub id: Id<RefundRequest>,
    /// How much.
    pub amount: Money,
    /// Why it was asked for.
    pub reason: String,
    /// What became of it.
    pub outcome: RefundOutcome,
    /// When it was asked for.
    pub requested_at: Timestamp,
}

impl View for OrderView {
    const FIELDS: &'static [Field] = &[
        Field::text("user_id"),
        Field::text("status"),
        Field::integer("created_at"),
        Field::integer("total"),
    ];

    fn fields(&self) -> Vec<FieldValue> {
        vec![
            self.customer.as_ref().map(|customer| customer.id.to_string()).into(),
            self.status.map(OrderStatus::as_str).into(),
            self.created_at.into(),
            self.total.map(|total| total.amount).into(),
        ]
    }
}

impl Projection for OrderViews {
    const NAME: &'static str = "order-views";
    const REVISION: u32 = 1;
    type Events = OrderOrPaymentEvent;
    type View = OrderView;

    fn key(event: &Recorded<OrderOrPaymentEvent>) -> Option<ViewKey> {
        match &event.event {
            OrderOrPaymentEvent::Order(_) => Some(event.stream().key().into()),
            OrderOrPaymentEvent::Payment(payment) => Some(payment.order().to_string().into()),
        }
    }

    fn project(view: &mut OrderView, event: &Recorded<OrderOrPaymentEvent>) {
        view.updated_at = view.updated_at.max(Some(event.time()));
        if let OrderOrPaymentEvent::Order(_) = &event.event {
            view.version = event.version();
        }
        match &event.event {
            OrderOrPaymentEvent::Order(OrderEvent::Created(created)) => {
                view.id = event.id();
                view.saga_id = view.id.map(Checkout::id);
                view.correlation_id =
                    event.envelope.metadata.get().ok().map(|metadata| metadata.correlation_id.clone());
                view.created(created);
            }
            OrderOrPaymentEvent::Order(order) => view.moved(order, event.time()),
            OrderOrPaymentEvent::Payment(payment) => {
                view.payment.id = event.id();
                view.payment.moved(payment, event.time());
            }
        }
    }
}

impl OrderView {
    fn created(&mut self, created: &OrderCreated) {
        self.status = Some(OrderStatus::Pending);
        self.customer = Some(created.customer.clone());
        self.items = Arc::clone(&created.items);
        self.item_count = created.items.len();
        self.total = Some(created.total);
        self.formatted_total = created.total.to_string();
        self.total_refunded = Some(Money::zero(created.total.currency));
        self.payment_method = created.payment_method;
        self.estimated_delivery = Some(created.shipping_address.estimated_delivery(created.placed_at));
        self.shipping_address = Some(created.shipping_address.clone());
        self.source = created.source;
        self.reference.clone_from(&created.reference);
        self.created_at = Some(created.placed_at);
    }

    fn moved(&mut self, event: &OrderEvent, at: Timestamp) {
        self.status = Some(event.status());
        match event {
            OrderEvent::Created(_) => {}
            OrderEvent::Confirmed { .. } => self.confirmed_at = Some(at),
            OrderEvent::Approved { .. } => {
                self.approved_at = Some(at);
                self.shipping_status = ShippingStatus::Preparing;
            }
            OrderEvent::Shipped { tracking_number, .. } => {
                self.shipped_at = Some(at);
                self.shipping_status = ShippingStatus::Shipped;
                self.tracking_number = Some(tracking_number.clone());
            }
            OrderEvent::Delivered { .. } => {
                self.delivered_at = Some(at);
                self.shipping_status = ShippingStatus::Delivered;
            }
            OrderEvent::Cancelled { code, reason, .. } => {
                self.cancelled_at = Some(at);
                self.shipping_status = ShippingStatus::Cancelled;
                self.cancellation = Some(Cancellation { code: code.clone(), reason: reason.clone() });
            }
            OrderEvent::RefundRequested { request, .. } => self.refunds.push(RefundSummary {
                id: request.id,
                amount: request.amount,
                reason: request.reason.clone(),
                outcome: RefundOutcome::Pending,
                requested_at: request.requested_at,
            }),
            OrderEvent::RefundRejected { refund, .. } => self.settle(*refund, RefundOutcome::Rejected),
            OrderEvent::Refunded { refund, total_refunded, status, .. } => {
                self.settle(*refund, RefundOutcome::Refunded);
                self.total_refunded = Some(*total_refunded);
                if *status == OrderStatus::Refunded {
                    self.refunded_at = Some(at);
                    if self.shipped_at.is_none() {
                        self.shipping_status = ShippingStatus::Cancelled;
                    }
                }
            }
        }
    }

    fn settle(&mut self, id: Id<RefundRequest>, outcome: RefundOutcome) {
        if let Some(refund) = self.refunds.iter_mut().find(|refund| refund.id == id) {
            refund.outcome = outcome;
        }
    }
}

impl PaymentSummary {
    fn moved(&mut self, event: &PaymentEvent, at: Timestamp) {
        self.status = event.status().unwrap_or(self.status);
        match event {
            PaymentEvent::Authorized { provider_ref, .. } => {
                self.authorized_at = Some(at);
                self.provider_ref = Some(provider_ref.clone());
            }
            PaymentEvent::Completed { captured_at, .. } => self.paid_at = Some(*captured_at),
            PaymentEvent::Failed { code, reason, .. } => {
                self.failure_code = Some(code.clone());
                self.failure_reason = Some(reason.clone());
            }
            PaymentEvent::Voided { .. }
            | PaymentEvent::RefundReserved { .. }
            | PaymentEvent::RefundReleased { .. }
            | PaymentEvent::Refunded { .. } => {}
        }
    }
}
