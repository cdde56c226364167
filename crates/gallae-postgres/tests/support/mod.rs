//! What the tests against a server share.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod proxy;

use bytes::Bytes;
use gallae_core::{Actor, EventId, Metadata, Position, RecordedEvent, StreamId, Timestamp, Version};
use gallae_lab_servers::Database;
use gallae_ports::{AppendBatch, Clock, Entropy, EventStore, Expected, NewEvent};
use gallae_postgres::{OpenError, Postgres, PostgresLog, Settings};
use gallae_runtime::{SystemClock, SystemEntropy};
use std::{borrow::Cow, sync::Arc};
use tokio_postgres::NoTls;
use uuid::Uuid;

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

    /// Sessions opened with these bear the schema's name.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            schema: self.name.clone(),
            application_name: self.name.clone(),
            write_connections: 4,
            read_connections: 4,
            ..Settings::new(server())
        }
    }

    /// Ends every session of the schema, as a failover does.
    pub(crate) async fn end_sessions(&self) {
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '{} %'",
            self.name
        );
        execute(&server(), &end).await;
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

/// The server's host and port, and what comes before and after them in its URL.
pub(crate) fn server_parts() -> (String, String, String) {
    let url = server();
    let start = url.find('@').map_or_else(|| url.find("://").unwrap() + 3, |at| at + 1);
    let end = url[start..].find('/').map_or(url.len(), |at| start + at);
    (url[..start].to_owned(), url[start..end].to_owned(), url[end..].to_owned())
}

/// Settings whose batcher and follower reach the server by way of a proxy.
pub(crate) fn through(proxy: &proxy::Proxy, settings: Settings) -> Settings {
    let (before, _, after) = server_parts();
    let direct = format!("{before}{}{after}?sslmode=disable", proxy.address());
    Settings { direct_url: Some(direct), ..settings }
}

pub(crate) fn new_uuid() -> Uuid {
    SystemEntropy.uuid()
}

pub(crate) fn now() -> Timestamp {
    SystemClock::new().now()
}

pub(crate) fn stream(name: &str) -> StreamId {
    name.parse().unwrap()
}

pub(crate) fn event(payload: impl Into<Bytes>) -> NewEvent {
    NewEvent {
        id: EventId::new(new_uuid()),
        event_type: Cow::Borrowed("ThingHappened"),
        schema_version: 1,
        payload: payload.into(),
    }
}

/// A batch with a correlation of its own.
pub(crate) fn batch() -> AppendBatch {
    let metadata =
        Metadata::new(new_uuid().to_string().parse().unwrap(), Actor::System("test".into()), "node-1");
    AppendBatch::new(now(), Arc::new(metadata))
}

/// One event for one stream.
pub(crate) fn one(name: &str, expected: Expected) -> AppendBatch {
    batch().stream(stream(name), expected, vec![event("{}")])
}

pub(crate) fn exact(version: u64) -> Expected {
    Expected::Exact(Version::new(version))
}

/// Every event of the log.
pub(crate) async fn everything(log: &impl EventStore) -> Vec<Arc<RecordedEvent>> {
    let mut all: Vec<Arc<RecordedEvent>> = Vec::new();
    loop {
        let after = all.last().map_or(Position::START, |event| event.position);
        let page = log.read_all(after, 1_000).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}
