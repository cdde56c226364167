//! What the tests against a server share.
#![allow(dead_code, reason = "each test uses a part of it")]

use gallae_ports::Entropy;
use gallae_postgres::{OpenError, Postgres, PostgresLog, Settings};
use gallae_runtime::SystemEntropy;
use std::{io::Write, sync::Arc};
use tokio_postgres::NoTls;

/// Names the server to test on, as a user who may create databases: `postgres://postgres@127.0.0.1:5432/postgres`.
const SERVER: &str = "GALLAE_TEST_POSTGRES";

/// The server's URL. Without one, nothing here can be tested: says so, past the capturing of output, and ends the binary.
pub(crate) fn server() -> String {
    match std::env::var(SERVER) {
        Ok(url) if !url.is_empty() => url,
        _ => {
            let name = std::env::args().next().unwrap_or_default();
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED every test of {name}: {SERVER} names no PostgreSQL server"
            );
            std::process::exit(0);
        }
    }
}

/// A database of its own, dropped at the end, also that of a panic.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    name: String,
}

impl TestDatabase {
    pub(crate) async fn create() -> Self {
        let name = format!("gallae_test_{}", SystemEntropy.uuid().simple());
        execute(&server(), &format!("CREATE DATABASE {name}")).await;
        Self { name }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        let server = server();
        let (server, options) = server.split_once('?').unwrap_or((&server, ""));
        let (start, _) = server.rsplit_once('/').expect("the URL names a database");
        format!("{start}/{}?{options}", self.name)
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::new(self.url())
    }

    /// Runs statements in it.
    pub(crate) async fn execute(&self, statements: &str) {
        execute(&self.url(), statements).await;
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        aside(async move { execute(&server(), &drop).await });
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
