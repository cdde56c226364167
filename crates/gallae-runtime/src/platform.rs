//! Everything together: one handle for an application.

use crate::{
    Backoff, Supervisor, SystemClock, SystemEntropy,
    dispatcher::{AggregateType, AggregateTypes, Dispatcher, PeekError, Receipt, Request, SendError},
    projector::{self, Projections, ProjectorPorts},
    relay::{Mapping, Relay, RelayPorts},
    saga::{
        self, EffectHandler, Effects, RegistryError, SagaEngine, SagaEngineParts, SagaRegistry, SagaSettings,
        SagaTriggers, SagaView,
    },
};
use gallae_core::{
    Actor, Aggregate, Command, CorrelationId, DecodeError, EventType, Id, Metadata, Saga, StreamId, Version,
    saga::SagaState,
};
use gallae_ports::{
    Broker, Clock, DeadLetterStore, Entropy, EventStore, LeaseStore, Log, ReadError, SagaStore,
    SnapshotStore, StoreFault,
};
use serde_json::Value;
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

const PURGE_EVERY: Duration = Duration::from_secs(60);
const PURGE_AT_ONCE: usize = 10_000;
const READ_PAGE: usize = 500;

/// What a node does. Commands and queries are always answered; the rest can be left to other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Folds events into views, search and counters.
    pub projector: bool,
    /// Runs sagas.
    pub saga: bool,
    /// Publishes the log to the broker, if there is one.
    pub relay: bool,
}

impl Roles {
    /// Everything: one node alone.
    pub const ALL: Self = Self { projector: true, saga: true, relay: true };
    /// Nothing in the background: for a tool that looks at a store.
    pub const NONE: Self = Self { projector: false, saga: false, relay: false };
}

/// Collects what an application consists of. [`build`](Self::build) checks all of it at once and starts the background work.
pub struct PlatformBuilder {
    stores: Stores,
    node: Arc<str>,
    owner: Option<Arc<str>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    roles: Roles,
    lease: Duration,
    pace: Duration,
    concurrency: Option<usize>,
    aggregates: Vec<AggregateType>,
    projections: Vec<projector::Registration>,
    sagas: Vec<saga::Registration>,
    effects: Effects,
    relay: Option<(Mapping, Arc<dyn Broker>)>,
}

/// One database, by what is asked of it.
#[derive(Clone)]
struct Stores {
    events: Arc<dyn EventStore>,
    sagas: Arc<dyn SagaStore>,
    snapshots: Arc<dyn SnapshotStore>,
    leases: Arc<dyn LeaseStore>,
    dead_letters: Arc<dyn DeadLetterStore>,
    cursors: Arc<dyn gallae_ports::CursorStore>,
}

/// An application's platform: takes commands, runs projections, sagas and the relay. Cheap to clone.
#[derive(Clone)]
pub struct Platform {
    dispatcher: Dispatcher,
    stores: Stores,
    node: Arc<str>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    roles: Roles,
    types: AggregateTypes,
    projections: Projections,
    sagas: SagaEngine,
    saga_view: SagaView,
    relay: Option<Relay>,
    supervisor: Supervisor,
}

impl Platform {
    /// Starts from a log. The clock and the ids are the machine's unless replaced.
    pub fn builder<L: Log>(log: Arc<L>) -> PlatformBuilder {
        Self::on(log)
    }

