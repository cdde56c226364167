//! Opening the database.

use crate::{
    OpenError, Settings,
    connect::Connector,
    direct::Direct,
    fault::Trouble,
    migrations::{self, migrate},
    pool::{Pool, PoolFigures, PoolOptions},
    schema::Schema,
    target::{Access, Target},
};
use std::{fmt, sync::Arc, time::Duration};
use tokio_postgres::Client;

/// The oldest server that is known to work, as `server_version_num` has it.
const OLDEST_SERVER: i32 = 140_000;

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
        Ok(Self { inner: Arc::new(Inner { place, pools, writer: connectors.write }) })
    }

    /// The pooled connections.
    pub(crate) fn connections(&self) -> &Pools {
        &self.inner.pools
    }

    /// A session to the primary beside the pool: for work that takes longer than a statement may.
    pub(crate) async fn beside_the_pool(&self, limit: Duration) -> Result<Direct, Trouble> {
        Direct::connect(&self.inner.writer, limit).await
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
}

impl Connectors {
    fn new(settings: &Settings) -> Result<Self, OpenError> {
        let session = session_settings(settings);
        let target = |what, url, access| Target::parse(what, url, access, settings);
        let write = target("the write URL", &settings.write_url, Access::ReadWrite)?;
        let read = match &settings.read_url {
            Some(url) => target("the read URL", url, Access::Any)?,
            None => write.clone(),
        };
        Ok(Self { write: Connector::new(write, session.clone()), read: Connector::new(read, session) })
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
