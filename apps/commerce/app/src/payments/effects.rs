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
