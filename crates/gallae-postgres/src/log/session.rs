//! The session in which the batcher writes.

use super::{
    facts::{Facts, Needs},
    prepared::Prepared as Batch,
    read_facts::{self, Question},
    statement::Statement,
};
use crate::{connect::Connector, direct::Direct, fault::Trouble, schema::Schema};
use futures::future::join;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio_postgres::{
    Client, Error, Row,
    error::SqlState,
    types::{ToSql, Type},
};
use uuid::Uuid;

/// A parameter that is owned by its statement.
pub(super) type Value<'a> = (Box<dyn ToSql + Sync + Send + 'a>, Type);

/// Makes its writer known to the counter. From then on nothing that an earlier session of this process left under way can succeed:
/// it waits for the counter's number as it was before.
const ENTER: &str = "UPDATE @.head SET batch = batch + 1, epoch = epoch + 1 WHERE only_row = 1
    RETURNING position, batch, store_id";

/// Proves that the store can be written, and changes nothing.
const PROVE: &str = "UPDATE @.head SET epoch = epoch WHERE only_row = 1";

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
const BEGIN_LOOKING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// How long the batcher's statements may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// A commit, the standbys' confirmation included.
    pub(crate) commit: Duration,
    /// Everything else.
    pub(crate) statement: Duration,
}

/// A session that writes to the log. After [`Trouble::breaks_connection`] it is to be dropped, which closes its socket.
pub(super) struct Session {
    direct: Direct,
    schema: Arc<Schema>,
    prepared: Prepared,
    limits: Limits,
}

/// Where the log stands when a session begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entered {
    pub(super) store: Uuid,
    pub(super) position: u64,
    pub(super) batch: u64,
}

/// How a write failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Before anything could be committed.
    Before(Trouble),
    /// It may have been committed.
    Unknown(Trouble),
}

impl Failure {
    /// Whether a key that was to be new is there already.
    pub(super) fn is_key_violation(&self) -> bool {
        matches!(self, Self::Before(trouble) if trouble.code() == Some(&SqlState::UNIQUE_VIOLATION))
    }

    fn of(trouble: Trouble) -> Self {
        if trouble.leaves_outcome_open() { Self::Unknown(trouble) } else { Self::Before(trouble) }
    }
}

impl Session {
    /// Connects, and takes the counter's number from whoever had it.
    pub(super) async fn enter(
        connector: &Connector,
        schema: Arc<Schema>,
        prepare: bool,
        limits: Limits,
    ) -> Result<(Self, Entered), Trouble> {
        let mut direct = Direct::connect(connector, limits.statement).await?;
        let text = schema.statement(ENTER);
        let row = direct.run(limits.commit, async |client| client.query_typed_one(&text, &[]).await).await?;
        let entered = Entered {
            position: row.try_get::<_, i64>(0)?.cast_unsigned(),
            batch: row.try_get::<_, i64>(1)?.cast_unsigned(),
            store: row.try_get(2)?,
        };
        let prepared = Prepared { kept: prepare.then(HashMap::new) };
        Ok((Self { direct, schema, prepared, limits }, entered))
    }

    /// Returns when the session has ended by itself.
    pub(super) async fn ended(&mut self) {
        while self.direct.notified().await.is_ok() {}
    }

    /// Writes a group in one statement, which is its own transaction. `false`: something was not as assumed, nothing was written.
    pub(super) async fn write(&mut self, statement: &Statement<'_>) -> Result<bool, Failure> {
        let text: Arc<str> = self.schema.qualify(&statement.text).into();
        self.prepare(&text, &statement.params).await.map_err(Failure::Before)?;
        let Self { direct, prepared, limits, .. } = self;
        let rows = direct
            .run(limits.commit, async |client| prepared.query(client, &text, &statement.params).await)
            .await
            .map_err(Failure::of)?;
        Ok(!rows.is_empty())
    }

    /// Begins a transaction that holds the counter, and reads what decides these batches.
    pub(super) async fn lock(&mut self, batches: &[&Batch]) -> Result<Facts, Trouble> {
        let facts = self.read(batches, BEGIN, read_facts::LOCK, None).await;
        self.or_roll_back(facts).await
    }

    /// Reads what decides these batches, all as of one moment.
    pub(super) async fn look(&mut self, batches: &[&Batch]) -> Result<Facts, Trouble> {
        let facts = self.read(batches, BEGIN_LOOKING, read_facts::LOOK, Some("COMMIT")).await;
        self.or_roll_back(facts).await
    }

