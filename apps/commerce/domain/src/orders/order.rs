//! The order that decides.

use super::{Customer, OrderEvent, OrderItem, OrderRejection, OrderStatus, OrderSummary, RefundRequest};
use crate::{money::Money, payments::Payment};
use gallae_core::{Aggregate, Id, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// An order; empty before it is placed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Order {
    placed: Option<Placed>,
}

/// An order that was placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placed {
    /// Where it stands.
    pub status: OrderStatus,
    /// For whom.
    pub customer: Customer,
    /// What.
    pub items: Arc<[OrderItem]>,
    /// What all of it costs.
    pub total: Money,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// What pays for it, once confirmed.
    pub payment: Option<PaymentReference>,
    /// The carrier's, once shipped.
    pub tracking_number: Option<String>,
    /// Refunds asked for, whatever became of them.
    pub refunds: BTreeMap<Id<RefundRequest>, Refund>,
}

/// A refund of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refund {
    /// What was asked for.
    pub request: RefundRequest,
    /// What became of it.
    pub outcome: RefundOutcome,
}

/// What became of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RefundOutcome {
    /// Under way.
    Pending,
    /// Paid back.
    Refunded,
    /// Came to nothing.
    Rejected,
}

/// The payment of an order, here and at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentReference {
    /// Ours.
    pub id: Id<Payment>,
    /// The provider's.
    pub provider_ref: String,
}

impl Aggregate for Order {
    const TYPE: &'static str = "order";
    type Event = OrderEvent;
    type Rejection = OrderRejection;

    fn evolve(&mut self, event: &OrderEvent) {
        if let OrderEvent::Created(created) = event {
            self.placed = Some(Placed {
                status: OrderStatus::Pending,
                customer: created.customer.clone(),
                items: Arc::clone(&created.items),
                total: created.total,
                placed_at: created.placed_at,
                payment: None,
                tracking_number: None,
                refunds: BTreeMap::new(),
            });
        } else if let Some(placed) = &mut self.placed {
            placed.evolve(event);
        }
    }
}

impl Order {
    /// The order, once placed.
    pub fn placed(&self) -> Option<&Placed> {
        self.placed.as_ref()
    }

    /// The order, or the rejection that there is none.
    pub(super) fn existing(&self) -> Result<&Placed, OrderRejection> {
        self.placed.as_ref().ok_or(OrderRejection::NotFound)
    }
}

impl Placed {
    fn evolve(&mut self, event: &OrderEvent) {
        self.status = event.status();
        match event {
            OrderEvent::Confirmed { payment, .. } => self.payment = Some(payment.clone()),
            OrderEvent::Shipped { tracking_number, .. } => {
                self.tracking_number = Some(tracking_number.clone())
            }
            OrderEvent::RefundRequested { request, .. } => {
                let refund = Refund { request: request.clone(), outcome: RefundOutcome::Pending };
                self.refunds.insert(request.id, refund);
            }
            OrderEvent::RefundRejected { refund, .. } => self.settle(*refund, RefundOutcome::Rejected),
            OrderEvent::Refunded { refund, .. } => self.settle(*refund, RefundOutcome::Refunded),
            _ => {}
        }
    }

    fn settle(&mut self, refund: Id<RefundRequest>, outcome: RefundOutcome) {
        if let Some(refund) = self.refunds.get_mut(&refund) {
            refund.outcome = outcome;
        }
    }

    /// What was paid back so far.
    pub fn refunded(&self) -> Money {
        self.sum(|outcome| outcome == RefundOutcome::Refunded)
    }

    /// What could still be asked back: the total less what was paid back or is being paid back.
    pub fn refundable(&self) -> Money {
        let bound = self.sum(|outcome| outcome != RefundOutcome::Rejected);
        Money { amount: self.total.amount - bound.amount, ..self.total }
    }

    /// Pieces of a product that could still come back.
    pub fn returnable(&self, product_id: &str) -> u64 {
        let ordered = self.items.iter().filter(|item| item.product_id == product_id);
        let live = self.refunds.values().filter(|refund| refund.outcome != RefundOutcome::Rejected);
        let returned =
            live.flat_map(|refund| &refund.request.returns).filter(|item| item.product_id == product_id);
        ordered.map(|item| u64::from(item.quantity)).sum::<u64>()
            - returned.map(|item| u64::from(item.quantity)).sum::<u64>()
    }

    /// The order as events describe it.
    pub(super) fn summary(&self) -> OrderSummary {
        OrderSummary {
            status: self.status,
            customer: self.customer.id,
            customer_name: self.customer.name.clone(),
            placed_at: self.placed_at,
            total: self.total,
            pieces: self.items.iter().map(|item| u64::from(item.quantity)).sum(),
        }
    }

    /// The refusal that names where the order stands.
    pub(super) fn wrong_status(&self, wanted: &'static str) -> OrderRejection {
        OrderRejection::WrongStatus { status: self.status, wanted }
    }

    /// Refuses to move goods while a refund that leaves nothing to pay is under way.
    pub(super) fn refuse_while_refunding(&self) -> Result<(), OrderRejection> {
        let pending = self.refunds.values().any(|refund| refund.outcome == RefundOutcome::Pending);
        if pending && !self.refundable().is_positive() { Err(OrderRejection::RefundPending) } else { Ok(()) }
    }

    // Refunds never exceed the total, so their sum fits.
    fn sum(&self, counts: impl Fn(RefundOutcome) -> bool) -> Money {
        let counted = self.refunds.values().filter(|refund| counts(refund.outcome));
        Money { amount: counted.map(|refund| refund.request.amount.amount).sum(), ..self.total }
    }
}
