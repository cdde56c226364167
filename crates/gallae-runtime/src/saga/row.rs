//! What an instance's row and timers say, given its state: pure functions of the fold.

use super::{instance::Instance, registry::Definition};
use gallae_core::{
    SagaId, Timestamp, Version,
    saga::{Direction, SagaState, SagaStatus, StepKind, StepPhase},
};
use gallae_ports::{SagaRow, TimerKind, TimerRow, TimerWrite};

/// How many partitions instances are spread over.
const PARTITIONS: u16 = 256;

/// The partition of an instance. Its id is a hash already.
pub(super) fn partition(saga: SagaId) -> u16 {
    u16::from(saga.uuid().as_bytes()[15]) % PARTITIONS
}

/// What an instance waits for: a timer's name, its kind and when it fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) timer: String,
    pub(super) kind: TimerKind,
    pub(super) at: Timestamp,
}

/// Everything that `state` waits for. Empty while calls are answered at once: the common case sets no timer.
pub(super) fn waits(definition: &Definition, state: &SagaState) -> Vec<Wait> {
    let direction = match (state.status, state.origin) {
        (Some(SagaStatus::Running), _) => Direction::Do,
        (Some(SagaStatus::Compensating), _) => Direction::Undo,
        // An undo that failed for good is still tried, slowly.
        (Some(SagaStatus::Stuck), Some(SagaStatus::Compensating)) => Direction::Undo,
        _ => return Vec::new(),
    };
    let turning = is_turning(definition, state);
    let mut waits = Vec::new();
    for (name, step) in &state.steps {
        let waiting = match step.phase {
            StepPhase::Backoff => direction == Direction::Do && !turning,
            StepPhase::Unknown => direction == Direction::Do,
            StepPhase::UndoBackoff | StepPhase::UndoUnknown => direction == Direction::Undo,
            _ => false,
        };
        if let Some(at) = step.retry_at.filter(|_| waiting) {
            waits.push(Wait { timer: format!("retry:{name}"), kind: TimerKind::Retry, at });
            let overdue = step.deadline.filter(|deadline| *deadline < at && step.phase == StepPhase::Backoff);
            waits.extend(overdue.map(|at| Wait {
                timer: format!("step-deadline:{name}"),
                kind: TimerKind::StepDeadline,
                at,
            }));
        }
    }
    if direction == Direction::Do
        && let Some(next) = waits.iter().map(|wait| wait.at).min()
        && let Some(at) = state.deadline
        && at < next
        && !turning
        && !is_committed(definition, state)
    {
        waits.push(Wait { timer: "deadline".to_owned(), kind: TimerKind::Deadline, at });
    }
    waits
}

/// The writes that lead from the timers of one state to those of the next.
pub(super) fn timer_writes(
    definition: &Definition,
    saga: SagaId,
    before: &SagaState,
    after: &SagaState,
) -> Vec<TimerWrite> {
    let before = waits(definition, before);
    let after = waits(definition, after);
    let mut writes = Vec::new();
    for gone in before.iter().filter(|gone| !after.iter().any(|wait| wait.timer == gone.timer)) {
        writes.push(TimerWrite::Remove { saga, timer: gone.timer.clone() });
    }
    for wait in after.into_iter().filter(|wait| !before.contains(wait)) {
        let Wait { timer, kind, at } = wait;
        let partition = partition(saga);
        writes.push(TimerWrite::Set(TimerRow { saga, timer, partition, kind, fire_at: at, fail_count: 0 }));
    }
    writes
}

/// Whether the point of no return is behind: the pivot, or where there is none, the last step before the retriable ones.
pub(super) fn is_committed(definition: &Definition, state: &SagaState) -> bool {
    let succeeded = |name: &str| state.steps.get(name).is_some_and(|step| step.phase == StepPhase::Succeeded);
    let of_kind = |kind| definition.steps.iter().filter(move |step| step.kind == kind);
    match of_kind(StepKind::Pivot).next() {
        Some(pivot) => succeeded(pivot.name),
        None => {
            of_kind(StepKind::Retriable).next().is_some()
                && of_kind(StepKind::Compensable).all(|step| succeeded(step.name))
        }
    }
}

/// Whether a running saga is on its way back: refused or cancelled, with calls still to be answered.
pub(super) fn is_turning(definition: &Definition, state: &SagaState) -> bool {
    state.end.is_some() && !is_committed(definition, state)
}

/// The status as the row shows it: running, unless only timers are outstanding.
pub(super) fn shown_status(state: &SagaState) -> SagaStatus {
    let status = state.status.unwrap_or(SagaStatus::Running);
    let waits = |phase: StepPhase| matches!(phase, StepPhase::Backoff | StepPhase::Unknown);
    if status == SagaStatus::Running
        && state.steps.values().any(|step| waits(step.phase))
        && !state.steps.values().any(|step| step.phase == StepPhase::Dispatched)
    {
        return SagaStatus::Waiting;
    }
    status
}

/// The step that an instance is at: the next one to be undone, or the first that is not done.
pub(super) fn current_step(definition: &Definition, state: &SagaState) -> Option<&'static str> {
    let status = state.origin.or(state.status)?;
    if status.is_terminal() {
        return None;
    }
    if status == SagaStatus::Compensating {
        let last = definition.position(state.completed.last()?)?;
        return Some(definition.steps[last].name);
    }
    let open = |name: &str| {
        let phase = state.steps.get(name).map_or(StepPhase::Ready, |step| step.phase);
        !matches!(phase, StepPhase::Succeeded | StepPhase::Skipped)
    };
    definition.steps.iter().map(|step| step.name).find(|name| open(name))
}

/// The row of an instance whose stream stands at `version`.
pub(super) fn row(
    instance: &Instance,
    state: &SagaState,
    version: Version,
    epoch: u64,
    now: Timestamp,
) -> SagaRow {
    let definition = &instance.definition;
    let end = state.end.as_ref();
    let words = || end.map(|(_, code, reason)| format!("{code}: {reason}"));
    let error = || state.steps.values().filter(|step| step.phase.waits()).find_map(|step| step.error.clone());
    SagaRow {
        id: instance.id,
        definition: definition.name.to_owned(),
        definition_version: definition.version,
        definition_hash: definition.hash.clone(),
        business_key: state.business_key.clone(),
        status: shown_status(state),
        cause: end.map(|(cause, ..)| *cause),
        step: current_step(definition, state).map(str::to_owned),
        reason: state.held.clone().or_else(words).or_else(error),
        version,
        partition: partition(instance.id),
        epoch,
        next_due: waits(definition, state).iter().map(|wait| wait.at).min(),
        deadline: state.deadline,
        correlation_id: instance.metadata.correlation_id.clone(),
        user: instance.user,
        started_at: instance.started_at,
        updated_at: now,
    }
}
