//! Commands: requests to change one aggregate.

use crate::{
    Aggregate, Decide, DecisionContext, DecodeError, EncodeError, Event, EventType, Id, RecordedEvent,
    Rejection, RejectionKind, StreamId, decode,
};
use bytes::Bytes;
use std::{any::Any, fmt, time::Duration};

/// A request to one aggregate: one struct, one `impl Decide`, one file.
pub trait Command: fmt::Debug + Send + Sync + 'static {
    /// Stable, such as `order.place`; names the command in logs, metrics and traces.
    const NAME: &'static str;
    /// Who decides it.
    type Aggregate: Decide<Self>;

    /// Which one decides it.
    fn target(&self) -> Id<Self::Aggregate>;

    /// Unique keys to take or give back in the same transaction as the events, given the state before them. Only when
    /// the decision has events.
    fn claims(&self, _state: &Self::Aggregate) -> Vec<ClaimChange> {
        Vec::new()
    }
}

/// A change to a unique key: the way to an invariant across aggregates, such as one user per address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// Take the key for `owner`. Taking what one already owns renews it.
    Take {
        /// Unique across the store, such as `user-email:kim@example.com`.
        key: String,
        /// Named in the conflict that others get.
        owner: String,
        /// How long it holds; for ever if absent.
        expires_after: Option<Duration>,
    },
    /// Give the key back. A key owned by somebody else, or by nobody, is left alone.
    Release {
        /// The key.
        key: String,
        /// Who held it.
        owner: String,
    },
}

/// An event encoded for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedEvent {
    /// Name and schema version.
    pub event_type: EventType,
    /// JSON.
    pub payload: Bytes,
}

/// The state of any aggregate, behind one face. Implemented for every [`Aggregate`].
pub trait AnyState: Any + fmt::Debug + Send + Sync {
    /// Folds a stored event.
    ///
    /// # Errors
    /// See [`DecodeError`].
    fn evolve_recorded(&mut self, event: &RecordedEvent) -> Result<(), DecodeError>;
    /// A copy.
    fn boxed_clone(&self) -> Box<dyn AnyState>;
    /// The state as JSON, for a snapshot or for people.
    ///
    /// # Errors
    /// When the state's own `Serialize` fails.
    fn to_json(&self) -> Result<Vec<u8>, serde_json::Error>;
    /// For downcasting.
    fn as_any(&self) -> &dyn Any;
    /// For downcasting.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<A: Aggregate> AnyState for A {
    fn evolve_recorded(&mut self, event: &RecordedEvent) -> Result<(), DecodeError> {
        self.evolve(&decode(&event.event_type, event.schema_version, &event.payload)?);
        Ok(())
    }
    fn boxed_clone(&self) -> Box<dyn AnyState> {
        Box::new(self.clone())
    }
    fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Any command, behind one face, so that a saga's step can hold commands of several aggregates. Implemented for every
/// [`Command`].
pub trait AnyCommand: fmt::Debug + Send + Sync {
    /// [`Command::NAME`].
    fn name(&self) -> &'static str;
    /// [`Aggregate::TYPE`] of who decides it.
    fn aggregate_type(&self) -> &'static str;
    /// The stream of who decides it.
    fn stream(&self) -> StreamId;
    /// Decides, and on success folds the new events into `state`. A rejection leaves `state` as it was.
    ///
    /// # Errors
    /// The domain's rejection, or an event that cannot be written.
    fn decide_and_evolve(
        &self,
        state: &mut dyn AnyState,
        cx: &DecisionContext<'_>,
    ) -> Result<(Vec<EncodedEvent>, Vec<ClaimChange>), AnyRejection>;
}

impl<C: Command> AnyCommand for C {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn aggregate_type(&self) -> &'static str {
        C::Aggregate::TYPE
    }

    fn stream(&self) -> StreamId {
        self.target().stream()
    }

    fn decide_and_evolve(
        &self,
        state: &mut dyn AnyState,
        cx: &DecisionContext<'_>,
    ) -> Result<(Vec<EncodedEvent>, Vec<ClaimChange>), AnyRejection> {
        let Some(state) = state.as_any_mut().downcast_mut::<C::Aggregate>() else {
            return Err(AnyRejection::WrongState { command: C::NAME });
        };
        let events = state.decide(self, cx).map_err(AnyRejection::rejected)?;
        let mut encoded = Vec::with_capacity(events.len());
        for event in &events {
            let mut payload = Vec::with_capacity(256);
            event.encode(&mut payload)?;
            encoded.push(EncodedEvent { event_type: event.event_type(), payload: payload.into() });
        }
        let claims = if events.is_empty() { Vec::new() } else { self.claims(state) };
        for event in &events {
            state.evolve(event);
        }
        Ok((encoded, claims))
    }
}

/// Why a command decided behind [`AnyCommand`] came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnyRejection {
    /// The domain said no.
    #[error("{reason}")]
    Rejected {
        /// [`Rejection::code`].
        code: &'static str,
        /// [`Rejection::kind`].
        kind: RejectionKind,
        /// The rejection in words.
        reason: String,
        /// [`Rejection::facts`].
        facts: serde_json::Value,
        /// The rejection itself, for who knows its type.
        typed: Box<dyn Any + Send + Sync>,
    },
    /// An event could not be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The state given is not the one that decides this command: a fault of the wiring.
    #[error("command {command} was given the state of another aggregate")]
    WrongState {
        /// The command.
        command: &'static str,
    },
}

impl AnyRejection {
    fn rejected<R: Rejection>(rejection: R) -> Self {
        Self::Rejected {
            code: rejection.code(),
            kind: rejection.kind(),
            reason: rejection.to_string(),
            facts: rejection.facts(),
            typed: Box::new(rejection),
        }
    }
}
