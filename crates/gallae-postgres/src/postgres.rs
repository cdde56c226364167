//! Opening the database.

use crate::{
    OpenError, Settings,
    connect::Connector,
    direct::Direct,
    fault::Trouble,
    log::{self, Limits, LogSetup, PostgresLog},
    migrations::{self, migrate},
    pool::{Pool, PoolFigures, PoolOptions},
    schema::Schema,
    target::{Access, Target},
};
use gallae_ports::CheckDepth;
use std::{fmt, sync::Arc, time::Duration};
use tokio_postgres::Client;

/// The oldest server that is known to work, as `server_version_num` has it.
const OLDEST_SERVER: i32 = 140_000;

/// How long a transaction of the batcher may be idle before the server ends it.
const IDLE_WITH_COUNTER: Duration = Duration::from_secs(5);

/// The longest that opening takes, migrations included.
const OPENING: Duration = Duration::from_secs(120);

/// An open database: a cheap handle to what runs on it.
#[derive(Clone)]
pub struct Postgres {
    inner: Arc<Inner>,
}

struct Inner {
    place: String,
    pools: Pools,
    /// Makes sessions to the primary beside the pool.
    writer: Connector,
    log: Arc<PostgresLog>,
}

/// Connections to both endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    /// The primary: what decides or writes.
    pub(crate) write: Pool,
    /// Standbys, which may be behind: history and queries.
    pub(crate) read: Pool,
}

/// The state of the pools, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolsFigures {
    /// To the primary.
    pub write: PoolFigures,
    /// To the standbys.
    pub read: PoolFigures,
}

impl Postgres {
    /// Connects, brings the schema to the newest number, and checks the newest events. Several nodes may do so at once.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(settings: Settings) -> Result<Self, OpenError> {
        let schema = Arc::new(Schema::new(&settings.schema)?);
        let connectors = Connectors::new(&settings)?;
        prepare(&connectors.write, &schema).await?;
        let place = connectors.write.target().place.clone();
        let pools = Pools::new(&connectors, &schema, &settings)?;
        let failed = |source| OpenError::Failed { place: place.clone(), source };
        let report = log::check(&pools.write, CheckDepth::Tail).await.map_err(failed)?;
        if !report.damage.is_empty() {
            return Err(OpenError::Damaged { place, damage: report.damage });
        }
        let setup = LogSetup {
            pools: pools.clone(),
            schema,
            batcher: connectors.batcher,
            follower: connectors.follower,
            prepare: settings.prepare,
            limits: Limits { commit: settings.commit_timeout, statement: settings.statement_timeout },
            patience: settings.append_patience,
        };
        let log = Arc::new(PostgresLog::open(setup).await.map_err(failed)?);
        Ok(Self { inner: Arc::new(Inner { place, pools, writer: connectors.write, log }) })
    }

    /// The log, and everything that commits with it.
    pub fn log(&self) -> Arc<PostgresLog> {
        Arc::clone(&self.inner.log)
    }

    /// What people log in with.
    pub fn credentials(&self) -> Arc<PostgresLog> {
        self.log()
    }

    /// The pooled connections, and what makes sessions to the primary beside them.
    pub(crate) fn connections(&self) -> (&Pools, &Connector) {
        (&self.inner.pools, &self.inner.writer)
    }

    /// How the pools stand.
    pub fn pools(&self) -> PoolsFigures {
        let Pools { write, read } = &self.inner.pools;
        PoolsFigures { write: write.figures(), read: read.figures() }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("place", &self.inner.place).finish_non_exhaustive()
    }
}

/// The ways in.
struct Connectors {
    write: Connector,
    read: Connector,
    batcher: Connector,
    follower: Connector,
}

