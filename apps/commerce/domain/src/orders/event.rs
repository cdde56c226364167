//! What happens to an order.

use super::{
    Customer, OrderItem, OrderSource, OrderStatus, PaymentMethod, PaymentReference, RefundRequest,
    ShippingAddress,
};
use crate::{money::Money, users::User};
use gallae_core::{Event, Id, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An order as placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCreated {
    /// For whom.
    pub customer: Customer,
    /// What.
    pub items: Arc<[OrderItem]>,
    /// What all of it costs.
    pub total: Money,
    /// Where to.
    pub shipping_address: ShippingAddress,
    /// How it is paid.
    pub payment_method: PaymentMethod,
    /// When; earlier than its event for an import.
    pub placed_at: Timestamp,
    /// How it came in.
    pub source: OrderSource,
    /// The number it had where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// An order as it was just before an event: enough for whoever counts, filters or routes without looking anything up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderSummary {
    /// Before the event.
    pub status: OrderStatus,
    /// Whose.
    pub customer: Id<User>,
    /// The customer's name when they ordered.
    pub customer_name: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// What all of it costs.
    pub total: Money,
    /// Pieces, over all lines.
    pub pieces: u64,
}

/// What happened to an order.
#[derive(Clone, Debug, PartialEq, Event)]
pub enum OrderEvent {
    /// It was placed; this starts its checkout.
    #[event(name = "OrderCreated", version = 1)]
    Created(OrderCreated),
    /// Stock is sold to it and payment is authorised: there is no way back but a refund.
    #[event(name = "OrderConfirmed", version = 1)]
    Confirmed {
        /// The order until now.
        before: OrderSummary,
        /// What pays for it.
        payment: PaymentReference,
    },
    /// An operator let it go to the warehouse.
    #[event(name = "OrderApproved", version = 1)]
    Approved {
        /// The order until now.
        before: OrderSummary,
    },
    /// It left.
    #[event(name = "OrderShipped", version = 1)]
    Shipped {
        /// The order until now.
        before: OrderSummary,
        /// The carrier's.
        tracking_number: String,
    },
    /// It arrived.
    #[event(name = "OrderDelivered", version = 1)]
    Delivered {
        /// The order until now.
        before: OrderSummary,
    },
    /// Its checkout turned back; every effect was undone.
    #[event(name = "OrderCancelled", version = 1)]
    Cancelled {
        /// The order until now.
        before: OrderSummary,
        /// Stable, such as `INSUFFICIENT_STOCK`.
        code: String,
        /// In words.
        reason: String,
    },
    /// Money is to be paid back; this starts a refund.
    #[event(name = "OrderRefundRequested", version = 1)]
    RefundRequested {
        /// The order until now.
        before: OrderSummary,
        /// What exactly.
        request: RefundRequest,
    },
    /// A refund could not be carried out; nothing was paid back.
    #[event(name = "OrderRefundRejected", version = 1)]
    RefundRejected {
        /// The order until now.
        before: OrderSummary,
        /// Which refund.
        refund: Id<RefundRequest>,
        /// Stable.
        code: String,
        /// In words.
        reason: String,
    },
    /// Money was paid back.
    #[event(name = "OrderRefunded", version = 1)]
    Refunded {
        /// The order until now.
        before: OrderSummary,
        /// Which refund.
        refund: Id<RefundRequest>,
        /// By this refund.
        amount: Money,
        /// By all refunds, this one included.
        total_refunded: Money,
        /// Pieces that came back with it.
        returned_pieces: u64,
        /// `REFUNDED` when everything was paid back, else as before.
        status: OrderStatus,
    },
}

impl OrderEvent {
    /// The order just before; none before it was placed.
    pub const fn before(&self) -> Option<&OrderSummary> {
        match self {
            Self::Created(_) => None,
            Self::Confirmed { before, .. }
            | Self::Approved { before }
            | Self::Shipped { before, .. }
            | Self::Delivered { before }
            | Self::Cancelled { before, .. }
            | Self::RefundRequested { before, .. }
            | Self::RefundRejected { before, .. }
            | Self::Refunded { before, .. } => Some(before),
        }
    }

    /// Where the order stands after it.
    pub const fn status(&self) -> OrderStatus {
        match self {
            Self::Created(_) => OrderStatus::Pending,
            Self::Confirmed { .. } => OrderStatus::Confirmed,
            Self::Approved { .. } => OrderStatus::Approved,
            Self::Shipped { .. } => OrderStatus::Shipped,
            Self::Delivered { .. } => OrderStatus::Delivered,
            Self::Cancelled { .. } => OrderStatus::Cancelled,
            Self::RefundRequested { before, .. } | Self::RefundRejected { before, .. } => before.status,
            Self::Refunded { status, .. } => *status,
        }
    }

    /// Whose order it is.
    pub const fn customer(&self) -> Id<User> {
        match self {
            Self::Created(created) => created.customer.id,
            Self::Confirmed { before, .. }
            | Self::Approved { before }
            | Self::Shipped { before, .. }
            | Self::Delivered { before }
            | Self::Cancelled { before, .. }
            | Self::RefundRequested { before, .. }
            | Self::RefundRejected { before, .. }
            | Self::Refunded { before, .. } => before.customer,
        }
    }
}
