//! The port to a payment provider.

use commerce_domain::{
    money::Currency,
    payments::{
        Payment,
        gateway::{
            Authorization, AuthorizeRequest, Capture, CaptureRequest, RefundRequest, Refunded, VoidRequest,
            Voided,
        },
    },
};
use gallae_core::{Id, saga::EffectKey};
use gallae_ports::BoxFuture;
use std::{collections::BTreeMap, time::Duration};

/// A payment provider.
///
/// Every call carries an idempotency key. A key is executed at most once, and a repetition gets the first answer. A call that
/// is dropped before it answers may have been executed; [`query`](Self::query) tells.
pub trait PaymentGateway: Send + Sync + 'static {
    /// Holds money.
    fn authorize<'a>(
        &'a self,
        key: &'a EffectKey,
        request: AuthorizeRequest,
    ) -> BoxFuture<'a, Result<Authorization, GatewayError>>;

    /// Gives up the hold that was asked for under the key `authorization`. A hold that the provider never saw is given up too: it
    /// is refused from then on.
    fn void<'a>(
        &'a self,
        key: &'a EffectKey,
        authorization: &'a EffectKey,
        request: VoidRequest,
    ) -> BoxFuture<'a, Result<Voided, GatewayError>>;

    /// Takes the money that is held.
    fn capture<'a>(
        &'a self,
        key: &'a EffectKey,
        request: CaptureRequest,
    ) -> BoxFuture<'a, Result<Capture, GatewayError>>;

    /// Pays money back.
    fn refund<'a>(
        &'a self,
        key: &'a EffectKey,
        request: RefundRequest,
    ) -> BoxFuture<'a, Result<Refunded, GatewayError>>;

    /// What is recorded under a key; `None` when nothing was executed under it and nothing is under way.
    fn query<'a>(&'a self, key: &'a EffectKey) -> BoxFuture<'a, Result<Option<Recorded>, GatewayError>>;

    /// What the provider's own record says it moved for a payment: for audits.
    fn moved(&self, payment: Id<Payment>) -> BoxFuture<'_, Result<Movements, GatewayError>>;

    /// What the provider's own record says it moved in all, by currency: for audits.
    fn moved_in_total(&self) -> BoxFuture<'_, Result<BTreeMap<Currency, Movements>, GatewayError>>;
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// Money was held.
    Authorized(Authorization),
    /// A hold was given up.
    Voided(Voided),
    /// Money was taken.
    Captured(Capture),
    /// Money was paid back.
    Refunded(Refunded),
    /// It was refused.
    Declined {
        /// Stable code.
        code: String,
        /// In words.
        reason: String,
    },
}

/// Sums in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Movements {
    /// Became ours.
    pub captured: i64,
    /// Went back.
    pub refunded: i64,
}

/// Why an operation has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// Refused for good; nothing was moved.
    #[error("declined ({code}): {reason}")]
    Declined {
        /// Stable code.
        code: String,
        /// In words.
        reason: String,
    },
    /// Nothing was moved; trying again may help.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Nothing was moved; the provider asks for patience.
    #[error("asked to wait")]
    Throttled {
        /// At least so long.
        retry_after: Duration,
    },
    /// It may have been executed.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// Nothing was moved, and the same call never will: the two sides do not understand each other.
    #[error("broken: {0}")]
    Broken(String),
}
