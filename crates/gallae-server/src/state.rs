//! What the platform's routes work with.

use crate::{
    admin::{Invariants, Operations},
    config::Mode,
    health::Pulse,
    serve::Readiness,
};
use gallae_core::{StreamId, Version};
use gallae_ports::{BoxFuture, Broker, Clock, Entropy, EventStore, LeaseStore, LockService, SagaStore};
use gallae_runtime::{
    Supervisor,
    dispatcher::PeekError,
    projector::Projections,
    relay::Relay,
    saga::{SagaEngine, SagaView},
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use std::{fmt, ops::Deref, sync::Arc};

/// The state of an aggregate after a version of its stream, as JSON; `None` when there is no such stream or version.
pub type StateAt =
    Arc<dyn Fn(StreamId, Version) -> BoxFuture<'static, Result<Option<Value>, PeekError>> + Send + Sync>;

/// What the platform's routes work with. An application keeps it in its own state and gives it out by `FromRef`.
#[derive(Clone)]
pub struct PlatformState {
    inner: Arc<Inner>,
}

struct Inner {
    parts: PlatformParts,
    pulse: Pulse,
    operations: Operations,
}

/// The parts of a [`PlatformState`].
pub struct PlatformParts {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Rows of sagas.
    pub saga_store: Arc<dyn SagaStore>,
    /// Runs sagas; absent on a node without that role.
    pub sagas: Option<SagaEngine>,
    /// The projections of this node.
    pub projections: Projections,
    /// Publishes the log; absent on a node without that role.
    pub relay: Option<Relay>,
    /// Who does what.
    pub leases: Arc<dyn LeaseStore>,
    /// Locks for efficiency.
    pub locks: Arc<dyn LockService>,
    /// Where the relay publishes to.
    pub broker: Arc<dyn Broker>,
    /// Background tasks.
    pub supervisor: Supervisor,
    /// The only time.
    pub clock: Arc<dyn Clock>,
    /// The only source of ids.
    pub entropy: Arc<dyn Entropy>,
    /// This node.
    pub node: Arc<str>,
    /// The roles it has.
    pub roles: Vec<&'static str>,
    /// The application's version.
    pub version: &'static str,
    /// How strict.
    pub mode: Mode,
    /// Whether this node takes new work.
    pub readiness: Readiness,
    /// Renders what was measured; absent where nothing collects.
    pub metrics: Option<PrometheusHandle>,
    /// Folds a stream up to a version.
    pub state_at: StateAt,
    /// What must always hold in the application.
    pub invariants: Option<Arc<dyn Invariants>>,
    /// Figures of the store's connections, as a JSON object.
    pub pool: Arc<dyn Fn() -> Value + Send + Sync>,
}

impl PlatformState {
    /// Shares the parts.
    pub fn new(parts: PlatformParts) -> Self {
        let inner = Inner { parts, pulse: Pulse::default(), operations: Operations::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Answers questions about sagas.
    pub fn saga_view(&self) -> SagaView {
        SagaView::new(Arc::clone(&self.store), Arc::clone(&self.saga_store))
    }

    pub(crate) fn pulse(&self) -> &Pulse {
        &self.inner.pulse
    }

    pub(crate) fn operations(&self) -> &Operations {
        &self.inner.operations
    }
}

impl Deref for PlatformState {
    type Target = PlatformParts;
    fn deref(&self) -> &PlatformParts {
        &self.inner.parts
    }
}

impl fmt::Debug for PlatformState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PlatformState").field(&self.inner.parts).finish()
    }
}

impl fmt::Debug for PlatformParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlatformParts").field("node", &self.node).field("mode", &self.mode).finish_non_exhaustive()
    }
}
