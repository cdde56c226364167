//! A saga's functions with its types taken off, so that one engine can run every definition.

use gallae_core::{
    EncodedEvent, EventSet, SagaId, StreamId, Timestamp,
    saga::{Action, CallResult, Direction, Saga, SagaCommand, SagaContext, SagaEnd, SagaGraph},
};
use serde::Deserialize;
use serde_json::Value;
use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// What an instance was started with, decoded once.
pub(super) type Input = Arc<dyn Any + Send + Sync>;

/// A function of a definition failed or panicked: a bug, never a business "no".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Broken(pub(super) String);

/// What a definition's functions see.
pub(super) struct Facts<'a> {
    pub(super) id: SagaId,
    pub(super) input: &'a Input,
    pub(super) outputs: &'a BTreeMap<String, Value>,
    pub(super) now: Timestamp,
}

/// A new instance, as the start function wants it.
pub(super) struct Begin {
    pub(super) business_key: String,
    pub(super) input: Value,
    pub(super) typed: Input,
}

/// The functions of one definition. Steps are named by their index in the graph.
pub(super) trait Script: Send + Sync {
    fn start(&self, event: &EncodedEvent, stream: &StreamId) -> Result<Option<Begin>, Broken>;
    fn input(&self, value: &Value) -> Result<Input, Broken>;
    fn commands(
        &self,
        step: usize,
        direction: Direction,
        facts: &Facts<'_>,
    ) -> Result<Vec<SagaCommand>, Broken>;
    fn request(&self, step: usize, direction: Direction, facts: &Facts<'_>) -> Result<Value, Broken>;
    fn record(
        &self,
        step: usize,
        direction: Direction,
        facts: &Facts<'_>,
        result: CallResult<&Value>,
    ) -> Result<Vec<SagaCommand>, Broken>;
    fn ended(&self, facts: &Facts<'_>, end: &SagaEnd) -> Result<Vec<SagaCommand>, Broken>;
}

/// The script of `S`.
pub(super) struct Typed<S: Saga>(pub(super) SagaGraph<S>);

impl<S: Saga> Typed<S> {
    fn action(&self, step: usize, direction: Direction) -> Result<&Action<S>, Broken> {
        let step = self.0.steps().get(step).ok_or_else(|| Broken(format!("there is no step {step}")))?;
        match direction {
            Direction::Do => Ok(step.action()),
            Direction::Undo => {
                step.undo_action().ok_or_else(|| Broken(format!("{} has no undo", step.name())))
            }
        }
    }
}

impl<S: Saga> Script for Typed<S> {
    fn start(&self, event: &EncodedEvent, stream: &StreamId) -> Result<Option<Begin>, Broken> {
        let known = S::Trigger::read(event.event_type.name, event.event_type.version, &event.payload);
        let Some(event) = known.map_err(|error| Broken(error.to_string()))? else { return Ok(None) };
        let Some(start) = guarded("start", || S::start(&event, stream))? else { return Ok(None) };
        let input = serde_json::to_value(&start.input).map_err(|error| unfit("the input", &error))?;
        Ok(Some(Begin { business_key: start.business_key, input, typed: Arc::new(start.input) }))
    }

    fn input(&self, value: &Value) -> Result<Input, Broken> {
        let input = S::Input::deserialize(value).map_err(|error| unfit("the recorded input", &error))?;
        Ok(Arc::new(input))
    }

    fn commands(
        &self,
        step: usize,
        direction: Direction,
        facts: &Facts<'_>,
    ) -> Result<Vec<SagaCommand>, Broken> {
        match self.action(step, direction)? {
            Action::Local(commands) => {
                let cx = context::<S>(facts)?;
                guarded("local", || commands(&cx))
            }
            Action::Call { .. } => Ok(Vec::new()),
        }
    }

    fn request(&self, step: usize, direction: Direction, facts: &Facts<'_>) -> Result<Value, Broken> {
        match self.action(step, direction)? {
            Action::Call { request, .. } => {
                let cx = context::<S>(facts)?;
                guarded("request", || request(&cx))?.map_err(|error| unfit("the request", &error))
            }
            Action::Local(_) => Ok(Value::Null),
        }
    }

    fn record(
        &self,
        step: usize,
        direction: Direction,
        facts: &Facts<'_>,
        result: CallResult<&Value>,
    ) -> Result<Vec<SagaCommand>, Broken> {
        match self.action(step, direction)? {
            Action::Call { record: Some(record), .. } => {
                let cx = context::<S>(facts)?;
                guarded("record", || record(&cx, result))?.map_err(|error| unfit("the answer", &error))
            }
            _ => Ok(Vec::new()),
        }
    }

    fn ended(&self, facts: &Facts<'_>, end: &SagaEnd) -> Result<Vec<SagaCommand>, Broken> {
        let cx = context::<S>(facts)?;
        guarded("ended", || S::ended(&cx, end))
    }
}

fn context<'a, S: Saga>(facts: &Facts<'a>) -> Result<SagaContext<'a, S>, Broken> {
    match facts.input.downcast_ref::<S::Input>() {
        Some(input) => Ok(SagaContext::new(facts.id, input, facts.outputs, facts.now)),
        None => Err(Broken(format!("the input is not one of saga {}", S::NAME))),
    }
}

/// A panic in a definition must not take the engine with it: it holds the one instance, as stuck.
fn guarded<T>(function: &str, run: impl FnOnce() -> T) -> Result<T, Broken> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Broken(format!("its {function} function panicked: {text}"))
    })
}

fn unfit(what: &str, error: &serde_json::Error) -> Broken {
    Broken(format!("{what} does not fit its type: {error}"))
}
