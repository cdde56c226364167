//! What the tests against a server share.
#![allow(dead_code, reason = "each test uses a part of it")]

use gallae_lab_servers::Database;
use gallae_ports::Entropy;
use gallae_postgres::{OpenError, Postgres, PostgresLog, Settings};
use gallae_runtime::SystemEntropy;
use std::sync::Arc;
use tokio_postgres::NoTls;

/// The URL of the server that all tests share.
pub(crate) fn server() -> String {
    gallae_lab_servers::Postgres::shared().unwrap().to_owned()
}

/// A database of its own, dropped at the end, also that of a panic.
#[derive(Debug)]
pub(crate) struct TestDatabase(Database);

impl TestDatabase {
    pub(crate) async fn create() -> Self {
        Self(Database::create(&server()).unwrap())
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        self.0.url().to_owned()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::new(self.url())
    }

    /// Runs statements in it.
    pub(crate) async fn execute(&self, statements: &str) {
        execute(&self.url(), statements).await;
    }
}

/// Runs statements on a connection of their own.
pub(crate) async fn execute(url: &str, statements: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the test server answers");
    let work = client.batch_execute(statements);
    tokio::select! {
        done = work => done.unwrap_or_else(|error| panic!("{statements}: {error:?}")),
        ended = connection => panic!("the connection ended: {ended:?}"),
    }
}

pub(crate) async fn open(settings: Settings) -> Postgres {
    try_open(settings).await.unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

pub(crate) async fn try_open(settings: Settings) -> Result<Postgres, OpenError> {
    Postgres::open(settings).await
}

/// A schema of its own in the server's database, dropped at the end, also that of a panic.
#[derive(Debug)]
pub(crate) struct TestSchema {
    name: String,
}

impl TestSchema {
    pub(crate) fn new() -> Self {
        Self { name: format!("test_{}", SystemEntropy.uuid().simple()) }
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            schema: self.name.clone(),
            write_connections: 4,
            read_connections: 4,
            ..Settings::new(server())
        }
    }

    /// Runs statements that name their schema `@`.
    pub(crate) async fn execute(&self, statements: &str) {
        execute(&server(), &statements.replace("@.", &format!("{}.", self.name))).await;
    }
}

impl Drop for TestSchema {
    fn drop(&mut self) {
        let drop = format!("SET lock_timeout = '30s'; DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        aside(async move { execute(&server(), &drop).await });
    }
}

/// Cleans up on a thread and a runtime of its own: the test's may be ending.
fn aside(work: impl Future<Output = ()> + Send + 'static) {
    let done = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work);
    });
    assert!(done.join().is_ok() || std::thread::panicking(), "what a test has made could not be dropped");
}

/// A log and the schema it lives in.
#[derive(Debug)]
pub(crate) struct TestLog {
    // Dropped in this order.
    pub(crate) log: Arc<PostgresLog>,
    pub(crate) schema: TestSchema,
}

impl TestLog {
    pub(crate) async fn open(schema: TestSchema) -> Self {
        let log = open(schema.settings()).await.log();
        Self { log, schema }
    }
}
