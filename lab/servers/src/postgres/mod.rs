//! PostgreSQL: one server, its replicas, and what can happen to them.

mod client;
mod database;
mod kept;
mod options;
mod server;
mod tls;
mod url;

pub use client::Row;
pub(crate) use client::ready;
pub use database::Database;
pub use kept::KeptPostgres;
pub use options::PostgresOptions;
pub use url::PostgresUrl;

use crate::{
    ServerError,
    folder::Folder,
    process::{self, Process, Signal},
};
use server::Data;
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// Names the server that tests share: `postgres://user@host:port/database`, whose user may create databases.
pub const SHARED_POSTGRES: &str = "GALLAE_TEST_POSTGRES";

/// For a server that was told to end, with its clients and replicas.
const ENDED_WITHIN: Duration = Duration::from_secs(30);
/// For the recovery of what a killed server had not written to its tables.
const RECOVERED_WITHIN: Duration = Duration::from_secs(120);

/// A running PostgreSQL with an empty database `postgres`. Dropped, it ends at once and its data is removed; so it is when
/// this process is killed.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    frozen: Vec<u32>,
    address: SocketAddr,
    data: Data,
    /// The last field: the server ends before its folder goes.
    _folder: Folder,
}

impl Postgres {
    /// The URL of the server that all tests of this process may share: that of the environment, or one that is started
    /// now, without fsync, and ends with the process. Make a [`Database`] on it.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or it does not start.
    pub fn shared() -> Result<&'static str, ServerError> {
        static SHARED: OnceLock<Result<(String, Option<Postgres>), String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| match std::env::var(SHARED_POSTGRES) {
            Ok(url) if !url.is_empty() => Ok((url, None)),
            _ => match PostgresOptions::new().without_fsync().start() {
                Ok(server) => Ok((server.url().to_string(), Some(server))),
                Err(error) => Err(format!("{error:?}")),
            },
        });
        match shared {
            Ok((url, _)) => Ok(url),
            Err(words) => Err(ServerError::Unsupported(words.clone())),
        }
    }

    /// A server of one's own, as durable as in production. For another one see [`PostgresOptions`].
    ///
    /// # Errors
    /// PostgreSQL is not installed, or it does not start.
    pub fn start() -> Result<Self, ServerError> {
        PostgresOptions::new().start()
    }

    fn new(process: Process, address: SocketAddr, data: Data, folder: Folder) -> Self {
        Self { process, frozen: Vec::new(), address, data, _folder: folder }
    }

    /// Where to connect as the superuser `postgres` to the database of that name.
    pub fn url(&self) -> PostgresUrl {
        self.data.url(self.address.port())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate that clients are to trust, in PEM, when the server was started with
    /// [`tls`](PostgresOptions::tls).
    pub fn authority(&self) -> PathBuf {
        tls::authority(&self.data.folder)
    }

    /// Runs statements in a session of their own and hands back the rows of all.
    ///
    /// # Errors
    /// The server cannot be reached, or it refuses.
    pub fn query(&self, statements: &str) -> Result<Vec<Row>, ServerError> {
        client::query(&self.url(), statements)
    }

    /// The last lines that the server logged since it was started.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }

    /// Shuts down in order: sessions are ended, everything is written.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        self.end(Signal::Interrupt)
    }

    /// Ends all sessions and exits at once, as `pg_ctl stop -m immediate` does: the next start recovers.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop_immediately(&mut self) -> Result<(), ServerError> {
        self.end(Signal::Quit)
    }

    /// Kills every process of the server with SIGKILL, in one moment as far as the server can tell.
    ///
    /// # Errors
    /// Some of them are still there after half a minute.
    pub fn kill(&mut self) -> Result<(), ServerError> {
        // Stopped first, so that it starts no more.
        self.process.signal(Signal::Stop)?;
        let children = process::children(self.process.id())?;
        self.process.signal(Signal::Kill)?;
        for child in &children {
            // Fails only when it is gone.
            let _ = process::send(*child, Signal::Kill);
        }
        self.frozen.clear();
        self.process.await_end(ENDED_WITHIN)?;
        let deadline = Instant::now() + ENDED_WITHIN;
        while let Some(child) = children.iter().find(|child| process::lives(**child)) {
            if Instant::now() >= deadline {
                return Err(self.process.late(
                    "did not end",
                    ENDED_WITHIN,
                    format!("its child {child} still runs"),
                ));
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.data.forget_shared_memory();
        Ok(())
    }

    /// Stops every process of the server with SIGSTOP: connections stay open and nothing answers.
    ///
    /// # Errors
    /// It has ended.
    pub fn freeze(&mut self) -> Result<(), ServerError> {
        self.process.signal(Signal::Stop)?;
        self.frozen = process::children(self.process.id())?;
        for child in &self.frozen {
            let _ = process::send(*child, Signal::Stop);
        }
        Ok(())
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    /// It has ended.
    pub fn thaw(&mut self) -> Result<(), ServerError> {
        for child in self.frozen.drain(..) {
            let _ = process::send(child, Signal::Continue);
        }
        self.process.signal(Signal::Continue)
    }

    /// Starts a server that ended, on the same data and port, and waits until it has recovered and lets somebody in.
    ///
    /// # Errors
    /// It runs already, or does not start.
    pub fn start_again(&mut self) -> Result<(), ServerError> {
        if self.process.ended()?.is_none() {
            return Err(ServerError::Unsupported(format!("PostgreSQL at {} runs already", self.address)));
        }
        self.process = self.data.launch(self.address, RECOVERED_WITHIN)?;
        Ok(())
    }

    /// Makes a primary of a replica and waits until it takes writes.
    ///
    /// # Errors
    /// It is no replica, or it is not promoted in time.
    pub fn promote(&self) -> Result<(), ServerError> {
        let promoted = self.query("SELECT pg_promote(true, 60)")?;
        if promoted == [[Some("t".to_owned())]] {
            return Ok(());
        }
        Err(self.process.late("was not promoted", Duration::from_secs(60), format!("{promoted:?}")))
    }

    fn data(&self) -> &Data {
        &self.data
    }

    fn end(&mut self, signal: Signal) -> Result<(), ServerError> {
        self.process.signal(signal)?;
        self.thaw()?;
        self.process.await_end(ENDED_WITHIN).map(drop)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A stopped child would outlive its parent. Fails only when the server has ended.
        let _ = self.thaw();
    }
}
