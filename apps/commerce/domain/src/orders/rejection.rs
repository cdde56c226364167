//! How an order says no.

use super::OrderStatus;
use crate::money::{Currency, Money};
use gallae_core::{Rejection, RejectionKind, Timestamp};
use serde_json::{Value, json};

/// How an order says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRejection {
    /// Nothing was placed under this id.
    #[error("there is no such order")]
    NotFound,
    /// Something else was placed under this id.
    #[error("this order exists already, with other content")]
    AlreadyExists,
    /// Nothing is ordered.
    #[error("an order needs at least one item")]
    Empty,
    /// Too much at once.
    #[error("an order has at most {limit} items")]
    TooManyItems {
        /// The most.
        limit: usize,
    },
    /// A line is not acceptable.
    #[error("item {index}: {problem}")]
    InvalidItem {
        /// From zero.
        index: usize,
        /// Which part, as in JSON.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is no address, or a part of it is too long.
    #[error("a shipping address is required, each part of it at most 500 characters")]
    InvalidAddress,
    /// One currency per order.
    #[error("an order has one currency, this one has {left} and {right}")]
    MixedCurrencies {
        /// One.
        left: Currency,
        /// The other.
        right: Currency,
    },
    /// The total does not fit.
    #[error("the total of this order is too large")]
    TotalTooLarge,
    /// The catalogue does not list it.
    #[error("product {product_id} is not in the catalogue")]
    UnknownProduct {
        /// Which.
        product_id: String,
    },
    /// The customer saw another price than the catalogue's.
    #[error("the price of {product_id} is {current}, not {seen}")]
    PriceChanged {
        /// Which.
        product_id: String,
        /// In the request.
        seen: Money,
        /// In the catalogue.
        current: Money,
    },
    /// The order does not stand where it would have to.
    #[error("the order is {status}, it would have to be {wanted}")]
    WrongStatus {
        /// Where it stands.
        status: OrderStatus,
        /// Where it would have to stand.
        wanted: &'static str,
    },
    /// Payment was not authorised.
    #[error("the payment of this order is not authorised")]
    PaymentNotAuthorized,
    /// Payment was authorised, but not for this long.
    #[error("the authorisation of the payment expired at {at}")]
    AuthorizationExpired {
        /// When.
        at: Timestamp,
    },
    /// No tracking number was given.
    #[error("a tracking number of 1 to 100 characters is required")]
    InvalidTrackingNumber,
    /// All of it is being paid back.
    #[error("all of this order is being paid back")]
    RefundPending,
    /// No such refund was asked for.
    #[error("this order has no such refund")]
    UnknownRefund,
    /// The refund has another outcome already.
    #[error("this refund has ended already: ask for another under a new id")]
    RefundSettled,
    /// A refund is of some amount, in the order's currency.
    #[error("a refund is of more than nothing, in the currency of the order")]
    InvalidRefund,
    /// More than what is left.
    #[error("at most {refundable} of this order can be paid back")]
    RefundTooLarge {
        /// The most.
        refundable: Money,
    },
    /// More pieces than what is left.
    #[error("at most {returnable} of {product_id} can come back")]
    ReturnTooLarge {
        /// Which.
        product_id: String,
        /// The most.
        returnable: u64,
    },
}

impl Rejection for OrderRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "ORDER_NOT_FOUND",
            Self::AlreadyExists => "ORDER_ALREADY_EXISTS",
            Self::Empty => "EMPTY_ORDER",
            Self::TooManyItems { .. } => "TOO_MANY_ITEMS",
            Self::InvalidItem { .. } => "INVALID_ITEM",
            Self::InvalidAddress => "INVALID_ADDRESS",
            Self::MixedCurrencies { .. } => "MIXED_CURRENCIES",
            Self::TotalTooLarge => "TOTAL_TOO_LARGE",
            Self::UnknownProduct { .. } => "UNKNOWN_PRODUCT",
            Self::PriceChanged { .. } => "PRICE_CHANGED",
            Self::WrongStatus { .. } => "WRONG_ORDER_STATUS",
            Self::PaymentNotAuthorized => "PAYMENT_NOT_AUTHORIZED",
            Self::AuthorizationExpired { .. } => "AUTHORIZATION_EXPIRED",
            Self::InvalidTrackingNumber => "INVALID_TRACKING_NUMBER",
            Self::RefundPending => "REFUND_PENDING",
            Self::UnknownRefund => "UNKNOWN_REFUND",
            Self::RefundSettled => "REFUND_SETTLED",
            Self::InvalidRefund => "INVALID_REFUND",
            Self::RefundTooLarge { .. } => "REFUND_TOO_LARGE",
            Self::ReturnTooLarge { .. } => "RETURN_TOO_LARGE",
        }
    }

    fn kind(&self) -> RejectionKind {
        match self {
            Self::NotFound => RejectionKind::NotFound,
            Self::Empty
            | Self::TooManyItems { .. }
            | Self::InvalidItem { .. }
            | Self::InvalidAddress
            | Self::MixedCurrencies { .. }
            | Self::TotalTooLarge
            | Self::UnknownProduct { .. }
            | Self::InvalidTrackingNumber
            | Self::InvalidRefund => RejectionKind::Unprocessable,
            Self::AlreadyExists
            | Self::PriceChanged { .. }
            | Self::WrongStatus { .. }
            | Self::PaymentNotAuthorized
            | Self::AuthorizationExpired { .. }
            | Self::RefundPending
            | Self::UnknownRefund
            | Self::RefundSettled
            | Self::RefundTooLarge { .. }
            | Self::ReturnTooLarge { .. } => RejectionKind::Conflict,
        }
    }

    fn facts(&self) -> Value {
        match self {
            Self::TooManyItems { limit } => json!({ "limit": limit }),
            Self::InvalidItem { index, field, problem } => {
                json!({ "pointer": format!("/items/{index}/{field}"), "problem": problem })
            }
            Self::UnknownProduct { product_id } => json!({ "productId": product_id }),
            Self::PriceChanged { product_id, current, .. } => {
                json!({ "productId": product_id, "currentPrice": current })
            }
            Self::WrongStatus { status, .. } => json!({ "orderStatus": status }),
            Self::AuthorizationExpired { at } => json!({ "expiredAt": at.to_string() }),
            Self::RefundTooLarge { refundable } => json!({ "refundable": refundable }),
            Self::ReturnTooLarge { product_id, returnable } => {
                json!({ "productId": product_id, "returnable": returnable })
            }
            _ => Value::Null,
        }
    }
}
