//! Dropping generations that nobody reads any more.
//!
//! Each in a transaction of its own, tables first: a writer that comes too late holds its table while it waits for the
//! generation's row, and must not be waited for the other way round.

use super::{PostgresViews, failure::Failure, tables::Tables};
use crate::pool::Session;
use gallae_ports::Shape;
use tokio_postgres::{error::SqlState, types::Type};

/// Generations dropped at a time.
const AT_MOST: usize = 64;
/// Queries under way on old tables are not waited for longer: new ones would queue up behind.
const PATIENCE: &str = "SET LOCAL lock_timeout = '300ms'";

impl PostgresViews {
    /// Drops retired generations as far as they are not being read. The rest stays for the next time.
    pub(super) async fn drop_retired(&self) {
        for _ in 0..AT_MOST {
            match self.drop_one().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(Failure::Trouble(trouble)) if trouble.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                    tracing::debug!("a replaced generation is still being read; it is dropped later");
                    return;
                }
                Err(failure) => {
                    let fault = failure.while_doing("dropping a replaced generation");
                    let error: &dyn std::error::Error = &fault;
                    tracing::warn!(
                        error,
                        source = error.source(),
                        "a replaced generation could not be dropped; the next rebuild or start tries again"
                    );
                    return;
                }
            }
        }
    }

    async fn drop_one(&self) -> Result<bool, Failure> {
        const TURN: &str = "SELECT pg_catalog.pg_try_advisory_xact_lock($1, $2)";
        const DROPPED: &str = "DELETE FROM @.generations WHERE projection = $1 AND generation = $2";
        let mut session = self.pools().write.session().await?;
        if retired(&mut session).await?.is_none() {
            return Ok(false);
        }
        session.begin().await?;
        session.script(PATIENCE).await?;
        // One node at a time; the others need not wait.
        let (schema, views) = ((session.schema().lock_key() >> 32) as i32, i32::from_be_bytes(*b"view"));
        let turn = session.query(TURN, &[(&schema, Type::INT4), (&views, Type::INT4)]).await?;
        let tables = match turn.first().is_some_and(|row| row.get(0)) {
            true => retired(&mut session).await?,
            false => None,
        };
        let Some(tables) = tables else {
            return session.commit().await.map(|()| false).map_err(Failure::from);
        };
        let names: Vec<&str> = tables.names().map(String::as_str).collect();
        let script = session.schema().qualify(&format!("DROP TABLE IF EXISTS {}", names.join(", ")));
        session.script(&script).await?;
        let key = [(&tables.projection as _, Type::INT8), (&tables.generation as _, Type::INT8)];
        session.execute(DROPPED, &key).await?;
        session.commit().await?;
        Ok(true)
    }
}

/// One retired generation.
async fn retired(session: &mut Session) -> Result<Option<Tables>, Failure> {
    const RETIRED: &str = "SELECT g.projection, g.generation, p.name, g.shape
        FROM @.generations g JOIN @.projections p ON p.id = g.projection WHERE g.retired LIMIT 1";
    let rows = session.query(RETIRED, &[]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let name: String = row.get(2);
    let name = super::cells::restored(&name);
    Ok(Some(Tables::new(row.get(0), row.get(1), &name, Shape::read(row.get(3))?)))
}
