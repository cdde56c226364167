//! The engine of one node: who owns the sagas, and the loops that keep them moving.

use super::{
    drive::drive,
    effects::Effects,
    queue::Queue,
    recovery::{self, Alarm},
    registry::SagaRegistry,
    start::SagaTriggers,
};
use crate::{dispatcher::Dispatcher, supervisor::error_chain};
use gallae_core::SagaId;
use gallae_ports::{Clock, Entropy, EventStore, Lease, LeaseStore, SagaStore, StoreFault};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

/// The lease under which all partitions are run.
pub(super) const LEASE: &str = "saga";

/// How the engine works. The default suits one node.
#[derive(Clone, Debug)]
pub struct SagaSettings {
    /// Names the owner of the lease: the same across restarts of a node that excludes a second process, so that a restart
    /// need not wait for the lease to run out; unique to the process otherwise.
    pub owner: String,
    /// Instances run at the same time; others wait their turn.
    pub max_active: usize,
    /// Instances that may wait in memory; those beyond are found by the sweep.
    pub max_queued: usize,
    /// How long the lease is taken for. It is renewed after a third of that.
    pub lease: Duration,
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
    leases: Arc<dyn LeaseStore>,
    actor: Arc<str>,
    owned: AtomicBool,
}

/// One period of owning the lease.
pub(super) struct Tenure {
    pub(super) epoch: u64,
    /// On the monotonic clock, in microseconds: two thirds into the lease since its last renewal.
    call_until: AtomicU64,
    draining: AtomicBool,
}

/// Why the engine ended; its supervisor starts it again.
#[derive(Debug, thiserror::Error)]
#[error("the lease on sagas could not be asked for; no saga was touched")]
pub struct SagaEngineError(#[from] StoreFault);

enum TenureEnd {
    Stopped,
    Lost,
}

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
            leases,
            actor: "saga".into(),
            owned: AtomicBool::new(false),
        };
        Self { core: Arc::new(core) }
    }

    /// Asks for an instance to be looked at soon. A hint: nothing rests on it.
    pub fn wake(&self, saga: SagaId) {
        self.core.queue.wake(saga, None);
    }

    /// Whether this node runs the sagas now.
    pub fn is_running(&self) -> bool {
        self.core.owned.load(Ordering::Relaxed)
    }

    /// Instances that this release cannot run, and why: of another version or shape, or damaged.
    pub fn left_alone(&self) -> BTreeMap<SagaId, String> {
        self.core.left_alone.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Owns the sagas whenever nobody else does, and runs them, until `stop`: then what is under way is finished, within the
    /// grace of the settings, and the lease is given back.
    ///
    /// # Errors
    /// When the lease cannot be asked for.
    pub async fn run(self, stop: CancellationToken) -> Result<(), SagaEngineError> {
        let core = &self.core;
        while !stop.is_cancelled() {
            let asked = core.clock.monotonic();
            let SagaSettings { owner, lease: ttl, .. } = &core.settings;
            let Some(lease) = core.leases.acquire(LEASE, owner, *ttl).await? else {
                tokio::select! {
                    () = core.clock.sleep(*ttl / 3) => continue,
                    () = stop.cancelled() => break,
                }
            };
            let tenure = Arc::new(Tenure {
                epoch: lease.epoch,
                call_until: AtomicU64::new(core.call_until(asked)),
                draining: AtomicBool::new(false),
            });
            tracing::info!(epoch = lease.epoch, "this node runs the sagas");
            let end = core.serve(&tenure, &lease, &stop).await;
            if matches!(end, TenureEnd::Stopped) {
                core.leases.release(LEASE, owner, lease.epoch).await?;
                break;
            }
            tracing::warn!(
                epoch = lease.epoch,
                "the lease on sagas was lost; what was under way is left to its new owner"
            );
        }
        Ok(())
    }
}

impl fmt::Debug for SagaEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SagaEngine").field("registry", &self.core.registry).finish_non_exhaustive()
    }
}

impl Tenure {
    /// Whether calls may still leave under this lease.
    pub(super) fn may_call(&self, clock: &dyn Clock) -> bool {
        !self.draining.load(Ordering::Relaxed)
            && micros(clock.monotonic()) < self.call_until.load(Ordering::Relaxed)
    }
}

impl Core {
    pub(super) fn actor(&self) -> Arc<str> {
        Arc::clone(&self.actor)
    }

    async fn serve(
        self: &Arc<Self>,
        tenure: &Arc<Tenure>,
        lease: &Lease,
        stop: &CancellationToken,
    ) -> TenureEnd {
        // Dropping the set, when the lease is lost, drops whatever was under way with it.
        let mut running = JoinSet::new();
        self.queue.open();
        self.owned.store(true, Ordering::Relaxed);
        let end = tokio::select! {
            biased;
            () = self.keep(lease, tenure) => TenureEnd::Lost,
            () = stop.cancelled() => TenureEnd::Stopped,
            () = self.take_up(tenure, &mut running) => TenureEnd::Lost,
            () = recovery::sweep(self) => TenureEnd::Lost,
            () = recovery::watch_timers(self) => TenureEnd::Lost,
        };
        self.owned.store(false, Ordering::Relaxed);
        self.queue.close();
        if let TenureEnd::Stopped = end {
            tenure.draining.store(true, Ordering::Relaxed);
            let finished = async { while running.join_next().await.is_some() {} };
            tokio::select! {
                biased;
                () = finished => {}
                () = self.keep(lease, tenure) => {}
                () = self.clock.sleep(self.settings.grace) => {
                    tracing::warn!("calls of sagas were still under way at the end of the grace; the next start follows them up");
                }
            }
        }
        running.shutdown().await;
        end
    }

    /// Renews the lease; returns when it is lost.
    async fn keep(&self, lease: &Lease, tenure: &Tenure) {
        let ttl = self.settings.lease;
        loop {
            self.clock.sleep(ttl / 3).await;
            let asked = self.clock.monotonic();
            match self.leases.renew(LEASE, &lease.owner, lease.epoch, ttl).await {
                Ok(true) => tenure.call_until.store(self.call_until(asked), Ordering::Relaxed),
                Ok(false) => return,
                Err(fault) => {
                    tracing::warn!(
                        error = error_chain(&fault),
                        "the lease on sagas was not renewed; asking again"
                    );
                }
            }
        }
    }

    /// Takes up instances in the order in which they came, at most so many at a time.
    async fn take_up(self: &Arc<Self>, tenure: &Arc<Tenure>, running: &mut JoinSet<()>) {
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
                    let span = tracing::debug_span!("saga", id = %entry.id);
                    running.spawn(drive(Arc::clone(self), Arc::clone(tenure), entry).instrument(span));
                }
            }
            metrics::gauge!("gallae_saga_active").set(running.len() as f64);
            metrics::gauge!("gallae_saga_queued").set(self.queue.waiting() as f64);
        }
    }

    fn call_until(&self, asked: Duration) -> u64 {
        micros(asked + self.settings.lease * 2 / 3)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
