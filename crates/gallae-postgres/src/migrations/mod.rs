//! Forward-only migrations, numbered from 1. A released script never changes; a change of schema is a new script.

use crate::{OpenError, fault::Trouble, schema::Schema, target::Target};
use tokio_postgres::{Client, error::SqlState, types::Type};

/// Every script, in order.
pub(crate) const SCRIPTS: &[&str] =
    &[include_str!("0001_log.sql"), include_str!("0002_views.sql"), include_str!("0003_early_messages.sql")];

/// How long to wait for another node that migrates.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '60s'";

/// Brings the schema to the newest number, in one transaction. Nodes that start together take turns.
pub(crate) async fn migrate(
    client: &Client,
    target: &Target,
    schema: &Schema,
    scripts: &[&str],
) -> Result<(), OpenError> {
    let migration = Migration { client, target, schema, scripts };
    if migration.pending().await? == 0 {
        return Ok(());
    }
    migration.run("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let applied = migration.apply().await;
    let end = if applied.is_ok() { "COMMIT" } else { "ROLLBACK" };
    applied.and(migration.run(end).await)
}

struct Migration<'a> {
    client: &'a Client,
    target: &'a Target,
    schema: &'a Schema,
    scripts: &'a [&'a str],
}

impl Migration<'_> {
    /// How many scripts are yet to be applied; refuses schemas that are not ours or newer than us.
    async fn pending(&self) -> Result<usize, OpenError> {
        let name = self.schema.name();
        let tables = self
            .client
            .query_typed(
                "SELECT c.relname::text FROM pg_catalog.pg_class c
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY c.relname",
                &[(&name, Type::TEXT)],
            )
            .await
            .map_err(|error| self.failed("looking at the schema", error))?;
        let tables: Vec<String> = tables.iter().map(|row| row.get(0)).collect();
        if !tables.iter().any(|table| table == "gallae_migrations") {
            return match tables.into_iter().next() {
                None => Ok(self.scripts.len()),
                Some(table) => {
                    let (place, schema) = (self.target.place.clone(), name.to_owned());
                    Err(OpenError::Foreign { place, schema, table })
                }
            };
        }
        let query = self.schema.qualify("SELECT coalesce(max(number), 0) FROM @.gallae_migrations");
        let row = self.client.query_typed_one(&query, &[]).await;
        let found: i32 = row.map_err(|error| self.failed("reading the schema's number", error))?.get(0);
        let found = usize::try_from(found).unwrap_or(usize::MAX);
        self.scripts.len().checked_sub(found).ok_or_else(|| OpenError::NewerSchema {
            place: self.target.place.clone(),
            schema: name.to_owned(),
            found: found as u32,
            known: self.scripts.len() as u32,
        })
    }

    async fn apply(&self) -> Result<(), OpenError> {
        self.run(LOCK_TIMEOUT).await?;
        let lock = format!("SELECT pg_catalog.pg_advisory_xact_lock({})", self.schema.lock_key());
        self.run(&lock).await?;
        // Another node may have been faster.
        let pending = self.pending().await?;
        if pending == self.scripts.len() {
            self.create_schema().await?;
        }
        for (index, script) in self.scripts.iter().enumerate().skip(self.scripts.len() - pending) {
            self.run(script).await?;
            let number = index + 1;
            self.run(&format!("INSERT INTO @.gallae_migrations (number) VALUES ({number})")).await?;
        }
        Ok(())
    }

    /// Makes the schema unless it is there, which needs fewer rights.
    async fn create_schema(&self) -> Result<(), OpenError> {
        let found = self
            .client
            .query_typed(
                "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1",
                &[(&self.schema.name(), Type::TEXT)],
            )
            .await
            .map_err(|error| self.failed("looking for the schema", error))?;
        if found.is_empty() {
            self.run(&format!("CREATE SCHEMA \"{}\"", self.schema.name())).await?;
        }
        self.run(
            "CREATE TABLE IF NOT EXISTS @.gallae_migrations (
                 number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT pg_catalog.now())",
        )
        .await
    }

    async fn run(&self, script: &str) -> Result<(), OpenError> {
        let script = self.schema.qualify(script);
        self.client.batch_execute(&script).await.map_err(|error| self.failed("migrating the schema", error))
    }

    fn failed(&self, doing: &'static str, error: tokio_postgres::Error) -> OpenError {
        let trouble = Trouble::Driver(error);
        let lacks_right = trouble.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
        let source = trouble.into_fault(doing);
        let (place, user) = (self.target.place.clone(), self.target.user().to_owned());
        if lacks_right {
            let (schema, database) = (self.schema.name(), self.target.database());
            let grant = format!(
                "CREATE SCHEMA IF NOT EXISTS \"{schema}\" AUTHORIZATION \"{user}\" in database {database}"
            );
            return OpenError::MissingRight { place, user, grant, source: Box::new(source) };
        }
        OpenError::Failed { place, source }
    }
}
