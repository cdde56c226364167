//! Instances as people ask about them.

use super::instance::{LoadError, read_stream};
use gallae_core::{
    Actor, Aggregate, Position, SagaId, Timestamp, Version,
    saga::{SagaEvent, SagaState, SagaStatus, StepPhase, StepState},
};
use gallae_ports::{EffectRow, EventStore, SagaFilter, SagaRow, SagaStore, StoreFault, TimerRow};
use std::{fmt, sync::Arc};

/// Answers questions about sagas; needs no engine on its node. Cheap to clone.
#[derive(Clone)]
pub struct SagaView {
    store: Arc<dyn EventStore>,
    pub(super) sagas: Arc<dyn SagaStore>,
}

/// One instance, whole.
#[derive(Clone, Debug)]
pub struct SagaDescription {
    /// Its row.
    pub row: SagaRow,
    /// Its state, folded from its stream.
    pub state: SagaState,
    /// Everything that happened to it, in order.
    pub timeline: Vec<TimelineEntry>,
    /// What it waits for.
    pub timers: Vec<TimerRow>,
    /// Its calls to the outside, in order of first dispatch.
    pub effects: Vec<EffectRow>,
    /// Why it stands where it stands, in one sentence.
    pub why: String,
}

/// One event of an instance.
#[derive(Clone, Debug)]
pub struct TimelineEntry {
    /// Place in its stream.
    pub version: Version,
    /// Place in the log.
    pub position: Position,
    /// When.
    pub time: Timestamp,
    /// On whose behalf, if its metadata can be read.
    pub actor: Option<Actor>,
    /// What.
    pub event: SagaEvent,
}

/// Why a question about a saga has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SagaViewError {
    /// Try again later.
    #[error("sagas cannot be read at the moment")]
    Unavailable(#[from] StoreFault),
    /// The stream is damaged or was written by another release.
    #[error("the saga's stream cannot be understood: {0}")]
    Unreadable(String),
}

impl SagaView {
    /// A view of the sagas in these stores.
    pub fn new(store: Arc<dyn EventStore>, sagas: Arc<dyn SagaStore>) -> Self {
        Self { store, sagas }
    }

    /// One instance, or `None` if there is none of this id.
    ///
    /// # Errors
    /// See [`SagaViewError`].
    pub async fn describe(&self, id: SagaId) -> Result<Option<SagaDescription>, SagaViewError> {
        let Some(row) = self.sagas.saga(id).await? else { return Ok(None) };
        let events = read_stream(&*self.store, id).await.map_err(unreadable)?;
        let timers = self.sagas.timers(id).await?;
        let effects = self.sagas.effects(id).await?;
        let mut state = SagaState::default();
        let mut timeline = Vec::with_capacity(events.len());
        for (recorded, event) in events {
            state.evolve(&event);
            timeline.push(TimelineEntry {
                version: recorded.version,
                position: recorded.position,
                time: recorded.time,
                actor: recorded.metadata.get().ok().map(|metadata| metadata.actor.clone()),
                event,
            });
        }
        let why = why(&state);
        Ok(Some(SagaDescription { row, state, timeline, timers, effects, why }))
    }

    /// Instances that match, newest first, `limit` after skipping `offset`, and how many match in all.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(
        &self,
        filter: &SagaFilter,
        offset: u64,
        limit: usize,
    ) -> Result<(Vec<SagaRow>, u64), SagaViewError> {
        Ok(self.sagas.sagas(filter, offset, limit).await?)
    }
}

impl fmt::Debug for SagaView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaView").finish_non_exhaustive()
    }
}

fn unreadable(error: LoadError) -> SagaViewError {
    match error {
        LoadError::Read(gallae_ports::ReadError::Unavailable(fault)) => SagaViewError::Unavailable(fault),
        other => SagaViewError::Unreadable(crate::supervisor::error_chain(&other)),
    }
}

/// Why an instance stands where it stands.
fn why(state: &SagaState) -> String {
    let ended = state.end.as_ref().map(|(_, code, reason)| format!("{code}: {reason}")).unwrap_or_default();
    let held = state.held.clone().unwrap_or_default();
    match state.status {
        None => "It has not begun.".to_owned(),
        Some(SagaStatus::Completed) => "Every step succeeded or was skipped.".to_owned(),
        Some(SagaStatus::Rejected) => format!("It ended before anything took effect, because of {ended}"),
        Some(SagaStatus::Compensated) => format!("Everything was undone, because of {ended}"),
        Some(SagaStatus::Abandoned) => format!("An operator closed it: {held}{ended}"),
        Some(SagaStatus::Paused) => format!("An operator holds it ({held}); resume it to let it go on."),
        Some(SagaStatus::Stuck) => format!("It waits for an operator to retry, cancel or abandon it: {held}"),
        Some(SagaStatus::Running | SagaStatus::Waiting) if state.end.is_some() => {
            format!("{} Then it turns back, because of {ended}", open_steps(state))
        }
        Some(SagaStatus::Running | SagaStatus::Waiting) => open_steps(state),
        Some(SagaStatus::Compensating) => {
            format!("It is undoing what it did, because of {ended}. {}", open_steps(state))
        }
    }
}

fn open_steps(state: &SagaState) -> String {
    let sentences: Vec<_> = state.steps.iter().filter_map(|(name, step)| open_step(name, step)).collect();
    match sentences.is_empty() {
        true => "It is about to begin its next step.".to_owned(),
        false => sentences.join(" "),
    }
}

fn open_step(name: &str, step: &StepState) -> Option<String> {
    let attempt = step.attempt;
    let error = step.error.as_deref().unwrap_or("no reason was given");
    let when = step.retry_at.map_or_else(|| "now".to_owned(), |at| format!("at {at}"));
    if let Some(held) = step.held {
        let by = held.as_str();
        return Some(format!("The next call of {name} is held ({by}): {error}; it asks again {when}."));
    }
    match step.phase {
        StepPhase::Dispatched => Some(format!("It waits for the answer to attempt {attempt} of {name}.")),
        StepPhase::UndoDispatched => {
            Some(format!("It waits for the answer to attempt {attempt} to undo {name}."))
        }
        StepPhase::Backoff => {
            Some(format!("Attempt {attempt} of {name} failed ({error}); the next one is due {when}."))
        }
        StepPhase::UndoBackoff => {
            Some(format!("Attempt {attempt} to undo {name} failed ({error}); the next one is due {when}."))
        }
        StepPhase::Unknown => {
            Some(format!("Whether {name} happened is not known ({error}); it is asked again {when}."))
        }
        StepPhase::UndoUnknown => {
            Some(format!("Whether {name} was undone is not known ({error}); it is asked again {when}."))
        }
        _ => None,
    }
}
