//! What people may ask of a running instance.

use super::{
    engine::SagaEngine, instance::Instance, queue::Signal, row::is_committed, transition::Incoming,
    visit::visit,
};
use gallae_core::{
    Actor, Position, SagaId,
    saga::{Cause, SagaStatus},
};
use tokio::sync::oneshot;

/// An intervention that was recorded, or was not needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervention {
    /// Where the instance stands after it.
    pub status: SagaStatus,
    /// The position of its last event; absent when there was nothing to change.
    pub position: Option<Position>,
}

/// Why an intervention changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterventionError {
    /// There is no such instance.
    #[error("there is no saga {0}")]
    NotFound(SagaId),
    /// It has ended.
    #[error("the saga has ended ({status}); nothing can change it any more")]
    Ended {
        /// How.
        status: SagaStatus,
    },
    /// The point of no return is behind.
    #[error(
        "the saga is past its point of no return and can only go forward; undo its result with a new one, such as a refund"
    )]
    TooLate,
    /// Its status does not allow this.
    #[error("the saga is {status}: {advice}")]
    Refused {
        /// Its status.
        status: SagaStatus,
        /// What to do instead.
        advice: &'static str,
    },
    /// The store does not answer.
    #[error("the store does not answer; nothing was changed, try again")]
    Unavailable,
    /// The store did not say what became of it.
    #[error("the store did not say whether it was written; look at the saga before you try again")]
    Unknown,
    /// The instance cannot be run by this release.
    #[error("the saga cannot be taken up: {0}")]
    Unrunnable(String),
}

pub(super) type Reply = oneshot::Sender<Result<Intervention, InterventionError>>;

impl SagaEngine {
    /// Asks for the saga to be undone: its effects are undone in reverse order, after calls under way have been followed to
    /// a known outcome. Asking again changes nothing. A customer's wish waits while an operator or a bug holds the saga.
    ///
    /// # Errors
    /// [`TooLate`](InterventionError::TooLate) past the point of no return. A pivot that is under way may still succeed; the
    /// saga then completes.
    pub async fn cancel(
        &self,
        saga: SagaId,
        cause: Cause,
        reason: impl Into<String>,
        actor: Actor,
    ) -> Result<Intervention, InterventionError> {
        self.intervene(saga, Incoming::Cancel { cause, reason: reason.into() }, actor).await
    }

    /// Makes what waits due at once, with a fresh budget; sets a stuck saga going again.
    ///
    /// # Errors
    /// See [`InterventionError`].
    pub async fn retry(
        &self,
        saga: SagaId,
        reason: impl Into<String>,
        actor: Actor,
    ) -> Result<Intervention, InterventionError> {
        self.intervene(saga, Incoming::Retry { reason: reason.into() }, actor).await
    }

    /// Holds the saga: nothing new begins. Answers to calls under way are still recorded, and its deadline keeps running.
    ///
    /// # Errors
    /// See [`InterventionError`].
    pub async fn pause(
        &self,
        saga: SagaId,
        reason: impl Into<String>,
        actor: Actor,
    ) -> Result<Intervention, InterventionError> {
        self.intervene(saga, Incoming::Pause { reason: reason.into() }, actor).await
    }

    /// Lets a paused saga go on.
    ///
    /// # Errors
    /// See [`InterventionError`].
    pub async fn resume(
        &self,
        saga: SagaId,
        reason: impl Into<String>,
        actor: Actor,
    ) -> Result<Intervention, InterventionError> {
        self.intervene(saga, Incoming::Resume { reason: reason.into() }, actor).await
    }

    /// Closes the saga as it is. The last resort: effects stay as they are, and somebody has to set them right by hand.
    ///
    /// # Errors
    /// See [`InterventionError`].
    pub async fn abandon(
        &self,
        saga: SagaId,
        reason: impl Into<String>,
        actor: Actor,
    ) -> Result<Intervention, InterventionError> {
        self.intervene(saga, Incoming::Abandon { reason: reason.into() }, actor).await
    }

    async fn intervene(
        &self,
        saga: SagaId,
        incoming: Incoming,
        actor: Actor,
    ) -> Result<Intervention, InterventionError> {
        let (reply, answer) = oneshot::channel();
        let signal = Signal { incoming: incoming.clone(), actor: actor.clone(), reply };
        // The instance is told where it is run, if that is here: what it is doing need not begin again.
        if self.core.queue.signal(saga, signal).is_ok()
            && let Ok(outcome) = answer.await
        {
            return outcome;
        }
        // Another node runs it, or this one stopped doing so before it came to it.
        visit(&self.core, saga, incoming, actor).await
    }
}

/// Whether an instance may be told this now.
pub(super) fn permit(instance: &Instance, incoming: &Incoming) -> Result<(), InterventionError> {
    let status = instance.state.status.unwrap_or(SagaStatus::Running);
    if status.is_terminal() {
        return Err(InterventionError::Ended { status });
    }
    let refused = |advice| Err(InterventionError::Refused { status, advice });
    match (incoming, status) {
        (Incoming::Cancel { .. }, _) => {
            let compensating = instance.state.origin.unwrap_or(status) == SagaStatus::Compensating;
            match !compensating && is_committed(&instance.definition, &instance.state) {
                true => Err(InterventionError::TooLate),
                false => Ok(()),
            }
        }
        (Incoming::Pause { .. }, SagaStatus::Stuck) => refused("it does nothing already, retry or cancel it"),
        (Incoming::Pause { .. }, SagaStatus::Paused) => refused("it is held already"),
        (Incoming::Retry { .. }, SagaStatus::Paused) => refused("resume it first"),
        (Incoming::Resume { .. }, SagaStatus::Paused) => Ok(()),
        (Incoming::Resume { .. }, SagaStatus::Stuck) => refused("retry or cancel it"),
        (Incoming::Resume { .. }, _) => refused("it is not held"),
        _ => Ok(()),
    }
}
