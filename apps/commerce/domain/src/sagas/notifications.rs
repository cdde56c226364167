//! What the shop tells its customers.

use crate::{
    money::Money,
    orders::{Customer, Order},
};
use gallae_core::Id;
use serde::{Deserialize, Serialize};

/// The participant that writes to customers.
pub const DEPENDENCY: &str = "notifications";
/// Tells that an order is confirmed: [`OrderConfirmedNotice`] → [`Notified`].
pub const ORDER_CONFIRMED: &str = "order-confirmed";

/// An order is confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderConfirmedNotice {
    /// Which.
    pub order: Id<Order>,
    /// Whom to tell.
    pub customer: Customer,
    /// What it costs.
    pub total: Money,
}

/// The message is on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notified {}
