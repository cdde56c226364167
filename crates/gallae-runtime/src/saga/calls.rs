//! Making calls.

use super::{
    effects::{CallOutcome, QueryOutcome},
    engine::Core,
    observe,
    transition::{Ask, Incoming, Outgoing},
};
use futures::FutureExt;
use gallae_ports::BoxFuture;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// Makes a call, or asks what became of one, within the step's attempt timeout. No answer, or a handler that panics, leaves
/// the outcome unknown.
pub(super) async fn perform(core: Arc<Core>, saga: &'static str, outgoing: Outgoing) -> Incoming {
    let Outgoing { step, direction, dependency, timeout, ask } = outgoing;
    let began = core.clock.monotonic();
    let Some(handler) = core.effects.handler(dependency) else {
        let outcome = CallOutcome::Permanent(format!("there is no handler for {dependency}"));
        return Incoming::Answered { step, direction, outcome };
    };
    match ask {
        Ask::Call(call) => {
            let name = call.step;
            let outcome =
                within(&core, timeout, handler.call(call)).await.unwrap_or_else(CallOutcome::Unknown);
            let elapsed = core.clock.monotonic().saturating_sub(began);
            observe::call(saga, name, direction, &outcome, elapsed);
            Incoming::Answered { step, direction, outcome }
        }
        Ask::Query { key, operation } => {
            let asked = within(&core, timeout, handler.query(&key, operation)).await;
            Incoming::Told { step, direction, outcome: asked.unwrap_or(QueryOutcome::Unknown) }
        }
    }
}

async fn within<T>(core: &Core, timeout: Duration, call: BoxFuture<'_, T>) -> Result<T, String> {
    tokio::select! {
        biased;
        answer = AssertUnwindSafe(call).catch_unwind() => {
            answer.map_err(|_| "the effect handler panicked".to_owned())
        }
        () = core.clock.sleep(timeout) => Err(format!("no answer within {} ms", timeout.as_millis())),
    }
}
