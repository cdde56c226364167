//! Sagas: business transactions across aggregates and the outside world, declared as a graph of named steps.
//!
//! A saga is data: it can be drawn, checked, resumed after a crash, undone in reverse, and explored by a test. The
//! runtime appends every transition to the saga's own stream, in one transaction with the local changes it makes.

mod effect;
mod event;
mod graph;
mod state;
mod status;

pub use effect::{CallResult, Direction, EffectKey, request_hash};
pub use event::{FailureClass, HoldReason, SagaEvent};
pub use graph::{
    Action, GraphError, RetryPolicy, SagaGraph, Step, StepDefinition, StepKind, call, compensable, local,
    pivot, retriable,
};
pub use state::{SagaRejection, SagaState, StepPhase, StepState};
pub use status::{Cause, SagaEnd, SagaStatus};

use crate::{AnyCommand, Command, EventSet, SagaId, StreamId, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// A saga's definition.
pub trait Saga: Send + Sync + Sized + 'static {
    /// Stable, such as `checkout`.
    const NAME: &'static str;
    /// Raise it when the graph changes; live instances go on under the version that they started with.
    const VERSION: u32;
    /// Events that may start an instance. It starts in the transaction that appends the event.
    type Trigger: EventSet;
    /// What the instance knows from its start; recorded, so never looked up again.
    type Input: Serialize + DeserializeOwned + Clone + fmt::Debug + Send + Sync + 'static;

    /// Whether `event`, about to be appended to `stream`, starts an instance.
    fn start(event: &Self::Trigger, stream: &StreamId) -> Option<Start<Self::Input>>;

    /// The steps.
    fn graph() -> SagaGraph<Self>;

    /// What to change in the domain in the same transaction as the saga's end, such as cancelling the order.
    fn ended(_cx: &SagaContext<'_, Self>, _end: &SagaEnd) -> Vec<SagaCommand> {
        Vec::new()
    }
}

/// A new saga instance.
#[derive(Clone, Debug)]
pub struct Start<I> {
    /// Unique within the definition: a second start with the same key is the same instance.
    pub business_key: String,
    /// What the steps work from.
    pub input: I,
}

/// What a step's functions see.
pub struct SagaContext<'a, S: Saga> {
    /// This instance.
    pub id: SagaId,
    /// What it was started with.
    pub input: &'a S::Input,
    /// The time of this transition.
    pub now: Timestamp,
    outputs: &'a BTreeMap<String, Value>,
}

impl<'a, S: Saga> SagaContext<'a, S> {
    /// For the runtime and for tests.
    pub fn new(
        id: SagaId,
        input: &'a S::Input,
        outputs: &'a BTreeMap<String, Value>,
        now: Timestamp,
    ) -> Self {
        Self { id, input, now, outputs }
    }

    /// The recorded answer of an earlier step, or `None` while it has none.
    ///
    /// Undo works from this, never from state looked up again.
    pub fn output<T: DeserializeOwned>(&self, step: Step<T>) -> Option<T> {
        self.outputs.get(step.name()).and_then(|value| T::deserialize(value).ok())
    }
}

impl<S: Saga> fmt::Debug for SagaContext<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaContext").field("id", &self.id).field("input", self.input).finish_non_exhaustive()
    }
}

/// A command that a saga issues, to any aggregate.
#[derive(Clone, Debug)]
pub struct SagaCommand(Arc<dyn AnyCommand>);

impl SagaCommand {
    /// Wraps a command.
    pub fn new(command: impl Command) -> Self {
        Self(Arc::new(command))
    }

    /// The command behind its common face.
    pub fn as_any_command(&self) -> &dyn AnyCommand {
        &*self.0
    }
}
