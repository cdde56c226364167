//! The definitions that this program can run.

use super::{
    effects::Effects,
    script::{Script, Typed},
};
use gallae_core::{
    EventSet, EventType,
    saga::{Action, Direction, GraphError, RetryPolicy, Saga, SagaGraph, StepDefinition, StepKind},
};
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

/// Makes `S` known to a platform. Register older versions beside the newest for as long as instances of them live.
pub fn register<S: Saga>() -> Registration {
    register_graph(S::graph())
}

/// Makes `S` known with another graph than its own: for tests that make single steps fail.
pub fn register_graph<S: Saga>(graph: SagaGraph<S>) -> Registration {
    let errors = graph.check();
    let position = |name: &&str| graph.steps().iter().position(|step| step.name() == *name);
    let shape = |step: &StepDefinition<S>| StepShape {
        name: step.name(),
        kind: step.kind(),
        action: ActionShape::of(step.action()),
        undo: step.undo_action().map(ActionShape::of),
        retry: *step.retry_policy(),
        undo_retry: RetryPolicy {
            attempt_timeout: step.retry_policy().attempt_timeout,
            ..RetryPolicy::UNTIL_DONE
        },
        deadline: step.time_allowed(),
        skippable: step.is_skippable(),
        after: step.after().iter().filter_map(position).collect(),
    };
    let definition = Definition {
        name: S::NAME,
        version: S::VERSION,
        hash: graph.hash(),
        time_to_pivot: graph.time_to_pivot(),
        steps: graph.steps().iter().map(shape).collect(),
        triggers: S::Trigger::types(),
        script: Box::new(Typed(graph)),
    };
    Registration { definition: Arc::new(definition), errors }
}

/// One version of one saga, with its types taken off. See [`register`].
#[derive(Clone)]
pub struct Registration {
    definition: Arc<Definition>,
    errors: Vec<GraphError>,
}

impl Registration {
    /// The definition's name.
    pub fn name(&self) -> &'static str {
        self.definition.name
    }
    /// Its version.
    pub fn version(&self) -> u32 {
        self.definition.version
    }
    /// Its shape.
    pub fn hash(&self) -> &str {
        &self.definition.hash
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registration({} v{} {})", self.name(), self.version(), self.hash())
    }
}

/// Why a set of sagas cannot be run together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The graph could not be run or undone.
    #[error("saga {saga} v{version}: {error}")]
    Graph {
        /// The definition.
        saga: &'static str,
        /// Its version.
        version: u32,
        /// What is wrong.
        error: GraphError,
    },
    /// Instances could not tell the two apart.
    #[error("saga {saga} v{version} is registered twice: raise VERSION when the graph changes")]
    Twice {
        /// The definition.
        saga: &'static str,
        /// The version.
        version: u32,
    },
    /// Nobody answers its calls.
    #[error("saga {saga}: step {step:?} calls {dependency:?}, for which there is no effect handler")]
    NoHandler {
        /// The definition.
        saga: &'static str,
        /// The step.
        step: &'static str,
        /// The participant.
        dependency: &'static str,
    },
}

/// Every registered definition.
pub(crate) struct SagaRegistry {
    definitions: BTreeMap<(&'static str, u32), Arc<Definition>>,
    /// The newest version of each definition, by the events that may start it.
    triggers: HashMap<&'static str, Vec<Arc<Definition>>>,
}

impl SagaRegistry {
    /// Checks everything at once.
    ///
    /// # Errors
    /// Every mistake found.
    pub(crate) fn new(
        registrations: Vec<Registration>,
        effects: &Effects,
    ) -> Result<Self, Vec<RegistryError>> {
        let mut errors = Vec::new();
        let mut definitions = BTreeMap::new();
        for Registration { definition, errors: graph } in registrations {
            let (saga, version) = (definition.name, definition.version);
            errors.extend(graph.into_iter().map(|error| RegistryError::Graph { saga, version, error }));
            errors.extend(definition.unanswered(effects));
            if definitions.insert((saga, version), definition).is_some() {
                errors.push(RegistryError::Twice { saga, version });
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let newest: BTreeMap<_, _> =
            definitions.iter().map(|((name, _), definition)| (*name, Arc::clone(definition))).collect();
        let mut triggers: HashMap<_, Vec<_>> = HashMap::new();
        for definition in newest.into_values() {
            for EventType { name, .. } in &definition.triggers {
                triggers.entry(*name).or_default().push(Arc::clone(&definition));
            }
        }
        Ok(Self { definitions, triggers })
    }

    /// The definition that instances of this name, version and shape run under.
    pub(super) fn runs(&self, name: &str, version: u32, hash: &str) -> Option<&Arc<Definition>> {
        // The map's keys are literals of the program; a linear look saves making one from `name`.
        let same = |definition: &&Arc<Definition>| {
            definition.version == version && definition.name == name && definition.hash == hash
        };
        self.definitions.values().find(same)
    }

    /// The definitions that an event of this name may start.
    pub(super) fn started_by(&self, event: &str) -> &[Arc<Definition>] {
        self.triggers.get(event).map_or(&[], Vec::as_slice)
    }
}

impl fmt::Debug for SagaRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.definitions.keys()).finish()
    }
}

/// One definition, erased.
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) version: u32,
    pub(super) hash: String,
    pub(super) time_to_pivot: Option<Duration>,
    pub(super) steps: Vec<StepShape>,
    pub(super) triggers: Vec<EventType>,
    pub(super) script: Box<dyn Script>,
}

/// What the engine knows of a step.
#[derive(Debug)]
pub(super) struct StepShape {
    pub(super) name: &'static str,
    pub(super) kind: StepKind,
    pub(super) action: ActionShape,
    pub(super) undo: Option<ActionShape>,
    pub(super) retry: RetryPolicy,
    pub(super) undo_retry: RetryPolicy,
    pub(super) deadline: Option<Duration>,
    pub(super) skippable: bool,
    pub(super) after: Vec<usize>,
}

/// What the engine knows of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ActionShape {
    Local,
    Call { dependency: &'static str, operation: &'static str },
}

impl ActionShape {
    fn of<S: Saga>(action: &Action<S>) -> Self {
        match action {
            Action::Local(_) => Self::Local,
            Action::Call { dependency, operation, .. } => Self::Call { dependency, operation },
        }
    }
}

impl Definition {
    pub(super) fn position(&self, step: &str) -> Option<usize> {
        self.steps.iter().position(|known| known.name == step)
    }

    /// The participant that a step calls.
    pub(super) fn dependency(&self, step: &str, direction: Direction) -> Option<&'static str> {
        let step = &self.steps[self.position(step)?];
        let action = if direction == Direction::Do { Some(step.action) } else { step.undo };
        match action? {
            ActionShape::Call { dependency, .. } => Some(dependency),
            ActionShape::Local => None,
        }
    }

    fn unanswered(&self, effects: &Effects) -> Vec<RegistryError> {
        let mut errors = Vec::new();
        for step in &self.steps {
            for action in [Some(step.action), step.undo].into_iter().flatten() {
                if let ActionShape::Call { dependency, .. } = action
                    && effects.handler(dependency).is_none()
                {
                    errors.push(RegistryError::NoHandler { saga: self.name, step: step.name, dependency });
                }
            }
        }
        errors
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{} {}", self.name, self.version, self.hash)
    }
}
