//! How the projector, and operations on it, may fail.

use gallae_core::Position;
use gallae_ports::{ApplyError, ReadError, StoreFault};

/// Why a projection stopped for now. Its supervisor starts it again; it resumes from its stored cursor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectionFailure {
    /// The log could not be read.
    #[error("the log could not be read; the projection resumes from its cursor")]
    Read(#[from] ReadError),
    /// The store of the views, the dead letters or the leases failed.
    #[error("a store failed; the projection resumes from its cursor")]
    Store(#[from] StoreFault),
    /// A batch could not be written.
    #[error("a batch could not be written; the projection resumes from its cursor")]
    Apply(#[from] ApplyError),
    /// The log's subscription ended without saying why.
    #[error("the subscription to the log ended; the projection resumes from its cursor")]
    Ended,
}

/// Why an operation on a projection did not succeed. The live rows are as they were, except after a failed repair, which
/// may have mended some of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// There is no such projection.
    #[error("there is no projection called {0:?}")]
    Unknown(String),
    /// One rebuild, verification or repair runs at a time per projection.
    #[error("a rebuild, verification or repair of {0} is running; wait for it or cancel it")]
    Busy(&'static str),
    /// Another node runs the projection.
    #[error("{0} does not run on this node; ask the node that holds its lease")]
    Elsewhere(&'static str),
    /// The projection is paused and cannot advance.
    #[error("{0} is paused; resume it first")]
    Paused(&'static str),
    /// The key has no parked events, or none that the projection has passed.
    #[error("nothing is parked under this key")]
    NotParked,
    /// Somebody cancelled it, or the node is stopping.
    #[error("it was cancelled; the live rows are as they were")]
    Cancelled,
    /// The task that did it failed.
    #[error("it was interrupted by a failure; try again")]
    Interrupted,
    /// The projection has not come far enough in the time given.
    #[error(transparent)]
    Behind(#[from] NotReached),
    /// More events cannot be folded than are worth keeping: the fold itself is broken.
    #[error("more than {limit} events cannot be folded; mend the projection first")]
    TooManyParked {
        /// The bound.
        limit: usize,
    },
    /// More rows differ than one repair rewrites.
    #[error("more than {limit} rows differ; rebuild the projection instead of repairing it")]
    TooManyDifferences {
        /// The bound.
        limit: usize,
    },
    /// The log could not be read.
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    /// A store failed.
    #[error("a store failed")]
    Store(#[from] StoreFault),
    /// Rows could not be written.
    #[error("rows could not be written")]
    Apply(#[from] ApplyError),
}

/// Why a projection has not reached a position.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotReached {
    /// There is no such projection.
    #[error("there is no projection called {0:?}")]
    Unknown(String),
    /// It is still behind.
    #[error("{projection} stands at {at} and did not reach {wanted} in time; try again")]
    Behind {
        /// The projection.
        projection: &'static str,
        /// The position asked for.
        wanted: Position,
        /// Where it stands.
        at: Position,
    },
    /// Its store could not be asked.
    #[error("the projection's store could not be asked")]
    Store(#[from] StoreFault),
}

/// Two projections have one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two projections are called {0:?}: give one of them another NAME")]
pub struct DuplicateProjection(pub &'static str);
