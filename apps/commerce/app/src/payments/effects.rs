//! The sagas' calls, put to a gateway.

use super::{GatewayError, PaymentGateway, Recorded};
use commerce_domain::{payments::gateway, sagas::checkout::steps};
use gallae_core::saga::{Direction, EffectKey};
use gallae_ports::{BoxFuture, Clock};
use gallae_runtime::saga::{CallOutcome, EffectCall, EffectHandler, QueryOutcome};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{fmt, sync::Arc, time::Duration};
use uuid::Uuid;

/// Handles the calls of the dependency `payments`.
///
/// A call that is not answered within the deadline is given up, and its outcome is unknown until the provider's record says it.
/// The deadline is shorter than the engine's attempt, so that a slow provider is told apart from a lost node.
pub struct PaymentEffects {
    gateway: Arc<dyn PaymentGateway>,
    clock: Arc<dyn Clock>,
    deadline: Duration,
    /// Part of every effect key.
    store: Uuid,
}

impl PaymentEffects {
    /// Calls to `gateway` of the sagas in the log `store`.
    pub fn new(
        gateway: Arc<dyn PaymentGateway>,
        clock: Arc<dyn Clock>,
        deadline: Duration,
        store: Uuid,
    ) -> Self {
        Self { gateway, clock, deadline, store }
    }

    async fn answer(&self, call: EffectCall) -> Result<Value, GatewayError> {
        let EffectCall { key, saga, operation, body, .. } = call;
        let gateway = &self.gateway;
        match operation {
            gateway::AUTHORIZE => value(gateway.authorize(&key, request(body)?).await?),
            gateway::VOID => {
                let authorize = steps::AUTHORIZE.name();
                let authorization = EffectKey::new(self.store, saga, authorize, Direction::Do);
                value(gateway.void(&key, &authorization, request(body)?).await?)
            }
            gateway::CAPTURE => value(gateway.capture(&key, request(body)?).await?),
            gateway::REFUND => value(gateway.refund(&key, request(body)?).await?),
            unknown => Err(GatewayError::Broken(format!("payments have no operation {unknown:?}"))),
        }
    }
}

impl EffectHandler for PaymentEffects {
    fn call(&self, call: EffectCall) -> BoxFuture<'_, CallOutcome> {
        Box::pin(async move {
            let operation = call.operation;
            let outcome = tokio::select! {
                biased;
                answer = self.answer(call) => outcome_of(answer),
                () = self.clock.sleep(self.deadline) => {
                    CallOutcome::Unknown(format!("no answer within {} ms", self.deadline.as_millis()))
                }
            };
            let word = match &outcome {
                CallOutcome::Succeeded(_) => "succeeded",
                CallOutcome::Rejected { .. } => "declined",
                CallOutcome::Transient(_) | CallOutcome::Throttled { .. } => "unavailable",
                CallOutcome::Unknown(_) => "unknown",
                CallOutcome::Permanent(_) => "broken",
            };
            metrics::counter!("commerce_payment_calls_total", "operation" => operation, "outcome" => word)
                .increment(1);
            outcome
        })
    }

    fn query<'a>(&'a self, key: &'a EffectKey, _operation: &'a str) -> BoxFuture<'a, QueryOutcome> {
        Box::pin(async move {
            tokio::select! {
                biased;
                recorded = self.gateway.query(key) => match recorded {
                    Ok(None) => QueryOutcome::NotExecuted,
                    Ok(Some(recorded)) => known(recorded),
                    Err(_) => QueryOutcome::Unknown,
                },
                () = self.clock.sleep(self.deadline) => QueryOutcome::Unknown,
            }
        })
    }
}

fn outcome_of(answer: Result<Value, GatewayError>) -> CallOutcome {
    match answer {
        Ok(value) => CallOutcome::Succeeded(value),
        Err(GatewayError::Declined { code, reason }) => CallOutcome::Rejected { code, reason },
        Err(GatewayError::Throttled { retry_after }) => CallOutcome::Throttled { retry_after },
        Err(GatewayError::Unavailable(reason)) => CallOutcome::Transient(reason),
        Err(GatewayError::NoAnswer(reason)) => CallOutcome::Unknown(reason),
        Err(GatewayError::Broken(reason)) => CallOutcome::Permanent(reason),
    }
}

fn known(recorded: Recorded) -> QueryOutcome {
    let executed = match recorded {
        Recorded::Authorized(authorization) => value(authorization),
        Recorded::Voided(voided) => value(voided),
        Recorded::Captured(capture) => value(capture),
        Recorded::Refunded(refunded) => value(refunded),
        Recorded::Declined { code, reason } => return QueryOutcome::Refused { code, reason },
    };
    executed.map_or(QueryOutcome::Unknown, QueryOutcome::Executed)
}

fn request<T: DeserializeOwned>(body: Value) -> Result<T, GatewayError> {
    serde_json::from_value(body)
        .map_err(|error| GatewayError::Broken(format!("a request that is none: {error}")))
}

fn value(answer: impl Serialize) -> Result<Value, GatewayError> {
    serde_json::to_value(answer)
        .map_err(|error| GatewayError::Broken(format!("an answer that is none: {error}")))
}

