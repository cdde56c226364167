//! What happens to a payment.

use super::PaymentStatus;
use crate::{
    money::Money,
    orders::{Order, PaymentMethod, RefundRequest},
};
use gallae_core::{Event, Id, Timestamp};

/// What happened to a payment.
#[derive(Clone, Debug, PartialEq, Event)]
pub enum PaymentEvent {
    /// The provider holds the money for us.
    #[event(name = "PaymentAuthorized", version = 1)]
    Authorized {
        /// For which order.
        order: Id<Order>,
        /// How much.
        amount: Money,
        /// How.
        method: PaymentMethod,
        /// What the provider calls it.
        provider_ref: String,
        /// It must be captured by then.
        expires_at: Timestamp,
    },
    /// The provider refused.
    #[event(name = "PaymentFailed", version = 1)]
    Failed {
        /// For which order.
        order: Id<Order>,
        /// How much.
        amount: Money,
        /// How.
        method: PaymentMethod,
        /// Stable, such as `PAYMENT_DECLINED`.
        code: String,
        /// In words.
        reason: String,
    },
    /// The money is ours.
    #[event(name = "PaymentCompleted", version = 1)]
    Completed {
        /// For which order.
        order: Id<Order>,
        /// How much.
        amount: Money,
        /// How.
        method: PaymentMethod,
        /// What the provider calls it.
        provider_ref: String,
        /// When; earlier than its event for an import.
        captured_at: Timestamp,
    },
    /// The hold was given up, or will never be taken.
    #[event(name = "PaymentVoided", version = 1)]
    Voided {
        /// For which order.
        order: Id<Order>,
    },
    /// Part of the captured money is bound to a refund.
    #[event(name = "PaymentRefundReserved", version = 1)]
    RefundReserved {
        /// For which order.
        order: Id<Order>,
        /// Which refund.
        refund: Id<RefundRequest>,
        /// How much.
        amount: Money,
    },
    /// A refund will not happen; its money is free again.
    #[event(name = "PaymentRefundReleased", version = 1)]
    RefundReleased {
        /// For which order.
        order: Id<Order>,
        /// Which refund.
        refund: Id<RefundRequest>,
        /// How much.
        amount: Money,
    },
    /// Money went back.
    #[event(name = "PaymentRefunded", version = 1)]
    Refunded {
        /// For which order.
        order: Id<Order>,
        /// Which refund.
        refund: Id<RefundRequest>,
        /// By this refund.
        amount: Money,
        /// By all refunds, this one included.
        total_refunded: Money,
        /// What had been captured.
        captured: Money,
        /// What the provider calls it.
        provider_ref: String,
        /// When; earlier than its event for an import.
        refunded_at: Timestamp,
    },
}

impl PaymentEvent {
    /// For which order.
    pub const fn order(&self) -> Id<Order> {
        match self {
            Self::Authorized { order, .. }
            | Self::Failed { order, .. }
            | Self::Completed { order, .. }
            | Self::Voided { order }
            | Self::RefundReserved { order, .. }
            | Self::RefundReleased { order, .. }
            | Self::Refunded { order, .. } => *order,
        }
    }

    /// Where the payment stands after it, if it moves it.
    pub const fn status(&self) -> Option<PaymentStatus> {
        match self {
            Self::Authorized { .. } => Some(PaymentStatus::Authorized),
            Self::Failed { .. } => Some(PaymentStatus::Failed),
            Self::Completed { .. } => Some(PaymentStatus::Paid),
            Self::Voided { .. } => Some(PaymentStatus::Voided),
            Self::RefundReserved { .. } | Self::RefundReleased { .. } => None,
            Self::Refunded { total_refunded, captured, .. } => {
                let all = total_refunded.amount == captured.amount;
                Some(if all { PaymentStatus::Refunded } else { PaymentStatus::PartiallyRefunded })
            }
        }
    }
}
