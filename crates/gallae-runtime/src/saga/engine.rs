//! The engine of one node: who owns the sagas, and the loops that keep them moving.

use super::{
    dependencies::{Dependencies, DependencyState},
    drive::drive,
    effects::Effects,
    ownership::Holdings,
    queue::Queue,
    recovery::{self, Alarm},
    registry::SagaRegistry,
    start::SagaTriggers,
};
use crate::{dispatcher::Dispatcher, supervisor::error_chain};
use gallae_core::SagaId;
use gallae_ports::{Clock, Entropy, EventStore, LeaseStore, Partitions, SagaStore, StoreFault};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

/// How the engine works. The default suits one node.
#[derive(Clone, Debug)]
pub struct SagaSettings {
    /// Names the owner of the leases: the same across restarts of a node that excludes a second process, so that a restart
    /// need not wait for the lease to run out; unique to the process otherwise.
    pub owner: String,
    /// Instances run at the same time; others wait their turn.
    pub max_active: usize,
    /// Instances that may wait in memory; those beyond are found by the sweep.
    pub max_queued: usize,
    /// How long the leases are taken for. They are renewed after a third of that.
    pub lease: Duration,
    /// How often the leases of all nodes are looked at: what is free is taken up this soon.
    pub roster: Duration,
    /// How often running instances that nobody moves are looked for, and how long one must have rested.
    pub sweep: Duration,
    /// How often due timers are looked for, at least.
    pub poll: Duration,
    /// How long a drain waits for calls under way.
    pub grace: Duration,
}

impl SagaSettings {
    /// The defaults, for the owner of this name.
    pub fn new(owner: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            max_active: 1_024,
            max_queued: 16_384,
            lease: Duration::from_secs(10),
            roster: Duration::from_millis(500),
            sweep: Duration::from_secs(5),
            poll: Duration::from_secs(1),
            grace: Duration::from_secs(10),
        }
    }
}

/// What the engine works with.
pub(crate) struct SagaEngineParts {
    pub(crate) triggers: SagaTriggers,
    pub(crate) effects: Effects,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) sagas: Arc<dyn SagaStore>,
    pub(crate) leases: Arc<dyn LeaseStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// The node's name, in the metadata of what it writes.
    pub(crate) node: Arc<str>,
    pub(crate) settings: SagaSettings,
}

/// Runs sagas on this node, and takes requests about them. Cheap to clone.
#[derive(Clone)]
pub struct SagaEngine {
    pub(super) core: Arc<Core>,
}

pub(super) struct Core {
    pub(super) registry: Arc<SagaRegistry>,
    pub(super) queue: Arc<Queue>,
    pub(super) effects: Effects,
    pub(super) dependencies: Arc<Dependencies>,
    pub(super) dispatcher: Dispatcher,
    pub(super) store: Arc<dyn EventStore>,
    pub(super) store_id: Uuid,
    pub(super) sagas: Arc<dyn SagaStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) node: Arc<str>,
    pub(super) settings: SagaSettings,
    pub(super) alarm: Alarm,
    pub(super) left_alone: Mutex<BTreeMap<SagaId, String>>,
    pub(super) holdings: Holdings,
    pub(super) leases: Arc<dyn LeaseStore>,
    actor: Arc<str>,
}

