//! Refunds as an order knows them.

use super::{Order, PaymentReference};
use crate::{books::Book, money::Money};
use gallae_core::{Id, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A decided wish to pay back money of an order; carried out by the refund saga.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundRequest {
    /// Its identity.
    pub id: Id<RefundRequest>,
    /// What to pay back.
    pub amount: Money,
    /// What comes back.
    pub returns: Vec<ReturnedItem>,
    /// In words.
    pub reason: String,
    /// Where the money went.
    pub payment: PaymentReference,
    /// When it happened; earlier than its event for an import.
    pub requested_at: Timestamp,
}

impl RefundRequest {
    /// The id that always belongs to what the outside world calls `reference`, so that a repeated request is one refund.
    pub fn derived_id(order: Id<Order>, reference: &str) -> Id<Self> {
        Id::new(Uuid::new_v5(&order.uuid(), format!("refund:{reference}").as_bytes()))
    }

    /// Pieces that come back.
    pub fn pieces(&self) -> u64 {
        self.returns.iter().map(|returned| u64::from(returned.quantity)).sum()
    }
}

/// Pieces of one product that come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReturnedItem {
    /// As ordered.
    pub product_id: String,
    /// The book of the catalogue, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub book: Option<Id<Book>>,
    /// Pieces.
    pub quantity: u32,
}
