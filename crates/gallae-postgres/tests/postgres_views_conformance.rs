//! Views, search and counters on PostgreSQL pass the suites of their ports, with statements kept prepared and without.

mod schemas;
mod support;

use gallae_conformance::{DurableHarness, Harness};
use gallae_postgres::{
    Settings,
    views::{Behind, PostgresViews},
};
use schemas::TestSchema;
use std::sync::Mutex;

/// Stores in a schema each, which lives as long as the harness of its case.
struct Server {
    prepare: bool,
    schemas: Mutex<Vec<TestSchema>>,
}

impl Server {
    fn new(prepare: bool) -> Self {
        Self { prepare, schemas: Mutex::default() }
    }

    /// Opens the newest schema.
    async fn open(&self) -> PostgresViews {
        let settings = self.schemas.lock().unwrap().last().unwrap().settings();
        let settings = Settings { prepare: self.prepare, ..settings };
        PostgresViews::new(&support::open(settings).await, Behind::default())
    }
}

impl Harness for Server {
    type Store = PostgresViews;

    async fn fresh(&self) -> PostgresViews {
        self.schemas.lock().unwrap().push(TestSchema::new());
        self.open().await
    }
}

impl DurableHarness for Server {
    async fn reopen(&self, store: PostgresViews) -> PostgresViews {
        drop(store);
        self.open().await
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
