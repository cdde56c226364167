//! How a payment says no.

use super::PaymentStatus;
use crate::money::Money;
use gallae_core::Rejection;
use serde_json::{Value, json};

/// How a payment says no. Each is a conflict with where the payment stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaymentRejection {
    /// The payment does not stand where it would have to.
    #[error("the payment is {}, it would have to be {wanted}", status.as_str())]
    WrongStatus {
        /// Where it stands.
        status: PaymentStatus,
        /// Where it would have to stand.
        wanted: &'static str,
    },
    /// More was captured than was authorised, or in another currency.
    #[error("{amount} is more than the {authorized} that was authorised")]
    CaptureTooLarge {
        /// Captured.
        amount: Money,
        /// Authorised.
        authorized: Money,
    },
    /// There is no money yet that could go back.
    #[error("the payment is not captured yet: try again when it is")]
    NotCaptured,
    /// More than what is left, or in another currency.
    #[error("at most {refundable} can be paid back")]
    RefundTooLarge {
        /// The most.
        refundable: Money,
    },
    /// The refund was given up.
    #[error("this refund was given up")]
    RefundReleased,
    /// The refund was never reserved.
    #[error("this refund was never reserved")]
    RefundNotReserved,
    /// The refund was paid.
    #[error("this refund was paid already")]
    RefundPaid,
}

impl Rejection for PaymentRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::WrongStatus { .. } => "WRONG_PAYMENT_STATUS",
            Self::CaptureTooLarge { .. } => "CAPTURE_TOO_LARGE",
            Self::NotCaptured => "PAYMENT_NOT_CAPTURED",
            Self::RefundTooLarge { .. } => "REFUND_TOO_LARGE",
            Self::RefundReleased => "REFUND_RELEASED",
            Self::RefundNotReserved => "REFUND_NOT_RESERVED",
            Self::RefundPaid => "REFUND_PAID",
        }
    }

    fn facts(&self) -> Value {
        match self {
            Self::WrongStatus { status, .. } => json!({ "paymentStatus": status }),
            Self::RefundTooLarge { refundable } => json!({ "refundable": refundable }),
            _ => Value::Null,
        }
    }
}