impl fmt::Debug for PaymentEffects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentEffects").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payments::Simulator;
    use commerce_domain::{
        money::{Currency, Money},
        orders::{Order, PaymentMethod},
        payments::{
            Payment,
            gateway::{AuthorizeRequest, PaymentMetadata, VoidRequest},
        },
        sagas::Checkout,
    };
    use commerce_psp::{Provider, ProviderOptions};
    use gallae_core::{Id, Timestamp};
    use gallae_memory::ManualClock;
    use std::future::Future;

    const DEADLINE: Duration = Duration::from_millis(50);

    struct Till {
        effects: PaymentEffects,
        clock: Arc<ManualClock>,
        _folder: tempfile::TempDir,
    }

    fn till() -> Till {
        let folder = tempfile::tempdir().unwrap();
        let options = ProviderOptions { late_answer_after: Duration::from_secs(3_600), ..Default::default() };
        let provider = Provider::open(folder.path().join("ledger"), || 1, options).unwrap();
        let gateway = Arc::new(Simulator::new(Arc::new(provider)));
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1)));
        let effects = PaymentEffects::new(gateway, clock.clone(), DEADLINE, Uuid::nil());
        Till { effects, clock, _folder: folder }
    }

    fn order() -> Id<Order> {
        Id::new(Uuid::from_u128(1))
    }

    fn call(
        step: &'static str,
        direction: Direction,
        operation: &'static str,
        body: impl Serialize,
    ) -> EffectCall {
        let saga = Checkout::id(order());
        EffectCall {
            key: EffectKey::new(Uuid::nil(), saga, step, direction),
            saga,
            step,
            direction,
            operation,
            body: serde_json::to_value(body).unwrap(),
            epoch: 1,
            attempt: 1,
        }
    }

    fn authorize(product: &str, amount: i64) -> EffectCall {
        let request = AuthorizeRequest {
            order: order(),
            payment: Payment::of(order()),
            amount: Money::new(amount, Currency::Krw),
            method: PaymentMethod::Card,
            metadata: PaymentMetadata { product_ids: vec![product.to_owned()], reference: None },
        };
        call(steps::AUTHORIZE.name(), Direction::Do, gateway::AUTHORIZE, request)
    }

    fn void() -> EffectCall {
        let request = VoidRequest { payment: Payment::of(order()), provider_ref: None };
        call(steps::AUTHORIZE.name(), Direction::Undo, gateway::VOID, request)
    }

    impl Till {
        /// Lets the deadline pass once the call waits for it.
        async fn impatiently<T>(&self, call: impl Future<Output = T>) -> T {
            let advance = async {
                while self.clock.sleepers() == 0 {
                    tokio::task::yield_now().await;
                }
                self.clock.advance(DEADLINE);
            };
            tokio::join!(call, advance).0
        }
    }

    #[tokio::test]
    async fn a_late_answer_is_unknown_and_a_void_closes_the_door_behind_it() {
        let till = till();
        let late = authorize("PAYMENT_TIMEOUT-1", 1_000);
        let outcome = till.impatiently(till.effects.call(late.clone())).await;
        assert!(matches!(outcome, CallOutcome::Unknown(_)), "{outcome:?}");
        assert_eq!(till.effects.query(&late.key, gateway::AUTHORIZE).await, QueryOutcome::NotExecuted);
        assert!(matches!(till.effects.call(void()).await, CallOutcome::Succeeded(_)));
        let refused = till.effects.query(&late.key, gateway::AUTHORIZE).await;
        assert!(
            matches!(&refused, QueryOutcome::Refused { code, .. } if code == "KEY_VOIDED"),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn a_lost_reply_is_found_by_asking() {
        let till = till();
        let call = authorize("PAYMENT_UNKNOWN-1", 1_000);
        assert!(matches!(till.effects.call(call.clone()).await, CallOutcome::Unknown(_)));
        let found = till.effects.query(&call.key, gateway::AUTHORIZE).await;
        let QueryOutcome::Executed(answer) = found else { panic!("{found:?}") };
        assert_eq!(till.effects.call(call).await, CallOutcome::Succeeded(answer));
    }

    #[tokio::test]
    async fn refusals_and_outages_are_told_apart() {
        let till = till();
        let declined = till.effects.call(authorize("PAYMENT_FAIL-1", 1_000)).await;
        assert!(matches!(&declined, CallOutcome::Rejected { code, .. } if code == "PAYMENT_DECLINED"));
        // The same key with another content is a bug of ours, never a customer's problem.
        let reused = till.effects.call(authorize("product-1", 2_000)).await;
        assert!(matches!(reused, CallOutcome::Permanent(_)), "{reused:?}");
    }

    #[tokio::test]
    async fn what_the_provider_cannot_do_now_or_never_moves_nothing() {
        let flaky = till().effects.call(authorize("PAYMENT_FLAKY-1", 1_000)).await;
        assert!(matches!(flaky, CallOutcome::Transient(_)), "{flaky:?}");
        let beyond = till().effects.call(authorize("product-1", 2_000_000_000_000)).await;
        assert!(
            matches!(&beyond, CallOutcome::Rejected { code, .. } if code == "PAYMENT_INVALID"),
            "{beyond:?}"
        );
    }
}
