//! The log passes the suites of its ports.

mod support;

use gallae_conformance::{DurableHarness, Harness};
use gallae_ports::EventStore;
use gallae_postgres::PostgresLog;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use support::{TestSchema, open};
use uuid::Uuid;

/// Each case has schemas of its own, dropped when it ends.
#[derive(Default)]
struct Log {
    schemas: Mutex<HashMap<Uuid, TestSchema>>,
}

impl Log {
    async fn open(&self, schema: TestSchema) -> PostgresLog {
        let postgres = open(schema.settings()).await;
        let log = postgres.log();
        drop(postgres);
        let log = Arc::into_inner(log).expect("the last handle");
        self.schemas.lock().unwrap().insert(log.id(), schema);
        log
    }
}

impl Harness for Log {
    type Store = PostgresLog;

    async fn fresh(&self) -> PostgresLog {
        self.open(TestSchema::new()).await
    }
}

impl DurableHarness for Log {
    async fn reopen(&self, store: PostgresLog) -> PostgresLog {
        let schema = self.schemas.lock().unwrap().remove(&store.id()).unwrap();
        drop(store);
        self.open(schema).await
    }
}

gallae_conformance::event_store_suite!(Log::default());
gallae_conformance::event_store_durability_suite!(Log::default());
gallae_conformance::saga_store_suite!(Log::default());
gallae_conformance::snapshot_store_suite!(Log::default());
gallae_conformance::lease_store_suite!(Log::default());
gallae_conformance::dead_letter_store_suite!(Log::default());
gallae_conformance::cursor_store_suite!(Log::default());
gallae_conformance::credential_store_suite!(Log::default());
