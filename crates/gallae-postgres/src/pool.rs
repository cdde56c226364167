//! Pooled connections that are forgotten when the server changes its role.

pub(crate) use crate::pool_session::Session;
use crate::{OpenError, connect::Connector, fault::Trouble, schema::Schema};
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, RecyclingMethod, Timeouts};
use gallae_ports::StoreFault;
use std::{
    sync::{Arc, RwLock},
    time::{Duration, Instant},
};
use tokio_postgres::{
    Config, Row,
    types::{ToSql, Type},
};

/// Unused for longer than this, a connection is asked whether it can still be written.
const IDLE: Duration = Duration::from_secs(1);

/// Older connections are replaced, so that they spread over servers that have come back.
const MAX_AGE: Duration = Duration::from_secs(600);

/// A statement's parameter and its type: stated, so that no round trip asks for it.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// Connections to one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    connections: deadpool_postgres::Pool,
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) schema: Arc<Schema>,
    pub(crate) prepare: bool,
    acquire_timeout: Duration,
    pub(crate) statement_timeout: Duration,
    /// Connections made before this are not used again: one of their kind has met a failover.
    stale_before: Arc<RwLock<Option<Instant>>>,
}

/// How a pool is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolOptions {
    pub(crate) size: usize,
    pub(crate) prepare: bool,
    /// Whether a connection must be able to write.
    pub(crate) writes: bool,
    pub(crate) acquire_timeout: Duration,
    pub(crate) statement_timeout: Duration,
}

/// The state of a pool, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolFigures {
    /// Connections at most.
    pub max: usize,
    /// Connections open.
    pub open: usize,
    /// Open and not in use.
    pub idle: usize,
    /// Tasks that wait for one.
    pub waiting: usize,
}

impl Pool {
    pub(crate) fn new(
        connector: Connector,
        schema: Arc<Schema>,
        options: PoolOptions,
    ) -> Result<Self, OpenError> {
        let stale_before = Arc::new(RwLock::new(None));
        // The connector brings its own configuration.
        let manager = Manager::from_connect(
            Config::new(),
            connector,
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let waits = Some(options.acquire_timeout);
        let connections = deadpool_postgres::Pool::builder(manager)
            .max_size(options.size)
            .runtime(deadpool_postgres::Runtime::Tokio1)
            .timeouts(Timeouts { wait: waits, create: waits, recycle: waits })
            .pre_recycle(check(Arc::clone(&stale_before), options.writes))
            .build()
            .map_err(|error| OpenError::Settings { what: "the pool", reason: error.to_string() })?;
        let shared = Shared {
            schema,
            prepare: options.prepare,
            acquire_timeout: options.acquire_timeout,
            statement_timeout: options.statement_timeout,
            stale_before,
        };
        Ok(Self { connections, shared: Arc::new(shared) })
    }

    pub(crate) fn figures(&self) -> PoolFigures {
        let status = self.connections.status();
        PoolFigures {
            max: status.max_size,
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }

    /// A connection for several statements.
    pub(crate) async fn session(&self) -> Result<Session, Trouble> {
        match self.connections.get().await {
            Ok(connection) => Ok(Session::new(connection, self.clone())),
            Err(error) => {
                let trouble = Trouble::of_pool(error, self.shared.acquire_timeout);
                self.distrust(&trouble);
                Err(trouble)
            }
        }
    }

    /// Reads rows, once more on another connection if the first one turns out to be dead. Only for statements that write nothing.
    pub(crate) async fn read(
        &self,
        doing: &'static str,
        statement: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreFault> {
        let statement = self.shared.schema.statement(statement);
        self.read_text(doing, &statement, params).await
    }

    /// [`Pool::read`] for a statement made at run time, its schema in it.
    pub(crate) async fn read_text(
        &self,
        doing: &'static str,
        statement: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreFault> {
        let first = self.try_read(statement, params).await;
        let result = match first {
            Err(trouble) if trouble.breaks_connection() && !matches!(trouble, Trouble::Deadline(_)) => {
                self.try_read(statement, params).await
            }
            other => other,
        };
        result.map_err(|trouble| trouble.into_fault(doing))
    }

    async fn try_read(&self, statement: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Trouble> {
        self.session().await?.query_text(statement, params).await
    }

    /// Runs one statement that writes; says how many rows it touched. After a fault it may have been done.
    pub(crate) async fn execute(
        &self,
        doing: &'static str,
        statement: &'static str,
        params: &[Param<'_>],
    ) -> Result<u64, StoreFault> {
        let run = async { self.session().await?.execute(statement, params).await };
        run.await.map_err(|trouble| trouble.into_fault(doing))
    }

    /// Runs one statement that writes and answers with rows. After a fault it may have been done.
    pub(crate) async fn query(
        &self,
        doing: &'static str,
        statement: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, StoreFault> {
        let run = async { self.session().await?.query(statement, params).await };
        run.await.map_err(|trouble| trouble.into_fault(doing))
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.shared.schema
    }

    /// After a failure that one connection has met, the others are not waited for to meet it too.
    pub(crate) fn distrust(&self, trouble: &Trouble) {
        if !trouble.breaks_connection() || matches!(trouble, Trouble::Deadline(_)) {
            return;
        }
        let now = Instant::now();
        *self.shared.stale_before.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(now);
        self.connections.retain(|_, metrics| metrics.created > now);
    }
}

/// Refuses connections that are old, or doubtful, or lead to a standby.
fn check(stale_before: Arc<RwLock<Option<Instant>>>, writes: bool) -> Hook {
    Hook::async_fn(move |client, metrics| {
        let stale = *stale_before.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        let (created, idle) = (metrics.created, metrics.last_used());
        Box::pin(async move {
            if created.elapsed() > MAX_AGE || stale.is_some_and(|stale| created <= stale) {
                return Err(HookError::message("the connection is from before a failover, or old"));
            }
            if idle < IDLE {
                return Ok(());
            }
            let answer =
                client.simple_query("SHOW transaction_read_only").await.map_err(HookError::Backend)?;
            let read_only = answer.iter().any(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0) == Some("on"),
                _ => false,
            });
            if writes && read_only {
                return Err(HookError::message("the server has become a standby"));
            }
            Ok(())
        })
    })
}
