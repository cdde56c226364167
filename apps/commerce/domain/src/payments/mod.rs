//! Payments: what the provider did for an order, as the shop recorded it. One payment per order.
//!
//! `refunded + being refunded ≤ captured ≤ authorised`, always.

pub mod commands;
mod event;
pub mod gateway;
mod rejection;

pub use event::PaymentEvent;
pub use rejection::PaymentRejection;

use crate::{
    money::Money,
    orders::{Order, RefundRequest},
};
use gallae_core::{Aggregate, Id};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a payment stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentStatus {
    /// The provider has not answered yet.
    #[default]
    Pending,
    /// The money is held for us.
    Authorized,
    /// The money is ours.
    Paid,
    /// The provider refused.
    Failed,
    /// The hold was given up.
    Voided,
    /// Part of the money went back.
    PartiallyRefunded,
    /// All of the money went back.
    Refunded,
}

impl PaymentStatus {
    /// The word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Authorized => "AUTHORIZED",
            Self::Paid => "PAID",
            Self::Failed => "FAILED",
            Self::Voided => "VOIDED",
            Self::PartiallyRefunded => "PARTIALLY_REFUNDED",
            Self::Refunded => "REFUNDED",
        }
    }
}

/// The payment of one order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    status: PaymentStatus,
    authorized: Option<Money>,
    captured: Option<Money>,
    refunds: BTreeMap<Id<RefundRequest>, (Money, RefundState)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum RefundState {
    Reserved,
    Released,
    Paid,
}

impl Aggregate for Payment {
    const TYPE: &'static str = "payment";
    type Event = PaymentEvent;
    type Rejection = PaymentRejection;

    fn evolve(&mut self, event: &PaymentEvent) {
        self.status = event.status().unwrap_or(self.status);
        match event {
            PaymentEvent::Authorized { amount, .. } => self.authorized = Some(*amount),
            PaymentEvent::Completed { amount, .. } => self.captured = Some(*amount),
            PaymentEvent::Failed { .. } | PaymentEvent::Voided { .. } => {}
            PaymentEvent::RefundReserved { refund, amount, .. } => {
                self.refunds.insert(*refund, (*amount, RefundState::Reserved));
            }
            PaymentEvent::RefundReleased { refund, amount, .. } => {
                self.refunds.insert(*refund, (*amount, RefundState::Released));
            }
            PaymentEvent::Refunded { refund, amount, .. } => {
                self.refunds.insert(*refund, (*amount, RefundState::Paid));
            }
        }
    }
}

impl Payment {
    /// The payment of `order`.
    pub fn of(order: Id<Order>) -> Id<Self> {
        Id::derived(&order.to_string())
    }

    /// Where it stands.
    pub const fn status(&self) -> PaymentStatus {
        self.status
    }

    /// What became ours; nothing before the capture. Once captured, always captured.
    pub const fn captured(&self) -> Option<Money> {
        self.captured
    }

    /// What was paid back.
    pub fn refunded(&self) -> i64 {
        self.sum(|state| state == RefundState::Paid)
    }

    /// What could still be paid back: captured, less what was or is being paid back.
    pub fn refundable(&self) -> Option<Money> {
        let bound = self.sum(|state| state != RefundState::Released);
        self.captured.map(|captured| Money { amount: captured.amount - bound, ..captured })
    }

    // Refunds never exceed what was captured, so their sum fits.
    fn sum(&self, counts: impl Fn(RefundState) -> bool) -> i64 {
        self.refunds.values().filter(|(_, state)| counts(*state)).map(|(amount, _)| amount.amount).sum()
    }
}

#[cfg(test)]
mod tests;
