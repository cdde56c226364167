//! What customers are told. Telling is recorded and nothing is sent: there is no mail server here.

use commerce_domain::sagas::notifications::{Notified, ORDER_CONFIRMED, OrderConfirmedNotice};
use gallae_core::saga::EffectKey;
use gallae_ports::BoxFuture;
use gallae_runtime::saga::{CallOutcome, EffectCall, EffectHandler, QueryOutcome, Resolution};
use serde::Deserialize;
use std::future::ready;

/// Handles the calls of the dependency `notifications`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notifications;

impl EffectHandler for Notifications {
    fn call(&self, call: EffectCall) -> BoxFuture<'_, CallOutcome> {
        let outcome = match call.operation {
            ORDER_CONFIRMED => match OrderConfirmedNotice::deserialize(&call.body) {
                Ok(notice) => {
                    tracing::debug!(order = %notice.order, total = %notice.total, "told a customer that their order is confirmed");
                    metrics::counter!("commerce_notifications_total", "kind" => ORDER_CONFIRMED).increment(1);
                    serde_json::to_value(Notified {}).map_or_else(
                        |error| CallOutcome::Permanent(error.to_string()),
                        CallOutcome::Succeeded,
                    )
                }
                Err(error) => CallOutcome::Permanent(format!("a notice that is none: {error}")),
            },
            unknown => CallOutcome::Permanent(format!("notifications have no operation {unknown:?}")),
        };
        Box::pin(ready(outcome))
    }

    fn query<'a>(&'a self, _key: &'a EffectKey, _operation: &'a str) -> BoxFuture<'a, QueryOutcome> {
        Box::pin(ready(QueryOutcome::Unknown))
    }

    /// Being told twice is better than asking whether one was told.
    fn resolution(&self, _operation: &str) -> Resolution {
        Resolution::Resend
    }
}
