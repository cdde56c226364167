//! What the engine tells its metrics.

use super::{dependencies::Dependencies, effects::CallOutcome, instance::Instance, transition::Plan};
use gallae_core::saga::{Direction, FailureClass, SagaEvent};
use std::time::Duration;

/// A transition is durable.
pub(super) fn transition(dependencies: &Dependencies, instance: &Instance, plan: &Plan) {
    let saga = instance.definition.name;
    metrics::counter!("gallae_saga_transitions_total", "saga" => saga).increment(1);
    for event in &plan.events {
        match event {
            SagaEvent::CompensationStarted { .. } => {
                metrics::counter!("gallae_saga_compensations_total", "saga" => saga).increment(1);
            }
            SagaEvent::Stuck { step, reason } => {
                metrics::counter!("gallae_saga_stuck_total", "saga" => saga).increment(1);
                tracing::error!(saga = %instance.id, definition = saga, step, reason, "a saga is stuck and waits for an operator");
            }
            SagaEvent::StepHeld { step, direction, why, .. } => {
                if let Some(dependency) = instance.definition.dependency(step, *direction) {
                    dependencies.note_held(dependency, *why);
                }
            }
            SagaEvent::StepFailed { class: FailureClass::Unknown, .. } => {
                metrics::counter!("gallae_saga_unknown_total", "saga" => saga).increment(1);
            }
            SagaEvent::StepFailed { .. } => {
                metrics::counter!("gallae_saga_failures_total", "saga" => saga).increment(1);
            }
            SagaEvent::Completed {}
            | SagaEvent::Rejected { .. }
            | SagaEvent::Compensated { .. }
            | SagaEvent::Abandoned { .. } => {
                let status = plan.state.status.map_or("", |status| status.as_str());
                metrics::counter!("gallae_saga_ended_total", "saga" => saga, "status" => status).increment(1);
            }
            _ => {}
        }
    }
}

/// A call came back.
pub(super) fn call(
    saga: &'static str,
    step: &'static str,
    direction: Direction,
    outcome: &CallOutcome,
    elapsed: Duration,
) {
    let word = match outcome {
        CallOutcome::Succeeded(_) => "succeeded",
        CallOutcome::Rejected { .. } => "rejected",
        CallOutcome::Transient(_) => "transient",
        CallOutcome::Throttled { .. } => "throttled",
        CallOutcome::Unknown(_) => "unknown",
        CallOutcome::Permanent(_) => "permanent",
    };
    metrics::histogram!(
        "gallae_saga_step_duration_seconds",
        "saga" => saga, "step" => step, "direction" => direction.as_str(), "outcome" => word
    )
    .record(elapsed);
}
