//! What a caller gets.

use crate::{Key, Money, PaymentRef};
use serde::{Deserialize, Serialize};

/// The kinds of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Reserve money.
    Authorize,
    /// Take reserved money.
    Capture,
    /// Release reserved money.
    Void,
    /// Give taken money back.
    Refund,
}

/// What a request led to, as far as the caller can see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "camelCase")]
pub enum Answer {
    /// Done, and recorded under the key.
    Executed(Receipt),
    /// Refused for good, and recorded under the key.
    Declined(Decline),
    /// Nothing was done: send the same request again.
    Unavailable,
    /// The reply was lost. It may have been executed: query the key, or send the same request again.
    NoReply,
}

/// What is recorded under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum Outcome {
    /// It was done.
    Executed(Receipt),
    /// It was refused, for good.
    Declined(Decline),
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Executed(receipt) => Self::Executed(receipt),
            Outcome::Declined(decline) => Self::Declined(decline),
        }
    }
}

/// Proof of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// What was done.
    pub operation: Operation,
    /// Under which key.
    pub key: Key,
    /// For which order.
    pub order: String,
    /// The provider's reference; absent only on a void that found nothing to release.
    pub payment: Option<PaymentRef>,
    /// How much was moved; absent only on a void that found nothing to release.
    pub money: Option<Money>,
    /// When, in microseconds UTC by the provider's clock.
    pub at: i64,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decline {
    /// A stable code.
    pub code: DeclineCode,
    /// A sentence for people.
    pub reason: String,
}

/// Why an operation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum DeclineCode {
    /// The customer's bank says no.
    PaymentDeclined,
    /// The key was closed by a void that came first.
    KeyVoided,
    /// No such payment.
    UnknownPayment,
    /// The payment belongs to another order.
    WrongOrder,
    /// The payment is in another currency.
    WrongCurrency,
    /// More than was authorised.
    ExceedsAuthorized,
    /// More than was captured and not yet refunded.
    ExceedsRefundable,
    /// The money was already taken: it can only be refunded.
    AlreadyCaptured,
    /// The authorisation was already released.
    AlreadyVoided,
    /// Nothing was taken yet: there is nothing to refund.
    NotCaptured,
    /// The key that a void names belongs to another kind of operation.
    NotAnAuthorization,
}

impl DeclineCode {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::PaymentDeclined => "the customer's bank declined the payment",
            Self::KeyVoided => "the authorisation was voided before it arrived",
            Self::UnknownPayment => "no such payment",
            Self::WrongOrder => "the payment belongs to another order",
            Self::WrongCurrency => "the payment is in another currency",
            Self::ExceedsAuthorized => "the amount is above what was authorised",
            Self::ExceedsRefundable => "the amount is above what was captured and not yet refunded",
            Self::AlreadyCaptured => "the payment was already captured",
            Self::AlreadyVoided => "the authorisation was already voided",
            Self::NotCaptured => "the payment was not captured",
            Self::NotAnAuthorization => "the key to void belongs to another kind of operation",
        }
    }
}

impl From<DeclineCode> for Decline {
    fn from(code: DeclineCode) -> Self {
        Self { code, reason: code.reason().to_owned() }
    }
}
