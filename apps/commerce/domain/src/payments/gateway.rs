//! The words between the shop and whoever moves the money: the bodies of the calls that the sagas make.
//!
//! Every request names the payment, so a provider that knows a payment by our id needs nothing else; what it calls the
//! payment travels as well, for a provider that does not.

use super::Payment;
use crate::{
    money::Money,
    orders::{Order, PaymentMethod, RefundRequest as OrderRefund},
};
use gallae_core::{Id, Timestamp};
use serde::{Deserialize, Serialize};

/// The participant that moves the money.
pub const DEPENDENCY: &str = "payments";
/// Holds the money: [`AuthorizeRequest`] → [`Authorization`].
pub const AUTHORIZE: &str = "authorize";
/// Gives up the hold: [`VoidRequest`] → [`Voided`].
pub const VOID: &str = "void";
/// Takes the money: [`CaptureRequest`] → [`Capture`].
pub const CAPTURE: &str = "capture";
/// Pays money back: [`RefundRequest`] → [`Refunded`].
pub const REFUND: &str = "refund";

/// Hold this much for us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizeRequest {
    /// For which order.
    pub order: Id<Order>,
    /// Under which payment.
    pub payment: Id<Payment>,
    /// How much.
    pub amount: Money,
    /// How.
    pub method: PaymentMethod,
    /// What the provider keeps with it.
    pub metadata: PaymentMetadata,
}

/// What the provider keeps with a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentMetadata {
    /// What is bought, each product once, sorted. The simulator knows its triggers by them.
    pub product_ids: Vec<String>,
    /// The number the order has where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// The money is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// What the provider calls it.
    pub provider_ref: String,
    /// It must be captured by then.
    pub expires_at: Timestamp,
}

/// Give up the hold. Giving up what the provider never saw succeeds, and refuses it from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoidRequest {
    /// Which payment.
    pub payment: Id<Payment>,
    /// What the provider calls it, if it told us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<String>,
}

/// The hold is given up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voided {}

/// Take the money that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaptureRequest {
    /// Which payment.
    pub payment: Id<Payment>,
    /// How much.
    pub amount: Money,
    /// What the provider calls it, if it told us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_ref: Option<String>,
}

/// The money is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capture {
    /// What the provider calls it.
    pub provider_ref: String,
}

/// Pay this much back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundRequest {
    /// Of which payment.
    pub payment: Id<Payment>,
    /// Which refund: a payment may have several.
    pub refund: Id<OrderRefund>,
    /// How much.
    pub amount: Money,
    /// What the provider calls the payment.
    pub provider_ref: String,
}

/// The money went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refunded {
    /// What the provider calls the refund.
    pub provider_ref: String,
}