    /// As [`Platform::builder`], from a log whose kind is only known at run time.
    pub fn on(log: Arc<dyn Log>) -> PlatformBuilder {
        let stores = Stores {
            events: log.clone(),
            sagas: log.clone(),
            snapshots: log.clone(),
            leases: log.clone(),
            dead_letters: log.clone(),
            cursors: log,
        };
        PlatformBuilder {
            stores,
            node: "node-1".into(),
            owner: None,
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy),
            roles: Roles::ALL,
            lease: Duration::from_secs(10),
            pace: Duration::ZERO,
            concurrency: None,
            aggregates: vec![AggregateType::of::<SagaState>()],
            projections: Vec::new(),
            sagas: Vec::new(),
            effects: Effects::new(),
            relay: None,
        }
    }

    /// Decides a command and makes its events durable; see [`Dispatcher::send`].
    ///
    /// # Errors
    /// By consequence; see [`SendError`].
    pub async fn send<C: Command>(
        &self,
        request: Request<C>,
    ) -> Result<Receipt, SendError<<C::Aggregate as Aggregate>::Rejection>> {
        self.dispatcher.send(request).await
    }

    /// Decides a command in a flow of its own, on nobody's behalf: for scripts and first steps.
    ///
    /// # Errors
    /// By consequence; see [`SendError`].
    pub async fn run<C: Command>(
        &self,
        command: C,
    ) -> Result<Receipt, SendError<<C::Aggregate as Aggregate>::Rejection>> {
        let correlation = CorrelationId::new(self.entropy.uuid());
        let metadata = Metadata::new(correlation, Actor::Anonymous, Arc::clone(&self.node));
        self.send(Request::new(command, metadata)).await
    }

    /// An aggregate as it stands; see [`Dispatcher::peek`].
    ///
    /// # Errors
    /// When its stream cannot be read.
    pub async fn peek<A: Aggregate>(&self, id: Id<A>) -> Result<(A, Version), PeekError> {
        self.dispatcher.peek(id).await
    }

    /// The state that a stream's events up to `version` fold into, as JSON: travel in time. The newest if absent.
    ///
    /// # Errors
    /// See [`StateError`].
    pub async fn state_at(
        &self,
        stream: &StreamId,
        version: Option<Version>,
    ) -> Result<(Value, Version), StateError> {
        let kind =
            self.types.get(stream.category()).ok_or_else(|| StateError::NoSuchAggregate(stream.clone()))?;
        let (mut state, mut at) = ((kind.fresh)(), Version::NONE);
        let wanted = version.unwrap_or(Version::new(u64::MAX));
        loop {
            let page = self.stores.events.read_stream(stream, at, READ_PAGE).await?;
            for event in page.iter().take_while(|event| event.version <= wanted) {
                state.evolve_recorded(event)?;
                at = event.version;
            }
            if page.len() < READ_PAGE || at >= wanted {
                break;
            }
        }
        if at == Version::NONE || version.is_some_and(|wanted| wanted != at) {
            return Err(StateError::NotThere { stream: stream.clone(), last: at });
        }
        let json = state.to_json().and_then(|json| serde_json::from_slice(&json));
        Ok((json.map_err(StateError::Unreadable)?, at))
    }

    /// The dispatcher alone.
    pub fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }
    /// The log.
    pub fn store(&self) -> &Arc<dyn EventStore> {
        &self.stores.events
    }
    /// Rows of sagas.
    pub fn saga_store(&self) -> &Arc<dyn SagaStore> {
        &self.stores.sagas
    }
    /// Leases.
    pub fn leases(&self) -> &Arc<dyn LeaseStore> {
        &self.stores.leases
    }
    /// Parked events of projections.
    pub fn dead_letters(&self) -> &Arc<dyn DeadLetterStore> {
        &self.stores.dead_letters
    }
    /// The projections of this application.
    pub fn projections(&self) -> &Projections {
        &self.projections
    }
    /// Requests about running sagas.
    pub fn sagas(&self) -> &SagaEngine {
        &self.sagas
    }
    /// Questions about sagas.
    pub fn saga_view(&self) -> &SagaView {
        &self.saga_view
    }
    /// The relay, if this application has a broker.
    pub fn relay(&self) -> Option<&Relay> {
        self.relay.as_ref()
    }
    /// The background tasks.
    pub fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }
    /// The only time.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
    /// The only source of ids.
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.entropy
    }
    /// This node's name.
    pub fn node(&self) -> &Arc<str> {
        &self.node
    }
    /// What this node does.
    pub fn roles(&self) -> Roles {
        self.roles
    }

    /// Ends the background work: what is under way is finished, within a bound; `false` if some had to be cut off. What is cut
    /// off is durable up to its last step and is taken up at the next start.
    pub async fn drain(&self, within: Duration) -> bool {
        self.supervisor.drain(within).await
    }
}

impl PlatformBuilder {
    /// Names this node: in the metadata of events and as the owner of leases. Unique among the nodes of one log.
    #[must_use]
    pub fn node(mut self, node: impl Into<Arc<str>>) -> Self {
        self.node = node.into();
        self
    }

    /// Replaces time and chance: for tests and simulation.
    #[must_use]
    pub fn environment(mut self, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        (self.clock, self.entropy) = (clock, entropy);
        self
    }

    /// Chooses what this node does.
    #[must_use]
    pub fn roles(mut self, roles: Roles) -> Self {
        self.roles = roles;
        self
    }