    /// Writes within the transaction that was begun by [`Session::lock`], and commits it.
    pub(super) async fn write_and_commit(&mut self, statement: &Statement<'_>) -> Result<bool, Failure> {
        let text: Arc<str> = self.schema.qualify(&statement.text).into();
        let ready = self.prepare(&text, &statement.params).await;
        self.or_roll_back(ready).await.map_err(Failure::Before)?;
        let Self { direct, prepared, limits, .. } = self;
        let both = direct.run(limits.commit, async |client| {
            let write = prepared.query(client, &text, &statement.params);
            Ok(join(write, client.batch_execute("COMMIT")).await)
        });
        let (written, committed) = both.await.map_err(Failure::of)?;
        // A statement that failed turns the commit into a rollback.
        let rows = written.map_err(|error| Failure::of(Trouble::Driver(error)))?;
        committed.map_err(|error| Failure::of(Trouble::Driver(error)))?;
        Ok(!rows.is_empty())
    }

    /// Ends a transaction without writing.
    pub(super) async fn roll_back(&mut self) -> Result<(), Trouble> {
        let limit = self.limits.statement;
        self.direct.run(limit, async |client| client.batch_execute("ROLLBACK").await).await
    }

    /// Commits something that changes nothing.
    pub(super) async fn prove(&mut self) -> Result<(), Trouble> {
        let text = self.schema.statement(PROVE);
        self.direct
            .run(self.limits.commit, async |client| client.execute_typed(&text, &[]).await)
            .await
            .map(drop)
    }

    async fn read(
        &mut self,
        batches: &[&Batch],
        begin: &str,
        head: &'static str,
        end: Option<&str>,
    ) -> Result<Facts, Trouble> {
        let mut needs = Needs::default();
        batches.iter().for_each(|batch| needs.add(batch));
        let schema = Arc::clone(&self.schema);
        let questions = read_facts::questions(&needs, head, |text| schema.statement(text));
        for question in &questions {
            self.prepare(&question.text, &question.params).await?;
        }
        let Self { direct, prepared, limits, .. } = self;
        let reading = direct.run(limits.statement, async |client| {
            read_facts::read(client, prepared, &needs, &questions, begin, end).await
        });
        let mut facts = reading.await?;
        let positions: Vec<u64> = batches.iter().flat_map(|batch| facts.to_look_at(batch)).collect();
        if !positions.is_empty() {
            let question = read_facts::events_at(&positions, |text| schema.statement(text));
            self.ask(&mut facts, &question).await?;
        }
        Ok(facts)
    }

    async fn ask(&mut self, facts: &mut Facts, question: &Question<'_>) -> Result<(), Trouble> {
        self.prepare(&question.text, &question.params).await?;
        let Self { direct, prepared, limits, .. } = self;
        let ask = async |client: &Client| read_facts::read_more(client, prepared, facts, question).await;
        direct.run(limits.statement, ask).await
    }

    /// Prepares a statement when it is first used.
    async fn prepare(&mut self, text: &Arc<str>, params: &[Value<'_>]) -> Result<(), Trouble> {
        let Self { direct, prepared, limits, .. } = self;
        let Some(kept) = &mut prepared.kept else { return Ok(()) };
        if !kept.contains_key(text) {
            let types: Vec<Type> = params.iter().map(|(_, kind)| kind.clone()).collect();
            let prepare = async |client: &Client| client.prepare_typed(text, &types).await;
            kept.insert(Arc::clone(text), direct.run(limits.statement, prepare).await?);
        }
        Ok(())
    }

    /// Ends the transaction of something that failed without breaking the session.
    async fn or_roll_back<T>(&mut self, result: Result<T, Trouble>) -> Result<T, Trouble> {
        match result {
            Err(trouble) if !trouble.breaks_connection() => {
                self.roll_back().await?;
                Err(trouble)
            }
            other => other,
        }
    }
}

/// Statements by their text.
pub(super) struct Prepared {
    /// `None` where the server does not keep any.
    kept: Option<HashMap<Arc<str>, tokio_postgres::Statement>>,
}

impl Prepared {
    /// Runs a statement, prepared if it is.
    pub(super) async fn query(
        &self,
        client: &Client,
        text: &Arc<str>,
        params: &[Value<'_>],
    ) -> Result<Vec<Row>, Error> {
        match self.kept.as_ref().and_then(|kept| kept.get(text)) {
            Some(statement) => {
                let values: Vec<&(dyn ToSql + Sync)> =
                    params.iter().map(|(value, _)| &**value as _).collect();
                client.query(statement, &values).await
            }
            None => {
                let params: Vec<(&(dyn ToSql + Sync), Type)> =
                    params.iter().map(|(value, kind)| (&**value as _, kind.clone())).collect();
                client.query_typed(text, &params).await
            }
        }
    }
}
