//! The effect rows of an instance, folded from its events like everything else.

use gallae_core::{
    SagaId, Timestamp,
    saga::{Direction, FailureClass, SagaEvent},
};
use gallae_ports::{EffectRow, EffectState};
use serde_json::Value;

/// What `event` makes of an effect, given the effects before it. `None`: it concerns none.
pub(super) fn effect_after(
    effects: &[&EffectRow],
    saga: SagaId,
    event: &SagaEvent,
    time: Timestamp,
) -> Option<EffectRow> {
    let known = |step: &str, direction: Direction| {
        effects
            .iter()
            .rev()
            .find(|row| row.direction == direction && row.step == step)
            .map(|row| (*row).clone())
    };
    let moved = |step: &str, direction, state, response: Option<&Value>| {
        let mut row = known(step, direction)?;
        row.state = state;
        row.response = response.cloned();
        Some(row)
    };
    match event {
        SagaEvent::StepDispatched { step, direction, attempt, epoch, effect_key, request_hash, .. } => {
            let mut row = known(step, *direction).unwrap_or_else(|| EffectRow {
                key: effect_key.as_str().to_owned(),
                saga,
                step: step.clone(),
                direction: *direction,
                request_hash: request_hash.clone(),
                state: EffectState::Sent,
                first_sent_at: time,
                attempts: 0,
                response: None,
                epoch: 0,
            });
            row.state = EffectState::Sent;
            row.attempts = *attempt;
            row.epoch = *epoch;
            Some(row)
        }
        SagaEvent::StepSucceeded { step, output } => {
            moved(step, Direction::Do, EffectState::Executed, Some(output))
        }
        SagaEvent::StepUndone { step, output } => {
            moved(step, Direction::Undo, EffectState::Executed, Some(output))
        }
        SagaEvent::StepRejected { step, .. } => moved(step, Direction::Do, EffectState::Refused, None),
        SagaEvent::StepNotExecuted { step, direction } => {
            moved(step, *direction, EffectState::NotExecuted, None)
        }
        SagaEvent::StepFailed { step, direction, class: FailureClass::Unknown, .. } => {
            moved(step, *direction, EffectState::Unknown, None)
        }
        SagaEvent::StepFailed { step, direction, .. } => {
            moved(step, *direction, EffectState::NotExecuted, None)
        }
        _ => None,
    }
}

/// Puts rows that have moved in the place of their former selves.
pub(super) fn merge(ledger: &mut Vec<EffectRow>, moved: Vec<EffectRow>) {
    for row in moved {
        match ledger.iter_mut().find(|known| known.direction == row.direction && known.step == row.step) {
            Some(known) => *known = row,
            None => ledger.push(row),
        }
    }
}
