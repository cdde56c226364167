//! The log and everything that commits with it, in one schema of PostgreSQL.
//!
//! ```text
//!   append ──┐                        ┌─► tail ──► recent events ──► subscriptions at the head
//!   append ──┼─► queue ─► batcher ────┤    ▲
//!   append ──┘   (order   (one        │    └────── follower ◄── LISTEN, and asking ◄── other nodes
//!                of calls) session)   ▼
//!                                   primary ──► standbys ──► history, traces, listings
//! ```
//!
//! | asked of the primary | asked of a standby, if there is one |
//! |---|---|
//! | streams and their heads, idempotency records, claims, leases, cursors, snapshots, dead letters, credentials | pages of the log behind the head, correlations, lists of streams |
//! | due timers, one saga with its timers and effects, sagas that have not moved since a time | other lists of sagas, counts |

mod admit;
mod batcher;
mod cache;
mod check;
mod credentials;
mod cursors;
mod dead_letters;
mod event_store;
mod events;
mod facts;
mod failures;
mod follower;
mod judge;
mod known;
mod leases;
mod misses;
mod prepared;
mod purge;
mod read_facts;
mod reads;
mod reconnect;
mod request;
mod saga_statement;
mod saga_store;
mod session;
mod snapshots;
mod statement;
mod subscription;
mod tail;
mod writes;

pub(crate) use check::check;
pub(crate) use session::Limits;

use crate::{connect::Connector, fault::Trouble, pool::Pool, postgres::Pools, schema::Schema};
use batcher::{Batcher, Setup};
use events::Names;
use follower::Follower;
use gallae_core::Position;
use gallae_ports::StoreFault;
use reads::Reads;
use request::Submitter;
use std::{fmt, sync::Arc, thread, time::Duration};
use tail::Tail;
use tokio::task::JoinSet;
use uuid::Uuid;

const STORE: &str = "SELECT store_id, position FROM @.head WHERE only_row = 1";

/// The event store on PostgreSQL. Dropping it waits until everything queued is written or refused, and ends the subscriptions with
/// an error.
pub struct PostgresLog {
    store: Uuid,
    reads: Arc<Reads>,
    tail: Arc<Tail>,
    /// `None` only while being dropped.
    submitter: Option<Submitter>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What a log is opened with.
pub(crate) struct LogSetup {
    pub(crate) pools: Pools,
    pub(crate) schema: Arc<Schema>,
    /// For the batcher's session and the follower's.
    pub(crate) batcher: Connector,
    pub(crate) follower: Connector,
    pub(crate) prepare: bool,
    pub(crate) limits: Limits,
    pub(crate) patience: Duration,
}

impl PostgresLog {
    /// Starts the batcher and the follower, on a thread of their own so that nothing else of the process delays them.
    pub(crate) async fn open(setup: LogSetup) -> Result<Self, StoreFault> {
        const DOING: &str = "reading the log's head";
        let rows = setup.pools.write.read(DOING, STORE, &[]).await?;
        let row = rows.first().ok_or_else(|| StoreFault::new(DOING).because("its counter is missing"))?;
        let read = || Ok((row.try_get::<_, Uuid>(0)?, event_store::number(row, 1)?));
        let (store, head) = read().map_err(|trouble: Trouble| trouble.into_fault(DOING))?;
        let tail = Arc::new(Tail::new(Position::new(head)));
        let reads = Arc::new(Reads { pools: setup.pools.clone(), names: Names::default() });
        let (submitter, requests) = Submitter::new();
        let channel: Arc<str> = format!("gallae_{}", setup.schema.name()).into();
        let follower = Follower {
            connector: setup.follower,
            schema: Arc::clone(&setup.schema),
            limit: setup.limits.statement,
            channel: Arc::clone(&channel),
            tail: Arc::clone(&tail),
        };
        let batcher = Setup {
            connector: setup.batcher,
            schema: setup.schema,
            prepare: setup.prepare,
            limits: setup.limits,
            patience: setup.patience,
            channel,
            tail: Arc::clone(&tail),
            store,
        };
        let thread = start(Batcher::new(batcher, requests), follower)?;
        Ok(Self { store, reads, tail, submitter: Some(submitter), thread: Some(thread) })
    }

    fn writer(&self) -> &Submitter {
        self.submitter.as_ref().unwrap_or_else(|| unreachable!("taken only while being dropped"))
    }

    fn write_pool(&self) -> &Pool {
        &self.reads.pools.write
    }

    fn read_pool(&self) -> &Pool {
        &self.reads.pools.read
    }
}

fn start(batcher: Batcher, follower: Follower) -> Result<thread::JoinHandle<()>, StoreFault> {
    const DOING: &str = "starting the batcher's thread";
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StoreFault::new(DOING).because(error))?;
    let work = move || {
        runtime.block_on(async {
            let mut beside = JoinSet::new();
            beside.spawn(follower.run());
            batcher.run().await;
            beside.shutdown().await;
        });
    };
    let spawned = thread::Builder::new().name("gallae-log-batcher".to_owned()).spawn(work);
    spawned.map_err(|error| StoreFault::new(DOING).because(error))
}

impl Drop for PostgresLog {
    fn drop(&mut self) {
        self.submitter = None;
        if let Some(thread) = self.thread.take() {
            // A batcher that panicked has answered everybody by dropping their replies.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for PostgresLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresLog")
            .field("store", &self.store)
            .field("head", &self.tail.position())
            .finish_non_exhaustive()
    }
}
