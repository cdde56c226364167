//! What the platform's routes work with.

use crate::{
    admin::{Invariants, Operations},
    config::Mode,
    health::Pulse,
    serve::Readiness,
};
use gallae_http::InFlight;
use gallae_ports::{Broker, LockService, Pools};
use gallae_runtime::Platform;
use metrics_exporter_prometheus::PrometheusHandle;
use std::{fmt, ops::Deref, sync::Arc};

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
    /// The platform itself.
    pub platform: Platform,
    /// Locks for efficiency.
    pub locks: Arc<dyn LockService>,
    /// Where the relay publishes to.
    pub broker: Arc<dyn Broker>,
    /// The application's version.
    pub version: &'static str,
    /// How strict.
    pub mode: Mode,
    /// Whether this node takes new work.
    pub readiness: Readiness,
    /// Renders what was measured; absent where nothing collects.
    pub metrics: Option<PrometheusHandle>,
    /// What must always hold in the application.
    pub invariants: Option<Arc<dyn Invariants>>,
    /// Keyed requests that this node is working on, shared with the application's routes.
    pub in_flight: InFlight,
    /// Whose connections are shown.
    pub pools: Vec<Arc<dyn Pools>>,
}

impl PlatformState {
    /// Shares the parts.
    pub fn new(parts: PlatformParts) -> Self {
        let inner = Inner { parts, pulse: Pulse::default(), operations: Operations::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The names of what this node does. Commands and queries are always answered.
    pub(crate) fn roles(&self) -> Vec<String> {
        let roles = self.platform.roles();
        let chosen = [("projector", roles.projector), ("saga", roles.saga), ("relay", roles.relay)];
        let chosen = chosen.into_iter().filter(|(_, has)| *has).map(|(name, _)| name);
        ["command", "query"].into_iter().chain(chosen).map(str::to_owned).collect()
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
        f.debug_struct("PlatformParts")
            .field("platform", &self.platform)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
