//! One projection on this node: what its tasks and its handle share.

use super::{
    ProjectorPorts,
    error::{OperationError, ProjectionFailure},
    fold::Fold,
    operations::Operation,
    report::{OperationKind, Phase, Progress, Unparked},
};
use crate::{lease::LeaseTerms, supervisor::error_chain};
use gallae_core::{Position, ViewKey};
use gallae_ports::Slot;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// What others ask of the task that folds live events. It answers between batches.
#[derive(Debug)]
pub(super) enum Request {
    /// Stand still until the answer is dropped, then read everything again from the store.
    Hold(oneshot::Sender<Held>),
    /// Read everything again from the store.
    Reopen,
    Retry(ViewKey, oneshot::Sender<Result<Unparked, OperationError>>),
    Discard(ViewKey, oneshot::Sender<Result<Unparked, OperationError>>),
}

/// The live generation standing still: its rows are at `cursor` exactly, for as long as this is kept.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) cursor: Position,
    pub(super) slot: Slot,
    pub(super) epoch: u64,
    pub(super) _until_dropped: oneshot::Sender<()>,
}

pub(super) struct Running {
    pub(super) fold: Box<dyn Fold>,
    pub(super) ports: ProjectorPorts,
    pub(super) lease: LeaseTerms,
    /// Every event up to here is folded or parked, whether or not the cursor has been written.
    pub(super) processed: watch::Sender<Position>,
    /// The epoch under which this node runs the projection.
    pub(super) epoch: watch::Sender<Option<u64>>,
    pub(super) progress: watch::Sender<Option<Progress>>,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) inbox: AsyncMutex<mpsc::Receiver<Request>>,
    pub(super) operations: mpsc::Sender<Operation>,
    pub(super) waiting: AsyncMutex<mpsc::Receiver<Operation>>,
    busy: AtomicBool,
    cancel: Mutex<CancellationToken>,
    trouble: Mutex<Trouble>,
}

/// What last went wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// Whether it keeps the projection from running now.
    pub(super) failing: bool,
    pub(super) last_error: Option<String>,
}

impl Running {
    pub(super) fn new(fold: Box<dyn Fold>, ports: &ProjectorPorts) -> Arc<Self> {
        let (requests, inbox) = mpsc::channel(16);
        let (operations, waiting) = mpsc::channel(1);
        let lease = LeaseTerms {
            store: Arc::clone(&ports.leases),
            clock: Arc::clone(&ports.clock),
            name: format!("projector:{}", fold.spec().name),
            owner: Arc::clone(&ports.node),
            ttl: ports.lease,
        };
        Arc::new(Self {
            fold,
            ports: ports.clone(),
            lease,
            processed: watch::Sender::new(Position::START),
            epoch: watch::Sender::new(None),
            progress: watch::Sender::new(None),
            requests,
            inbox: AsyncMutex::new(inbox),
            operations,
            waiting: AsyncMutex::new(waiting),
            busy: AtomicBool::new(false),
            cancel: Mutex::default(),
            trouble: Mutex::default(),
        })
    }

    pub(super) fn name(&self) -> &'static str {
        self.fold.spec().name
    }

    /// Tells waiting readers how far the projection has come. Never goes back: what has been seen stays seen.
    pub(super) fn reach(&self, position: Position) {
        self.processed.send_if_modified(|processed| {
            let further = position > *processed;
            *processed = position.max(*processed);
            further
        });
    }

    /// The epoch under which this node runs the projection.
    pub(super) fn led_here(&self) -> Result<u64, OperationError> {
        self.epoch.borrow().ok_or(OperationError::Elsewhere(self.name()))
    }

    pub(super) fn running_well(&self) {
        self.trouble().failing = false;
    }

    pub(super) fn failed(&self, error: &ProjectionFailure) {
        *self.trouble() = Trouble { failing: true, last_error: Some(error_chain(error)) };
    }

    pub(super) fn note(&self, error: &OperationError) {
        self.trouble().last_error = Some(error_chain(error));
    }

    pub(super) fn trouble(&self) -> std::sync::MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the one place for an operation.
    pub(super) fn begin(self: &Arc<Self>, kind: OperationKind) -> Result<Ticket, OperationError> {
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(OperationError::Busy(self.name()));
        }
        let cancel = CancellationToken::new();
        *self.cancel.lock().unwrap_or_else(PoisonError::into_inner) = cancel.clone();
        let began =
            Progress { operation: kind, phase: Phase::Reading, done: 0, total: 0, rate: 0.0, eta: None };
        self.progress.send_replace(Some(began));
        Ok(Ticket { running: Arc::clone(self), kind, cancel })
    }

    pub(super) fn cancel(&self) -> bool {
        let busy = self.busy.load(Ordering::Acquire);
        if busy {
            self.cancel.lock().unwrap_or_else(PoisonError::into_inner).cancel();
        }
        busy
    }
}

/// The right to run an operation on a projection; given back when dropped, whatever happens.
pub(super) struct Ticket {
    pub(super) running: Arc<Running>,
    pub(super) kind: OperationKind,
    pub(super) cancel: CancellationToken,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("projection", &self.running.name()).field("kind", &self.kind).finish()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.running.progress.send_replace(None);
        self.running.busy.store(false, Ordering::Release);
    }
}
