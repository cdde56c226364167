//! New connections: the first host that serves, within a bounded time.

use crate::{fault::Trouble, target::Target};
use deadpool_postgres::Connect;
use futures::{FutureExt, future::poll_fn};
use gallae_ports::BoxFuture;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Error, Socket,
    error::{DbError, SqlState},
    tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A connection to be driven by whoever asked for it.
pub(crate) type Driven = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// Makes connections to one target.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    target: Arc<Target>,
    /// The host that served last is tried first.
    served: Arc<AtomicUsize>,
    /// Run on every new session; empty behind a pooler, where a setting would reach other clients' sessions.
    settings: Arc<str>,
}

impl Connector {
    pub(crate) fn new(target: Target, settings: impl Into<Arc<str>>) -> Self {
        Self { target: Arc::new(target), served: Arc::default(), settings: settings.into() }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// What is to be run on a new session.
    pub(crate) fn settings(&self) -> &str {
        &self.settings
    }

    /// Connects to the first host that serves.
    pub(crate) async fn connect(&self) -> Result<(Client, Driven), Trouble> {
        let hosts = &self.target.hosts;
        let first = self.served.load(Ordering::Relaxed);
        let mut failed = Trouble::Deadline(self.target.patience);
        for index in (0..hosts.len()).map(|offset| (first + offset) % hosts.len()) {
            let attempt = hosts[index].connect(self.target.tls.clone());
            let trouble = match timeout(self.target.patience, attempt).await {
                Ok(Ok(connected)) => {
                    self.served.store(index, Ordering::Relaxed);
                    return Ok(connected);
                }
                Ok(Err(error)) => Trouble::Driver(error),
                Err(_) => Trouble::Deadline(self.target.patience),
            };
            // What a server says tells more than that another one is silent.
            if failed.code().is_none() || trouble.code().is_some() {
                failed = trouble;
            }
        }
        Err(failed)
    }
}

/// Whether a notice takes back the success that follows it: the commit is on the primary's disk only, because somebody
/// cancelled the wait for the standbys.
pub(crate) fn takes_back_commit(notice: &DbError) -> bool {
    notice.routine() == Some("SyncRepWaitForLSN")
        || (*notice.code() == SqlState::WARNING && notice.message().contains("synchronous replication"))
}

/// For pools: their connections are driven by tasks.
impl Connect for Connector {
    fn connect(&self, _: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        let connect = async move {
            let (client, connection) = match Self::connect(self).await {
                Ok(connected) => connected,
                Err(Trouble::Driver(error)) => return Err(error),
                Err(_) => return Err(Error::__private_api_timeout()),
            };
            let task = drive(connection);
            if !self.settings.is_empty()
                && let Err(error) = client.batch_execute(&self.settings).await
            {
                task.abort();
                return Err(error);
            }
            Ok((client, task))
        };
        connect.boxed()
    }
}

/// The pool aborts the task when it drops the connection, and the socket goes with it: nobody waits for it.
#[expect(clippy::disallowed_methods, reason = "the pool holds the task, and aborts it with its connection")]
fn drive(mut connection: Driven) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            match message {
                // Closing before the success is handed on makes the client see a lost connection, which is what it is worth.
                Ok(AsyncMessage::Notice(notice)) if takes_back_commit(&notice) => {
                    tracing::error!(notice = notice.message(), "a commit was not replicated");
                    return;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(%error, "a connection ended");
                    return;
                }
            }
        }
    })
}
