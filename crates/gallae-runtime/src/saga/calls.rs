//! Making calls.

use super::{
    dependencies::Health,
    effects::{CallOutcome, QueryOutcome},
    engine::Core,
    gate::Ticket,
    observe,
    transition::{Ask, Incoming, Outgoing},
};
use futures::FutureExt;
use gallae_ports::BoxFuture;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// Makes a call, or asks what became of one, within the step's attempt timeout. No answer, or a handler that panics, leaves
/// the outcome unknown.
pub(super) async fn perform(
    core: Arc<Core>,
    saga: &'static str,
    outgoing: Outgoing,
    ticket: Option<Ticket>,
) -> Incoming {
    let Outgoing { step, direction, dependency, timeout, ask } = outgoing;
    let began = core.clock.monotonic();
    if let Ask::Turn { at_most } = ask {
        await_turn(&core, at_most, ticket).await;
        return Incoming::Turn { step, direction };
    }
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
            settle(&core, ticket, health(&outcome), elapsed);
            observe::call(saga, name, direction, &outcome, elapsed);
            Incoming::Answered { step, direction, outcome }
        }
        Ask::Query { key, operation } => {
            let asked = within(&core, timeout, handler.query(&key, operation)).await;
            let health = match &asked {
                Ok(QueryOutcome::Unknown) => Health::Neutral,
                Ok(_) => Health::Good,
                Err(_) => Health::Bad,
            };
            settle(&core, ticket, health, core.clock.monotonic().saturating_sub(began));
            Incoming::Told { step, direction, outcome: asked.unwrap_or(QueryOutcome::Unknown) }
        }
        Ask::Turn { .. } => Incoming::Turn { step, direction },
    }
}

/// Until a call of the dependency has come back, or the time is over.
async fn await_turn(core: &Core, at_most: Duration, ticket: Option<Ticket>) {
    let Some(Ticket::Waiter(waiter)) = ticket else { return core.clock.sleep(at_most).await };
    tokio::select! {
        biased;
        () = waiter.0.freed.notified() => {}
        () = core.clock.sleep(at_most) => {}
    }
}

fn settle(core: &Core, ticket: Option<Ticket>, health: Health, elapsed: Duration) {
    if let Some(Ticket::Permit(permit)) = ticket {
        permit.settle(health, elapsed, core.clock.monotonic());
    }
}

/// A participant that says no is well; one that asks for patience says so itself; a bug is nobody's outage.
fn health(outcome: &CallOutcome) -> Health {
    match outcome {
        CallOutcome::Succeeded(_) | CallOutcome::Rejected { .. } => Health::Good,
        CallOutcome::Transient(_) | CallOutcome::Unknown(_) => Health::Bad,
        CallOutcome::Throttled { .. } | CallOutcome::Permanent(_) => Health::Neutral,
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
