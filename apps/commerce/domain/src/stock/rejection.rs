//! How stock says no.

use gallae_core::{Rejection, RejectionKind, Timestamp};
use serde_json::{Value, json};

/// How the stock of a book says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StockRejection {
    /// Fewer copies are available than wanted.
    #[error("{requested} wanted, {available} available")]
    Insufficient {
        /// There are.
        available: u64,
        /// Wanted.
        requested: u64,
    },
    /// Nothing was asked for.
    #[error("a quantity of at least one is required")]
    InvalidQuantity,
    /// This order's reservation was released; it cannot reserve again.
    #[error("the reservation of this order was released")]
    ReservationReleased,
    /// This order has no reservation.
    #[error("this order has no reservation")]
    NotReserved,
    /// The order was not confirmed in time.
    #[error("the reservation of this order expired at {until}")]
    ReservationExpired {
        /// When.
        until: Timestamp,
    },
    /// More would come back than was ever sold.
    #[error("{quantity} came back, but only {sold} are sold")]
    NotSold {
        /// There are.
        sold: u64,
        /// Came back.
        quantity: u32,
    },
}

impl Rejection for StockRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Insufficient { .. } => "INSUFFICIENT_STOCK",
            Self::InvalidQuantity => "INVALID_QUANTITY",
            Self::ReservationReleased => "RESERVATION_RELEASED",
            Self::NotReserved => "NOT_RESERVED",
            Self::ReservationExpired { .. } => "RESERVATION_EXPIRED",
            Self::NotSold { .. } => "NOT_SOLD",
        }
    }

    fn kind(&self) -> RejectionKind {
        match self {
            Self::InvalidQuantity => RejectionKind::Unprocessable,
            _ => RejectionKind::Conflict,
        }
    }

    fn facts(&self) -> Value {
        match self {
            Self::Insufficient { available, requested } => {
                json!({ "available": available, "requested": requested })
            }
            Self::ReservationExpired { until } => json!({ "reservedUntil": until.to_string() }),
            Self::NotSold { sold, quantity } => json!({ "sold": sold, "quantity": quantity }),
            _ => Value::Null,
        }
    }
}
