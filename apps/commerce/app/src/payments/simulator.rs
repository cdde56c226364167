//! The built-in provider, in this process.

use super::{GatewayError, Movements, PaymentGateway, Recorded};
use commerce_domain::{
    money,
    payments::{
        Payment,
        gateway::{
            Authorization, AuthorizeRequest, Capture, CaptureRequest, RefundRequest, Refunded, VoidRequest,
            Voided,
        },
    },
};
use commerce_psp as psp;
use futures::FutureExt;
use gallae_core::{Id, Timestamp, saga::EffectKey};
use gallae_ports::BoxFuture;
use psp::{Answer, Operation, Outcome, Provider, ProviderError, Receipt};
use std::{collections::BTreeMap, future::ready, sync::Arc, time::Duration};

/// How long the provider holds money.
const HOLD: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// [`commerce_psp`] behind the port. Our payment ids are its order numbers: every request names one.
#[derive(Clone, Debug)]
pub struct Simulator {
    provider: Arc<Provider>,
}

impl Simulator {
    /// A gateway to `provider`.
    pub fn new(provider: Arc<Provider>) -> Self {
        Self { provider }
    }

    /// The provider itself, for its ledger.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }
}

impl PaymentGateway for Simulator {
    fn authorize<'a>(
        &'a self,
        key: &'a EffectKey,
        request: AuthorizeRequest,
    ) -> BoxFuture<'a, Result<Authorization, GatewayError>> {
        async move {
            let AuthorizeRequest { payment, amount, metadata, .. } = request;
            let answer = self.provider.authorize(psp::Authorize {
                key: key_of(key)?,
                order: payment.to_string(),
                money: money_of(amount)?,
                metadata: psp::Metadata { product_ids: metadata.product_ids, invoice: metadata.reference },
            });
            authorization(&executed(answer.await)?)
        }
        .boxed()
    }

    fn void<'a>(
        &'a self,
        key: &'a EffectKey,
        authorization: &'a EffectKey,
        request: VoidRequest,
    ) -> BoxFuture<'a, Result<Voided, GatewayError>> {
        let void = || {
            executed(self.provider.void(&psp::Void {
                key: key_of(key)?,
                order: request.payment.to_string(),
                authorization: key_of(authorization)?,
                metadata: psp::Metadata::default(),
            }))
        };
        ready(void().map(|_| Voided {})).boxed()
    }

    fn capture<'a>(
        &'a self,
        key: &'a EffectKey,
        request: CaptureRequest,
    ) -> BoxFuture<'a, Result<Capture, GatewayError>> {
        let capture = || {
            let CaptureRequest { payment, amount, provider_ref } = request;
            let provider_ref = provider_ref.ok_or_else(|| broken("a capture without an authorisation"))?;
            let receipt = executed(self.provider.capture(&psp::Capture {
                key: key_of(key)?,
                order: payment.to_string(),
                payment: payment_of(&provider_ref)?,
                money: money_of(amount)?,
                metadata: psp::Metadata::default(),
            }))?;
            Ok(Capture { provider_ref: reference(&receipt)? })
        };
        ready(capture()).boxed()
    }

    fn refund<'a>(
        &'a self,
        key: &'a EffectKey,
        request: RefundRequest,
    ) -> BoxFuture<'a, Result<Refunded, GatewayError>> {
        let refund = || {
            let RefundRequest { payment, amount, provider_ref, .. } = request;
            let receipt = executed(self.provider.refund(&psp::Refund {
                key: key_of(key)?,
                order: payment.to_string(),
                payment: payment_of(&provider_ref)?,
                money: money_of(amount)?,
                metadata: psp::Metadata::default(),
            }))?;
            Ok(Refunded { provider_ref: reference(&receipt)? })
        };
        ready(refund()).boxed()
    }

    fn query<'a>(&'a self, key: &'a EffectKey) -> BoxFuture<'a, Result<Option<Recorded>, GatewayError>> {
        let query = || match self.provider.query(&key_of(key)?).map_err(refused)? {
            None => Ok(None),
            Some(Outcome::Executed(receipt)) => recorded(&receipt).map(Some),
            Some(Outcome::Declined(decline)) => {
                Ok(Some(Recorded::Declined { code: word(decline.code), reason: decline.reason }))
            }
        };
        ready(query()).boxed()
    }

    fn moved(&self, payment: Id<Payment>) -> BoxFuture<'_, Result<Movements, GatewayError>> {
        let totals = self.provider.per_order(&payment.to_string()).map_err(refused);
        let sum = |all: BTreeMap<psp::Currency, psp::Totals>| {
            all.values().try_fold(Movements::default(), |sum, totals| {
                let Movements { captured, refunded } = movements(totals)?;
                Ok(Movements { captured: sum.captured + captured, refunded: sum.refunded + refunded })
            })
        };
        ready(totals.and_then(sum)).boxed()
    }

    fn moved_in_total(&self) -> BoxFuture<'_, Result<BTreeMap<money::Currency, Movements>, GatewayError>> {
        let totals = self.provider.ledger_totals().map_err(refused);
        let convert = |all: BTreeMap<psp::Currency, psp::Totals>| {
            let convert = |(currency, totals): (&psp::Currency, &psp::Totals)| {
                let known = currency.to_string().parse().map_err(|error| broken(format!("{error}")))?;
                Ok((known, movements(totals)?))
            };
            all.iter().map(convert).collect()
        };
        ready(totals.and_then(convert)).boxed()
    }
}

