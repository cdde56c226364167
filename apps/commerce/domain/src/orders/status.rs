//! The words of an order.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrderStatus {
    /// Placed; its checkout runs.
    Pending,
    /// Stock is sold to it and payment is authorised.
    Confirmed,
    /// An operator let it go to the warehouse.
    Approved,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Its checkout turned back; nothing is owed.
    Cancelled,
    /// All of it was paid back.
    Refunded,
}

impl OrderStatus {
    /// Every one, in order.
    pub const ALL: &'static [Self] = &[
        Self::Pending,
        Self::Confirmed,
        Self::Approved,
        Self::Shipped,
        Self::Delivered,
        Self::Cancelled,
        Self::Refunded,
    ];

    /// The word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Confirmed => "CONFIRMED",
            Self::Approved => "APPROVED",
            Self::Shipped => "SHIPPED",
            Self::Delivered => "DELIVERED",
            Self::Cancelled => "CANCELLED",
            Self::Refunded => "REFUNDED",
        }
    }

    /// Whether the shop holds the customer's money, all or part of it.
    pub const fn is_paid(self) -> bool {
        matches!(self, Self::Confirmed | Self::Approved | Self::Shipped | Self::Delivered)
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `CREATED` is accepted for `PENDING`.
impl FromStr for OrderStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = if text == "CREATED" { "PENDING" } else { text };
        Self::ALL.iter().copied().find(|known| known.as_str() == wanted).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|known| known.as_str()).collect();
            format!("{text:?} is not one of {}", known.join(", "))
        })
    }
}

/// How an order came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderSource {
    /// Through the shop.
    #[default]
    Web,
    /// From a file of orders placed elsewhere: their size, price and date are history.
    Import,
}

/// How an order is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentMethod {
    /// Credit or debit card.
    #[default]
    #[serde(alias = "CREDIT_CARD")]
    Card,
    /// Transfer from an account.
    BankTransfer,
    /// A gift card of the shop.
    GiftCard,
    /// A coupon of the shop.
    Coupon,
}
