//! A pooled connection while it is lent.

use crate::{
    fault::Trouble,
    pool::{Param, Pool},
    schema::Schema,
};
use deadpool_postgres::Object;
use tokio::time::timeout;
use tokio_postgres::Row;

/// One connection, lent by its pool. Goes back when dropped, unless it is broken or within a transaction: then it is closed, which
/// rolls back.
#[derive(Debug)]
pub(crate) struct Session {
    /// `None` once it is broken.
    connection: Option<Object>,
    pool: Pool,
    in_transaction: bool,
}

impl Session {
    pub(crate) fn new(connection: Object, pool: Pool) -> Self {
        Self { connection: Some(connection), pool, in_transaction: false }
    }

    /// Rows of a statement.
    pub(crate) async fn query(
        &mut self,
        statement: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Trouble> {
        let statement = self.pool.shared.schema.statement(statement);
        self.query_text(&statement, params).await
    }

    /// Rows of a statement made at run time, its schema in it.
    pub(crate) async fn query_text(
        &mut self,
        statement: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Trouble> {
        let prepare = self.pool.shared.prepare;
        self.watched(async |connection: &Object| {
            if !prepare {
                return connection.query_typed(statement, params).await;
            }
            let (values, types): (Vec<_>, Vec<_>) = params.iter().cloned().unzip();
            let statement = connection.prepare_typed_cached(statement, &types).await?;
            connection.query(&statement, &values).await
        })
        .await
    }

    /// Runs a statement; says how many rows it touched.
    pub(crate) async fn execute(
        &mut self,
        statement: &'static str,
        params: &[Param<'_>],
    ) -> Result<u64, Trouble> {
        let statement = self.pool.shared.schema.statement(statement);
        self.execute_text(&statement, params).await
    }

    /// Runs a statement made at run time, its schema in it; says how many rows it touched.
    pub(crate) async fn execute_text(
        &mut self,
        statement: &str,
        params: &[Param<'_>],
    ) -> Result<u64, Trouble> {
        let prepare = self.pool.shared.prepare;
        self.watched(async |connection: &Object| {
            if !prepare {
                return connection.execute_typed(statement, params).await;
            }
            let (values, types): (Vec<_>, Vec<_>) = params.iter().cloned().unzip();
            let statement = connection.prepare_typed_cached(statement, &types).await?;
            connection.execute(&statement, &values).await
        })
        .await
    }

    pub(crate) fn schema(&self) -> &Schema {
        self.pool.schema()
    }

    /// Begins a transaction at READ COMMITTED.
    pub(crate) async fn begin(&mut self) -> Result<(), Trouble> {
        self.in_transaction = true;
        self.script("BEGIN ISOLATION LEVEL READ COMMITTED").await
    }

    /// Commits. After a failure the transaction may have been committed if [`Trouble::leaves_outcome_open`].
    pub(crate) async fn commit(mut self) -> Result<(), Trouble> {
        self.script("COMMIT").await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Runs statements without parameters.
    pub(crate) async fn script(&mut self, text: &str) -> Result<(), Trouble> {
        self.watched(async |connection: &Object| connection.batch_execute(text).await).await
    }

    /// Runs something on the connection within the deadline; a connection that fails is closed.
    pub(crate) async fn watched<T>(
        &mut self,
        work: impl AsyncFnOnce(&Object) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Trouble> {
        let limit = self.pool.shared.statement_timeout;
        let Some(connection) = &self.connection else {
            return Err(Trouble::Unreadable("the connection had failed before".to_owned()));
        };
        let result = match timeout(limit, work(connection)).await {
            Ok(result) => result.map_err(Trouble::Driver),
            Err(_) => Err(Trouble::Deadline(limit)),
        };
        if let Err(trouble) = &result
            && trouble.breaks_connection()
        {
            self.close();
            self.pool.distrust(trouble);
        }
        result
    }

    /// Closes the socket instead of giving the connection back.
    fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.in_transaction {
            self.close();
        }
    }
}
