//! Schemas of their own for the tests of views: cheaper than databases of their own.
#![allow(dead_code, reason = "each test uses a part of it")]

use crate::support::{self, execute, server};
use gallae_ports::Entropy;
use gallae_postgres::{
    Settings,
    views::{Behind, PostgresViews},
};
use gallae_runtime::SystemEntropy;
use tokio_postgres::{NoTls, Row};

/// A schema of its own, dropped at the end, also that of a panic.
#[derive(Debug)]
pub(crate) struct TestSchema {
    name: String,
}

impl TestSchema {
    pub(crate) fn new() -> Self {
        Self { name: format!("t{}", SystemEntropy.uuid().simple()) }
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { schema: self.name.clone(), ..Settings::new(server()) }
    }

    /// Views in it.
    pub(crate) async fn views(&self) -> PostgresViews {
        PostgresViews::new(&support::open(self.settings()).await, Behind::default())
    }

    /// Rows of a statement in it; `@.` stands for its name.
    pub(crate) async fn rows(&self, statement: &str) -> Vec<Row> {
        let (client, connection) = tokio_postgres::connect(&server(), NoTls).await.unwrap();
        let statement = statement.replace("@.", &format!("{}.", self.name));
        tokio::select! {
            rows = client.query(&statement, &[]) => rows.unwrap_or_else(|error| panic!("{statement}: {error:?}")),
            ended = connection => panic!("the connection ended: {ended:?}"),
        }
    }

    /// The tables of generations in it.
    pub(crate) async fn tables(&self) -> Vec<String> {
        let statement = format!(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = '{}' AND tablename ~ '^[vwc][0-9]' ORDER BY 1",
            self.name
        );
        self.rows(&statement).await.iter().map(|row| row.get(0)).collect()
    }
}

impl Drop for TestSchema {
    fn drop(&mut self) {
        let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&server(), &drop));
        });
        if dropped.join().is_err() && !std::thread::panicking() {
            panic!("{} could not be dropped", self.name);
        }
    }
}
