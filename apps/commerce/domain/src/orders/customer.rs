//! Who an order is for, and where it goes: snapshots, so that an order never changes with its customer.

use crate::users::{Email, User};
use gallae_core::{Id, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The customer as they were when they ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Who.
    pub id: Id<User>,
    /// First and last.
    pub name: String,
    /// Where to write.
    pub email: Email,
}

/// Where an order goes. One line is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShippingAddress {
    /// The recipient, if not the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Street and number, or the whole address.
    pub line1: String,
    /// Apartment, company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line2: Option<String>,
    /// City.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// For the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Faster.
    #[serde(default)]
    pub express: bool,
}

impl ShippingAddress {
    /// An address written in one line.
    pub fn line(line1: impl Into<String>) -> Self {
        let (name, line2, city, postal_code, country, phone) = (None, None, None, None, None, None);
        Self { name, line1: line1.into(), line2, city, postal_code, country, phone, express: false }
    }

    /// Everything that is there, in the order of an envelope.
    pub fn one_line(&self) -> String {
        let parts = [
            &self.name,
            &Some(self.line1.clone()),
            &self.line2,
            &self.city,
            &self.postal_code,
            &self.country,
        ];
        let present: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        present.join(", ")
    }

    /// When an order placed at `placed_at` should arrive: two days express, else five.
    pub fn estimated_delivery(&self, placed_at: Timestamp) -> Timestamp {
        let days = if self.express { 2 } else { 5 };
        placed_at.after(Duration::from_secs(days * 24 * 60 * 60))
    }

    /// Whether there is an address and no part is longer than an envelope.
    pub(super) fn is_acceptable(&self) -> bool {
        let parts = [&self.name, &self.line2, &self.city, &self.postal_code, &self.country, &self.phone];
        let short = |text: &str| text.chars().count() <= 500;
        !self.line1.trim().is_empty()
            && short(&self.line1)
            && parts.into_iter().flatten().all(|part| short(part))
    }
}
