//! Rebuilds, verifications and repairs that were begun here, and what came of the last one of each projection.

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use gallae_runtime::projector::{OperationError, RebuildReport, VerifyReport};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// How an operation ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Rebuilt(RebuildReport),
    Verified(VerifyReport),
    Failed(OperationError),
}

/// An operation that goes on whether or not somebody waits for it.
pub(crate) type Operation = Shared<BoxFuture<'static, Arc<Outcome>>>;

/// The last operation of each projection.
#[derive(Default)]
pub(crate) struct Operations {
    last: Mutex<BTreeMap<String, Operation>>,
}

impl Operations {
    /// Remembers an operation that has begun. One that was refused at once is not remembered; its outcome is returned.
    pub(crate) fn remember(&self, projection: &str, operation: Operation) -> Result<Operation, Arc<Outcome>> {
        if let Some(outcome) = operation.clone().now_or_never()
            && matches!(&*outcome, Outcome::Failed(_))
        {
            return Err(outcome);
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.insert(projection.to_owned(), operation.clone());
        Ok(operation)
    }

    /// The last operation of a projection.
    pub(crate) fn last(&self, projection: &str) -> Option<Operation> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).get(projection).cloned()
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations").finish_non_exhaustive()
    }
}

pub(crate) fn rebuilding(work: BoxFuture<'static, Result<RebuildReport, OperationError>>) -> Operation {
    work.map(|result| Arc::new(result.map_or_else(Outcome::Failed, Outcome::Rebuilt))).boxed().shared()
}

pub(crate) fn verifying(work: BoxFuture<'static, Result<VerifyReport, OperationError>>) -> Operation {
    work.map(|result| Arc::new(result.map_or_else(Outcome::Failed, Outcome::Verified))).boxed().shared()
}
