//! Views, search and counters on PostgreSQL pass the suites of their ports, with statements kept prepared and without.

mod support;

use gallae_conformance::{DurableHarness, Harness};
use gallae_postgres::{
    Settings,
    views::{Behind, PostgresViews},
};
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};
use support::TestDatabase;
use tokio::sync::OnceCell;

/// Stores in a schema each of one database, which lives as long as the harness of its case.
struct Server {
    prepare: bool,
    database: OnceCell<TestDatabase>,
    schemas: AtomicUsize,
    newest: Mutex<Option<Settings>>,
}

impl Server {
    fn new(prepare: bool) -> Self {
        Self { prepare, database: OnceCell::new(), schemas: AtomicUsize::new(0), newest: Mutex::default() }
    }

    async fn open(&self, settings: Settings) -> PostgresViews {
        *self.newest.lock().unwrap() = Some(settings.clone());
        PostgresViews::new(&support::open(settings).await, Behind::default())
    }
}

impl Harness for Server {
    type Store = PostgresViews;

    async fn fresh(&self) -> PostgresViews {
        let database = self.database.get_or_init(TestDatabase::create).await;
        let mut settings = database.settings();
        settings.prepare = self.prepare;
        settings.schema = format!("store_{}", self.schemas.fetch_add(1, Ordering::Relaxed));
        self.open(settings).await
    }
}

impl DurableHarness for Server {
    async fn reopen(&self, store: PostgresViews) -> PostgresViews {
        drop(store);
        let settings = self.newest.lock().unwrap().take().unwrap();
        self.open(settings).await
    }
}

mod prepared {
    use super::*;

    gallae_conformance::view_store_suite!(Server::new(true));
    gallae_conformance::search_store_suite!(Server::new(true));
    gallae_conformance::counter_store_suite!(Server::new(true));
    gallae_conformance::view_store_durability_suite!(Server::new(true));
}

mod unprepared {
    use super::*;

    gallae_conformance::view_store_suite!(Server::new(false));
    gallae_conformance::search_store_suite!(Server::new(false));
    gallae_conformance::counter_store_suite!(Server::new(false));
    gallae_conformance::view_store_durability_suite!(Server::new(false));
}