fn executed(answer: Result<Answer, ProviderError>) -> Result<Receipt, GatewayError> {
    match answer.map_err(refused)? {
        Answer::Executed(receipt) => Ok(receipt),
        Answer::Declined(decline) => {
            Err(GatewayError::Declined { code: word(decline.code), reason: decline.reason })
        }
        Answer::Unavailable => Err(GatewayError::Unavailable("the provider is unavailable".into())),
        Answer::NoReply => Err(GatewayError::NoAnswer("the reply was lost".into())),
    }
}

/// In every case nothing was executed.
fn refused(error: ProviderError) -> GatewayError {
    match error {
        ProviderError::KeyReused { .. } => broken(error.to_string()),
        ProviderError::InvalidRequest { reason } => {
            GatewayError::Declined { code: "PAYMENT_INVALID".into(), reason: reason.into() }
        }
        // A ledger whose disk is full, or a provider that must be opened again: both pass.
        other => GatewayError::Unavailable(other.to_string()),
    }
}

fn recorded(receipt: &Receipt) -> Result<Recorded, GatewayError> {
    Ok(match receipt.operation {
        Operation::Authorize => Recorded::Authorized(authorization(receipt)?),
        Operation::Capture => Recorded::Captured(Capture { provider_ref: reference(receipt)? }),
        Operation::Void => Recorded::Voided(Voided {}),
        Operation::Refund => Recorded::Refunded(Refunded { provider_ref: reference(receipt)? }),
    })
}

fn authorization(receipt: &Receipt) -> Result<Authorization, GatewayError> {
    let expires_at = Timestamp::from_micros(receipt.at).after(HOLD);
    Ok(Authorization { provider_ref: reference(receipt)?, expires_at })
}

fn reference(receipt: &Receipt) -> Result<String, GatewayError> {
    let payment = receipt.payment.ok_or_else(|| broken("a receipt without a payment"))?;
    Ok(payment.to_string())
}

fn key_of(key: &EffectKey) -> Result<psp::Key, GatewayError> {
    psp::Key::new(key.as_str()).map_err(|error| broken(error.to_string()))
}

fn payment_of(provider_ref: &str) -> Result<psp::PaymentRef, GatewayError> {
    psp::PaymentRef::try_from(provider_ref.to_owned()).map_err(broken)
}

fn money_of(amount: money::Money) -> Result<psp::Money, GatewayError> {
    let currency = psp::Currency::new(amount.currency.code()).map_err(|error| broken(error.to_string()))?;
    Ok(psp::Money { amount: amount.amount, currency })
}

fn word(code: psp::DeclineCode) -> String {
    let word = serde_json::to_value(code).ok();
    word.as_ref().and_then(serde_json::Value::as_str).unwrap_or("DECLINED").to_owned()
}

fn broken(reason: impl Into<String>) -> GatewayError {
    GatewayError::Broken(reason.into())
}

fn movements(totals: &psp::Totals) -> Result<Movements, GatewayError> {
    let fits = |sum: i128| i64::try_from(sum).map_err(|_| broken("a sum beyond 64 bits"));
    Ok(Movements { captured: fits(totals.captured)?, refunded: fits(totals.refunded)? })
}