    /// The name under which this process takes leases: the node's unless said. Where nothing excludes a second process of the same
    /// node's name, it must be unique to the process.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<Arc<str>>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// How long leases last without being renewed. Shorter takes over faster and asks the store more often.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The least time between two batches of a projection or of the relay. Under load a few milliseconds save most of the
    /// writes of views that change again at once; an event that comes alone never waits.
    #[must_use]
    pub fn pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// How many saga instances run at once at most.
    #[must_use]
    pub fn saga_concurrency(mut self, instances: usize) -> Self {
        self.concurrency = Some(instances);
        self
    }

    /// Adds an aggregate.
    #[must_use]
    pub fn aggregate<A: Aggregate>(mut self) -> Self {
        self.aggregates.push(AggregateType::of::<A>());
        self
    }

    /// Adds a projection; see [`projector::view`], [`projector::search`] and [`projector::counters`].
    #[must_use]
    pub fn projection(mut self, projection: projector::Registration) -> Self {
        self.projections.push(projection);
        self
    }

    /// Adds a saga.
    #[must_use]
    pub fn saga<S: Saga>(self) -> Self {
        self.registered_saga(saga::register::<S>())
    }

    /// Adds a saga that is registered already; see [`saga::register`] and [`saga::register_graph`].
    #[must_use]
    pub fn registered_saga(mut self, registration: saga::Registration) -> Self {
        self.sagas.push(registration);
        self
    }

    /// Adds the handler of a participant that sagas call.
    #[must_use]
    pub fn effect(mut self, dependency: &'static str, handler: Arc<dyn EffectHandler>) -> Self {
        self.effects = self.effects.with(dependency, handler);
        self
    }

    /// Sets the limits of calls to a participant; [`saga::Limits::default`] otherwise.
    #[must_use]
    pub fn limits(mut self, dependency: impl Into<String>, limits: saga::Limits) -> Self {
        self.effects = self.effects.limited(dependency, limits);
        self
    }

    /// Publishes the log to a broker.
    #[must_use]
    pub fn relay(mut self, mapping: Mapping, broker: Arc<dyn Broker>) -> Self {
        self.relay = Some((mapping, broker));
        self
    }

    /// Checks everything and starts the background work. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// Every mistake of the wiring at once; nothing is started then.
    pub fn build(self) -> Result<Platform, BuildErrors> {
        let mut errors = self.mistakes();
        let registry = match SagaRegistry::new(self.sagas, &self.effects) {
            Ok(registry) if errors.is_empty() => registry,
            Ok(_) => return Err(BuildErrors(errors)),
            Err(more) => {
                errors.extend(more.into_iter().map(BuildError::Saga));
                return Err(BuildErrors(errors));
            }
        };
        let Stores { events, sagas, snapshots, leases, dead_letters, cursors } = &self.stores;
        let (clock, entropy, node) = (&self.clock, &self.entropy, &self.node);
        let supervisor = Supervisor::new(Arc::clone(clock));
        let owner = self.owner.as_ref().unwrap_or(node);
        let mut settings = SagaSettings::new(&**owner);
        settings.lease = self.lease;
        settings.roster = self.lease / 20;
        settings.max_active = self.concurrency.unwrap_or(settings.max_active);
        let triggers = SagaTriggers::new(registry, settings.max_queued);
        let types: AggregateTypes = self.aggregates.iter().map(|kind| (kind.name, *kind)).collect();
        let dispatcher = Dispatcher::new(
            Arc::clone(events),
            Arc::clone(snapshots),
            Arc::clone(clock),
            Arc::clone(entropy),
            types.clone(),
            Arc::new(triggers.clone()),
        );
        let engine = SagaEngine::new(SagaEngineParts {
            triggers,
            effects: self.effects,
            dispatcher: dispatcher.clone(),
            store: Arc::clone(events),
            sagas: Arc::clone(sagas),
            leases: Arc::clone(leases),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
            node: Arc::clone(node),
            settings,
        });
        let ports = ProjectorPorts {
            log: Arc::clone(events),
            dead_letters: Arc::clone(dead_letters),
            leases: Arc::clone(leases),
            clock: Arc::clone(clock),
            node: Arc::clone(owner),
            lease: self.lease,
            pace: self.pace,
        };
        let projections = projector::start(self.projections, &ports, &supervisor, self.roles.projector)
            .map_err(|duplicate| BuildErrors(vec![BuildError::Projection(duplicate)]))?;
        if self.roles.saga {
            let engine = engine.clone();
            supervisor.supervise("saga", Backoff::default(), move |stop| engine.clone().run(stop));
        }
        let relay = self.relay.filter(|_| self.roles.relay).map(|(mapping, broker)| {
            let ports = RelayPorts {
                log: Arc::clone(events),
                broker,
                cursors: Arc::clone(cursors),
                leases: Arc::clone(leases),
                clock: Arc::clone(clock),
                node: Arc::clone(owner),
                lease: self.lease,
                pace: self.pace,
            };
            Relay::start(mapping, ports, &supervisor)
        });
        if self.roles != Roles::NONE {
            purge(&supervisor, Arc::clone(events), Arc::clone(clock));
        }
        Ok(Platform {
            dispatcher,
            saga_view: SagaView::new(Arc::clone(events), Arc::clone(sagas)),
            stores: self.stores,
            node: self.node,
            clock: self.clock,
            entropy: self.entropy,
            roles: self.roles,
            types,
            projections,
            sagas: engine,
            relay,
            supervisor,
        })
    }