/// Why the engine ended; its supervisor starts it again.
#[derive(Debug, thiserror::Error)]
#[error("the leases on sagas could not be asked for; no saga was touched")]
pub struct SagaEngineError(#[from] StoreFault);

impl SagaEngine {
    pub(crate) fn new(parts: SagaEngineParts) -> Self {
        let SagaEngineParts {
            triggers,
            effects,
            dispatcher,
            store,
            sagas,
            leases,
            clock,
            entropy,
            node,
            settings,
        } = parts;
        let core = Core {
            registry: triggers.registry,
            queue: triggers.queue,
            dependencies: Arc::new(effects.dependencies()),
            effects,
            dispatcher,
            store_id: store.id(),
            store,
            sagas,
            clock,
            entropy,
            node,
            settings,
            alarm: Alarm::default(),
            left_alone: Mutex::default(),
            holdings: Holdings::new(),
            leases,
            actor: "saga".into(),
        };
        Self { core: Arc::new(core) }
    }

    /// Asks for an instance to be looked at soon. A hint: nothing rests on it.
    pub fn wake(&self, saga: SagaId) {
        self.core.queue.wake(saga, None);
    }

    /// Whether this node runs sagas now: those of the partitions that it holds.
    pub fn is_running(&self) -> bool {
        !self.core.holdings.partitions().is_empty()
    }

    /// How calls to each participant are doing on this node.
    pub fn dependencies(&self) -> Vec<DependencyState> {
        self.core.dependencies.states(self.core.clock.monotonic())
    }

    /// The partitions that this node holds.
    pub fn partitions(&self) -> Partitions {
        self.core.holdings.partitions()
    }

    /// Instances that this release cannot run, and why: of another version or shape, or damaged.
    pub fn left_alone(&self) -> BTreeMap<SagaId, String> {
        self.core.left_alone.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shares the sagas with the other nodes that run them, and runs its part, until `stop`: then what is at rest is handed over
    /// at once, what is under way is finished, within the grace of the settings, and the rest of the leases is given back.
    ///
    /// # Errors
    /// When the leases cannot be asked for at the start.
    pub async fn run(self, stop: CancellationToken) -> Result<(), SagaEngineError> {
        let core = &self.core;
        core.register().await?;
        // Dropping the set drops whatever is under way with it.
        let mut running = JoinSet::new();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = core.keep() => {}
            () = core.take_up(&mut running) => {}
            () = recovery::sweep(core) => {}
            () = recovery::watch_timers(core) => {}
            () = recovery::watch_log(core) => {}
        }
        Ok(core.drain(running).await?)
    }
}

impl fmt::Debug for SagaEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaEngine").field("registry", &self.core.registry).finish_non_exhaustive()
    }
}

impl Core {
    pub(super) fn actor(&self) -> Arc<str> {
        Arc::clone(&self.actor)
    }

    /// Hands partitions over as what is under way in them comes to rest, all of them at the end of the grace.
    async fn drain(&self, mut running: JoinSet<()>) -> Result<(), StoreFault> {
        self.leave(&self.holdings.partitions());
        self.unregister().await?;
        let until = self.clock.monotonic() + self.settings.grace;
        let mut renewed = self.clock.monotonic();
        loop {
            let held = self.holdings.partitions();
            self.hand_over(held.iter().filter(|partition| !self.queue.is_busy(*partition)).collect()).await?;
            let now = self.clock.monotonic();
            if self.holdings.partitions().is_empty() || now >= until {
                break;
            }
            if now.saturating_sub(renewed) >= self.settings.lease / 3 {
                renewed = now;
                if let Err(fault) = self.renew().await {
                    tracing::warn!(
                        error = error_chain(&fault),
                        "the leases on sagas were not renewed while draining"
                    );
                }
            }
            tokio::select! {
                biased;
                Some(_) = running.join_next(), if !running.is_empty() => {}
                () = self.clock.sleep((until - now).min(self.settings.lease / 3)) => {}
            }
        }
        if !self.holdings.partitions().is_empty() {
            tracing::warn!(
                "calls of sagas were still under way at the end of the grace; their next owner follows them up"
            );
        }
        running.shutdown().await;
        self.hand_over(self.holdings.partitions()).await
    }

    /// Takes up instances in the order in which they came, at most so many at a time.
    async fn take_up(self: &Arc<Self>, running: &mut JoinSet<()>) {
        loop {
            let full = running.len() >= self.settings.max_active;
            tokio::select! {
                biased;
                Some(ended) = running.join_next(), if !running.is_empty() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "running a saga panicked; the sweep takes it up again");
                    }
                }
                entry = self.queue.next(), if !full => {
                    match self.holdings.of(entry.id) {
                        Some(tenure) => {
                            let span = tracing::debug_span!("saga", id = %entry.id);
                            running.spawn(drive(Arc::clone(self), tenure, entry).instrument(span));
                        }
                        None => self.queue.forget(entry.id, &entry.mailbox),
                    }
                }
            }
            metrics::gauge!("gallae_saga_active").set(running.len() as f64);
            metrics::gauge!("gallae_saga_queued").set(self.queue.waiting() as f64);
        }
    }
}