impl Connectors {
    fn new(settings: &Settings) -> Result<Self, OpenError> {
        let target = |what, url, access, role| Target::parse(what, url, access, role, settings);
        let (write, direct) = (&settings.write_url, settings.direct_url.as_ref());
        let direct = direct.unwrap_or(write);
        let read = match &settings.read_url {
            Some(url) => target("the read URL", url, Access::Any, "read")?,
            None => target("the write URL", write, Access::ReadWrite, "read")?,
        };
        let session = session_settings(settings);
        Ok(Self {
            write: Connector::new(
                target("the write URL", write, Access::ReadWrite, "write")?,
                session.clone(),
            ),
            read: Connector::new(read, session.clone()),
            batcher: Connector::new(
                target("the direct URL", direct, Access::ReadWrite, "batcher")?,
                batcher_settings(settings),
            ),
            follower: Connector::new(
                target("the direct URL", direct, Access::ReadWrite, "follower")?,
                session,
            ),
        })
    }
}

/// What every session of ours runs with; nothing where sessions are shared with others.
///
/// A plan made while a table was empty would scan it for ever, so scans are out of favour; their price would make the server
/// compile every query, so that is off. Timeouts keep a hung node from holding what others wait for.
fn session_settings(settings: &Settings) -> String {
    if !settings.prepare {
        return String::new();
    }
    let timeout = settings.statement_timeout.as_millis();
    format!(
        "SET enable_seqscan = off; SET jit = off; SET statement_timeout = {timeout}; SET lock_timeout = {timeout}; \
         SET idle_in_transaction_session_timeout = {timeout}"
    )
}

/// What the batcher's session runs with besides. Its statements look up single rows of tables that only grow: nested loops over
/// indexes, planned once. It gives up before its client does, so that the client learns that nothing was written; and a node that
/// freezes with the counter in its hands loses it.
fn batcher_settings(settings: &Settings) -> String {
    if !settings.prepare {
        return String::new();
    }
    let limit = settings.commit_timeout.min(settings.statement_timeout).as_millis() * 3 / 4;
    let idle = IDLE_WITH_COUNTER.as_millis();
    format!(
        "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; \
         SET plan_cache_mode = force_generic_plan; SET statement_timeout = {limit}; SET lock_timeout = {limit}; \
         SET idle_in_transaction_session_timeout = {idle}"
    )
}

impl Pools {
    fn new(connectors: &Connectors, schema: &Arc<Schema>, settings: &Settings) -> Result<Self, OpenError> {
        let options = |size, writes| PoolOptions {
            size,
            prepare: settings.prepare,
            writes,
            acquire_timeout: settings.acquire_timeout,
            statement_timeout: settings.statement_timeout,
        };
        let pool = |connector: &Connector, options| Pool::new(connector.clone(), Arc::clone(schema), options);
        Ok(Self {
            write: pool(&connectors.write, options(settings.write_connections, true))?,
            read: pool(&connectors.read, options(settings.read_connections, false))?,
        })
    }
}

/// Looks at the server, and migrates, on a connection of its own.
async fn prepare(connector: &Connector, schema: &Schema) -> Result<(), OpenError> {
    let target = connector.target();
    let mut direct = Direct::connect(connector, OPENING)
        .await
        .map_err(|trouble| OpenError::connecting(target, trouble))?;
    let work = direct.run(OPENING, async |client| {
        let prepared = async {
            check_server(client, target).await?;
            migrate(client, target, schema, migrations::SCRIPTS).await
        };
        Ok(prepared.await)
    });
    work.await.unwrap_or_else(|trouble| {
        Err(OpenError::Failed { place: target.place.clone(), source: trouble.into_fault("opening") })
    })
}

async fn check_server(client: &Client, target: &Target) -> Result<(), OpenError> {
    let failed = |error| OpenError::Failed {
        place: target.place.clone(),
        source: Trouble::Driver(error).into_fault("looking at the server"),
    };
    let query = "SELECT pg_catalog.current_setting('server_version_num')::integer,
                        pg_catalog.current_setting('server_version'),
                        pg_catalog.current_setting('transaction_read_only')";
    let row = client.query_typed_one(query, &[]).await.map_err(failed)?;
    let number: i32 = row.get(0);
    if number < OLDEST_SERVER {
        return Err(OpenError::OldServer { place: target.place.clone(), found: row.get(1) });
    }
    if row.get::<_, &str>(2) == "on" {
        return Err(OpenError::Standby { place: target.place.clone() });
    }
    Ok(())
}
