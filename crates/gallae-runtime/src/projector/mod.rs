//! Events into views, search and counters.
//!
//! Every projection has a task of its own, fed by the log from the projection's cursor. It folds what is there, one view at a
//! time, and commits the rows together with the cursor: exactly once, however often it is stopped.
//!
//! ```text
//!             ┌ decode what it listens to ┐  ┌ per key ┐  ┌ one transaction ┐
//!   log ──►   │ put events of a key       │─►│ load,   │─►│ rows + cursor   │──► readers that wait are released
//!             │ together                  │  │ fold    │  └─────────────────┘
//!             └───────────┬───────────────┘  └────┬────┘
//!                         └── poison ─────────────┴──► dead letters: its key waits, the others go on
//! ```
//!
//! One node runs a projection: the one that holds its lease. Another takes over when the lease runs out, under a higher
//! epoch, and the stores refuse what the first one may still send.
//!
//! When the `REVISION` of a projection is raised it is rebuilt at the next start. Until the rebuild switches, queries are
//! served the old rows as they stood at that start, since the fold that could bring them up to date is gone.

mod dead_letters;
mod error;
mod fold;
mod handle;
mod live;
mod operations;
mod parked;
mod recompute;
mod report;
mod running;
mod status;
#[cfg(test)]
mod tests;

pub use error::{DuplicateProjection, NotReached, OperationError, ProjectionFailure};
pub use handle::Projections;
pub use report::{
    Difference, MAX_LISTED, OperationKind, Phase, Progress, RebuildReport, SyncReport, Unparked, VerifyReport,
};
pub use status::{ProjectionKind, ProjectionState, ProjectionStatus};

use crate::{Backoff, Supervisor};
use fold::{CounterFold, DocumentFold, Fold, SearchDocuments, ViewDocuments};
use gallae_core::{CounterProjection, Projection, SearchDocument};
use gallae_ports::{
    Clock, CounterStore, DeadLetterStore, EventStore, LeaseStore, ProjectionSpec, SearchStore, ViewStore,
};
use running::Running;
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

/// A projection together with the store that it writes to, ready to be started.
pub struct Registration {
    fold: Box<dyn Fold>,
}

/// A projection into documents that are queried.
pub fn view<P: Projection>(store: Arc<dyn ViewStore>) -> Registration {
    let fold =
        DocumentFold::<P>::new(ProjectionKind::Views, Arc::new(ViewDocuments(store)), &[], |_| Vec::new());
    Registration { fold: Box::new(fold) }
}

/// A projection into documents that are found by text.
pub fn search<P: Projection<View: SearchDocument>>(store: Arc<dyn SearchStore>) -> Registration {
    let fold = DocumentFold::<P>::new(
        ProjectionKind::Search,
        Arc::new(SearchDocuments(store)),
        <P::View as SearchDocument>::TEXT,
        SearchDocument::text,
    );
    Registration { fold: Box::new(fold) }
}

/// A projection into counters.
pub fn counters<C: CounterProjection>(store: Arc<dyn CounterStore>) -> Registration {
    Registration { fold: Box::new(CounterFold::<C>::new(store)) }
}

impl Registration {
    /// The projection's name.
    pub fn name(&self) -> &'static str {
        self.fold.spec().name
    }

    /// What it maintains.
    pub fn kind(&self) -> ProjectionKind {
        self.fold.kind()
    }

    /// The projection as its store knows it.
    pub fn spec(&self) -> &ProjectionSpec {
        self.fold.spec()
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").field("spec", self.spec()).field("kind", &self.kind()).finish()
    }
}

/// What projections run on.
#[derive(Clone)]
pub struct ProjectorPorts {
    /// Where events come from.
    pub log: Arc<dyn EventStore>,
    /// Where events go that cannot be folded.
    pub dead_letters: Arc<dyn DeadLetterStore>,
    /// Who runs which projection.
    pub leases: Arc<dyn LeaseStore>,
    /// The only time.
    pub clock: Arc<dyn Clock>,
    /// This node, as the owner of leases.
    pub node: Arc<str>,
    /// How long a lease lasts without being renewed; ten seconds in production.
    pub lease: Duration,
    /// The least time between two batches: events that come faster are folded together, those that come alone at once.
    pub pace: Duration,
}

impl fmt::Debug for ProjectorPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectorPorts").field("node", &self.node).field("lease", &self.lease).finish()
    }
}

/// Starts the projections as background tasks, if `here`: otherwise other nodes fold them, and this one only looks on.
///
/// # Errors
/// When two of them have one name; none is started then.
pub fn start(
    registrations: Vec<Registration>,
    ports: &ProjectorPorts,
    supervisor: &Supervisor,
    here: bool,
) -> Result<Projections, DuplicateProjection> {
    let mut all = BTreeMap::new();
    for Registration { fold } in registrations {
        let name = fold.spec().name;
        if all.insert(name, Running::new(fold, ports)).is_some() {
            return Err(DuplicateProjection(name));
        }
    }
    for (name, running) in all.iter().filter(|_| here) {
        let live = Arc::clone(running);
        supervisor.supervise(format!("projector:{name}"), Backoff::default(), move |stop| {
            live::run(Arc::clone(&live), stop)
        });
        let operations = Arc::clone(running);
        supervisor.supervise(format!("projector-operations:{name}"), Backoff::default(), move |stop| {
            operations::run(Arc::clone(&operations), stop)
        });
    }
    Ok(Projections { running: Arc::new(all) })
}
