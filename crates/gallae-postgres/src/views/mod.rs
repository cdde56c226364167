//! Views, search and counters.
//!
//! ```text
//!   apply, repair ─────► write pool ──► primary     one statement: cursor and rows, or neither
//!   open, switch ──────► write pool ──► primary     a lock on the projection's row; tables of a generation are made here
//!   load, scan, state ─► write pool ──► primary     what a projector asks
//!   get, query, search ► read pool ───► a standby   one statement: where the rows stand, and the rows
//! ```
//!
//! A generation has tables of its own, named after its numbers. A statement that reads or writes them looks at the
//! generation's row too, so that it never meets rows of another generation, and needs no transaction or session of its own:
//! a pooler in transaction mode may stand between.
//!
//! What a store has said once it does not take back: a read from a standby that is behind what this store has applied, or
//! has told anybody, waits for it; see [`Behind`].

mod cells;
mod counters;
mod documents;
mod failure;
mod filter;
mod floors;
mod generations;
mod indexes;
mod params;
mod query;
mod reading;
mod retired;
mod search;
mod standing;
mod tables;
mod view_store;
mod writing;

use crate::{Postgres, connect::Connector, postgres::Pools};
use failure::Failure;
use floors::Floors;
use gallae_ports::StoreFault;
use standing::Known;
use std::{fmt, sync::Arc, time::Duration};

/// What becomes of a query when the standby that it reads from is behind what this store has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// How long to wait for the standby.
    pub wait: Duration,
    /// What to do when it has not come there in time.
    pub then: Then,
}

/// What to do when a standby stays behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Read from the primary.
    AskPrimary,
    /// Answer with what the standby has: a reader may not see its own writes.
    AnswerBehind,
}

impl Default for Behind {
    /// A quarter of a second, then the primary.
    fn default() -> Self {
        Self { wait: Duration::from_millis(250), then: Then::AskPrimary }
    }
}

/// The views, search documents and counters of a database. Cheap to clone.
///
/// Limits that PostgreSQL sets: a key has at most 1,500 bytes; text fields of more than 1,000 bytes are told apart by a
/// hash and ordered by their first 1,000 bytes; the words of one searched document take at most half a megabyte.
#[derive(Clone)]
pub struct PostgresViews {
    inner: Arc<Inner>,
}

struct Inner {
    pools: Pools,
    /// Makes sessions to the primary beside the pool: for work that takes longer than a statement may.
    connector: Connector,
    behind: Behind,
    known: Known,
    floors: Floors,
}

impl PostgresViews {
    /// The views of an open database.
    pub fn new(database: &Postgres, behind: Behind) -> Self {
        let (pools, connector) = database.connections();
        Self {
            inner: Arc::new(Inner {
                pools: pools.clone(),
                connector: connector.clone(),
                behind,
                known: Known::default(),
                floors: Floors::default(),
            }),
        }
    }

    fn pools(&self) -> &Pools {
        &self.inner.pools
    }

    /// What a failure means to a caller.
    fn fault<T>(doing: &'static str, result: Result<T, Failure>) -> Result<T, StoreFault> {
        result.map_err(|failure| failure.while_doing(doing))
    }
}

impl fmt::Debug for PostgresViews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresViews").field("behind", &self.inner.behind).finish_non_exhaustive()
    }
}