    fn mistakes(&self) -> Vec<BuildError> {
        let unknown = self.effects.unknown_limits().into_iter();
        let mut errors: Vec<_> =
            unknown.map(|name| BuildError::UnknownDependency { dependency: name.to_owned() }).collect();
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        for (index, kind) in self.aggregates.iter().enumerate() {
            let malformed = kind.name.is_empty()
                || !kind.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if malformed {
                errors.push(BuildError::AggregateName { aggregate: kind.name });
            }
            if self.aggregates[..index].iter().any(|earlier| earlier.name == kind.name) {
                errors.push(BuildError::AggregateTwice { aggregate: kind.name });
                continue;
            }
            for EventType { name, .. } in kind.events {
                if let Some(owner) = owners.insert(name, kind.name) {
                    errors.push(BuildError::EventTwice {
                        event: name,
                        first: owner.to_owned(),
                        second: kind.name,
                    });
                }
            }
        }
        errors
    }
}

impl fmt::Debug for PlatformBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlatformBuilder").field("aggregates", &self.aggregates).finish_non_exhaustive()
    }
}

fn purge(supervisor: &Supervisor, store: Arc<dyn EventStore>, clock: Arc<dyn Clock>) {
    supervisor.supervise("purge", Backoff::default(), move |stop| {
        let (store, clock) = (Arc::clone(&store), Arc::clone(&clock));
        async move {
            loop {
                tokio::select! {
                    () = clock.sleep(PURGE_EVERY) => {}
                    () = stop.cancelled() => return Ok::<(), StoreFault>(()),
                }
                store.purge(clock.now(), PURGE_AT_ONCE).await?;
            }
        }
    });
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform")
            .field("node", &self.node)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// Everything that is wrong with an application's wiring.
#[derive(Debug)]
pub struct BuildErrors(pub Vec<BuildError>);

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the platform cannot be built:")?;
        self.0.iter().try_for_each(|error| write!(f, "\n  - {error}"))
    }
}

impl std::error::Error for BuildErrors {}

/// One mistake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Streams could not be told apart.
    #[error("two aggregates are of type {aggregate:?}: give each its own TYPE")]
    AggregateTwice {
        /// The type.
        aggregate: &'static str,
    },
    /// The type is the first part of stream names.
    #[error("{aggregate:?} is no aggregate type: use lower case letters, digits and underscores")]
    AggregateName {
        /// The type.
        aggregate: &'static str,
    },
    /// Events are found by name alone.
    #[error(
        "the event {event:?} belongs to {first} and to {second}: event names are unique across the platform"
    )]
    EventTwice {
        /// The event.
        event: &'static str,
        /// An aggregate that has it.
        first: String,
        /// Another one.
        second: &'static str,
    },
    /// Limits for a participant that nobody speaks to.
    #[error("there are limits for the dependency {dependency:?}, and no effect handler of that name")]
    UnknownDependency {
        /// Its name.
        dependency: String,
    },
    /// A saga cannot be run.
    #[error(transparent)]
    Saga(RegistryError),
    /// A projection cannot be run.
    #[error(transparent)]
    Projection(projector::DuplicateProjection),
}

/// Why a state cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// No aggregate has this category.
    #[error("{0} is not the stream of a known aggregate")]
    NoSuchAggregate(StreamId),
    /// The stream does not exist, or does not reach so far.
    #[error("{stream} ends at version {last}")]
    NotThere {
        /// The stream.
        stream: StreamId,
        /// Its last version.
        last: Version,
    },
    /// Try again later.
    #[error("the stream cannot be read")]
    Read(#[from] ReadError),
    /// A stored event does not fit the program.
    #[error("an event cannot be understood")]
    Decode(#[from] DecodeError),
    /// The state cannot be shown as JSON.
    #[error("the state cannot be shown as JSON")]
    Unreadable(#[source] serde_json::Error),
}
