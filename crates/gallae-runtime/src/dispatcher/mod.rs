//! Commands: load, decide, append.
//!
//! A command is decided on a cached aggregate and appended at the version that it was decided on. The cache holds the state
//! *after* appends that are still in flight, so commands to one hot aggregate are decided one after another without
//! waiting for the disk, and commit together. Nothing rests on the cache being right: an append whose version is wrong is
//! refused by the store, and a refusal (or "nothing to do") counts only after the store has confirmed, in submission
//! order, that the stream stands where the decision believed it.

mod cache;
mod execute;
mod registry;
mod request;
mod result;
mod snapshots;
mod starts;
#[cfg(test)]
mod tests;

pub use registry::AggregateType;
pub use request::{Idempotency, Request};
pub use result::{Receipt, SendError, TransactError};

pub(crate) use execute::{SagaStart, StartError, StartSagas};
pub(crate) use registry::AggregateTypes;

use cache::Cache;
use execute::{Failure, Work};
use gallae_core::{Aggregate, AnyCommand, Command, Id, Version, saga::SagaCommand};
use gallae_ports::{AppendBatch, Appended, BoxFuture, Clock, Entropy, EventStore, ReadError, SnapshotStore};
use std::{fmt, sync::Arc};

/// Takes commands. Cheap to clone.
#[derive(Clone)]
pub struct Dispatcher {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn EventStore>,
    snapshots: Arc<dyn SnapshotStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    types: AggregateTypes,
    sagas: Arc<dyn StartSagas>,
    cache: Cache,
}

impl Dispatcher {
    pub(crate) fn new(
        store: Arc<dyn EventStore>,
        snapshots: Arc<dyn SnapshotStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        types: AggregateTypes,
        sagas: Arc<dyn StartSagas>,
    ) -> Self {
        let cache = Cache::new();
        Self { inner: Arc::new(Inner { store, snapshots, clock, entropy, types, sagas, cache }) }
    }

    /// Decides a command and makes its events durable.
    ///
    /// Conflicts with other writers are decided again. With an idempotency key the command takes effect once: a repetition
    /// gets the first answer. The receipt's position is what a client hands back to read its own write.
    ///
    /// # Errors
    /// By consequence; see [`SendError`].
    pub async fn send<C: Command>(
        &self,
        request: Request<C>,
    ) -> Result<Receipt, SendError<<C::Aggregate as Aggregate>::Rejection>> {
        let began = self.inner.clock.monotonic();
        let Request { command, metadata, idempotency, guards, claims } = request;
        let mut base = AppendBatch::new(self.inner.clock.now(), Arc::new(metadata));
        base.guards = guards;
        base.claims = claims;
        let commands: [&dyn AnyCommand; 1] = [&command];
        let outcome = self.execute(Work { commands: &commands, base, idempotency }).await;
        let result = outcome.map_err(SendError::from_failure);
        self.measure(C::NAME, began, result.as_ref().err().map_or("accepted", SendError::word));
        result
    }

    /// The aggregate as it stands, including changes that are still being committed. To rely on it in another command, guard
    /// the stream at the returned version.
    ///
    /// # Errors
    /// When its stream cannot be read.
    pub async fn peek<A: Aggregate>(&self, id: Id<A>) -> Result<(A, Version), PeekError> {
        let slot = self.inner.cache.slot(&id.stream());
        let mut guard = slot.lock().await;
        let loaded = self.loaded(&mut guard, A::TYPE, &id.stream()).await?;
        let state = loaded.state.as_any().downcast_ref::<A>().cloned();
        state.map(|state| (state, loaded.version)).ok_or(PeekError::Unregistered { aggregate: A::TYPE })
    }

    /// Appends `batch` together with the events that `commands` decide, in one transaction: a saga's transition and its local
    /// changes. Conflicts on the commands' streams are decided again; anything else about `batch` is returned.
    pub(crate) fn transact<'a>(
        &'a self,
        commands: &'a [SagaCommand],
        batch: AppendBatch,
    ) -> BoxFuture<'a, Result<Appended, TransactError>> {
        Box::pin(async move {
            let commands: Vec<&dyn AnyCommand> = commands.iter().map(SagaCommand::as_any_command).collect();
            let work = Work { commands: &commands, base: batch, idempotency: None };
            self.execute(work).await.map(|receipt| receipt.appended).map_err(TransactError::from_failure)
        })
    }

    fn measure(&self, command: &'static str, began: std::time::Duration, outcome: &'static str) {
        let elapsed = self.inner.clock.monotonic().saturating_sub(began);
        metrics::counter!("gallae_commands_total", "command" => command, "outcome" => outcome).increment(1);
        metrics::histogram!("gallae_command_duration_seconds", "command" => command).record(elapsed);
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").finish_non_exhaustive()
    }
}

/// Why an aggregate could not be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeekError {
    /// Try again later.
    #[error("the stream cannot be read")]
    Read(#[from] ReadError),
    /// A stored event or snapshot does not fit the program.
    #[error("the stream cannot be understood: {0}")]
    Undecodable(String),
    /// The aggregate was not given to the platform's builder.
    #[error("aggregate {aggregate:?} is not registered: add .aggregate::<…>() to the platform")]
    Unregistered {
        /// Its type.
        aggregate: &'static str,
    },
}

impl From<Failure> for PeekError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Read(error) => Self::Read(error),
            Failure::Unregistered { aggregate } => Self::Unregistered { aggregate },
            other => Self::Undecodable(other.to_string()),
        }
    }
}
