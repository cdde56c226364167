//! Reading rows together with where they stand, in one statement and so in one snapshot.

use super::{PostgresViews, Then, failure::Failure, floors::Place, params::Params, tables::Tables};
use crate::{
    fault::Trouble,
    pool::{Pool, Session},
};
use gallae_ports::Slot;
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_postgres::{Row, types::Type};

/// The place of the live rows of the projection `$1`.
const LIVE: &str = "SELECT g.generation, g.changes FROM @.projections p
    JOIN @.generations g ON g.projection = p.id AND g.generation = p.live WHERE p.id = $1";
/// The place of the generation `$2` of the projection `$1`.
const SLOT: &str = "SELECT g.generation, g.changes FROM @.generations g WHERE g.projection = $1 AND g.generation = $2 AND NOT g.retired";
/// How often a generation may be replaced while a query looks for it.
const ATTEMPTS: usize = 8;
/// Between two looks at a standby that is behind.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// The columns of the place, which stand before those of a [`Select`].
pub(super) const PLACE_COLUMNS: usize = 2;

/// A selection of rows of a generation, its tables given.
pub(super) struct Select {
    /// What is selected once, each followed by a comma.
    pub(super) once: String,
    /// What is selected of `page`, and `page` itself; nothing where there are no rows.
    pub(super) columns: String,
    pub(super) page: String,
    /// The order of the rows of `page`.
    pub(super) order: String,
    pub(super) params: Params<'static>,
    /// Whether to keep the statement prepared. One whose best plan depends on the values is planned each time.
    pub(super) prepare: bool,
}

/// What a selection of live rows found.
pub(super) struct Found {
    pub(super) tables: Arc<Tables>,
    pub(super) rows: Vec<Row>,
    place: Place,
}

/// The parameters of a selection of live rows.
fn live_params(tables: &Tables) -> Params<'static> {
    let mut params = Params::default();
    params.integer(tables.projection);
    params
}

impl PostgresViews {
    /// Rows of a generation, from the primary.
    pub(super) async fn read_slot(
        &self,
        slot: &Slot,
        select: impl FnOnce(&Tables, Params<'static>) -> Result<Select, Failure>,
    ) -> Result<(Arc<Tables>, Vec<Row>), Failure> {
        let gone =
            || Failure::wrong(format!("generation {} of {} is gone", slot.generation.0, slot.projection));
        let tables = self.tables_of(slot).await?.ok_or_else(gone)?;
        let mut params = live_params(&tables);
        params.integer(tables.generation);
        let select = select(&tables, params)?;
        let rows = match run(&self.pools().write, SLOT, &select).await {
            Err(failure) if failure.is_missing_table() => Vec::new(),
            rows => rows?,
        };
        if rows.is_empty() {
            self.inner.known.forget(&slot.projection, tables.generation);
            return Err(gone());
        }
        Ok((tables, rows))
    }

    /// Live rows, from a standby that is not behind, or from the primary.
    pub(super) async fn read_live(
        &self,
        projection: &str,
        select: impl Fn(&Tables, Params<'static>) -> Result<Select, Failure>,
    ) -> Result<Found, Failure> {
        let floor = self.inner.floors.of(projection);
        let standby = &self.pools().read;
        match self.attempt(standby, projection, &select).await {
            Ok(Some(found)) if found.place >= floor => return Ok(found),
            Ok(Some(behind)) => {
                let mut found = behind;
                if self.catches_up(standby, projection, floor).await
                    && let Ok(Some(again)) = self.attempt(standby, projection, &select).await
                {
                    found = again;
                }
                if found.place >= floor || self.inner.behind.then == Then::AnswerBehind {
                    return Ok(found);
                }
                metrics::counter!("gallae_postgres_reads_behind_total").increment(1);
            }
            // The standby may not have heard of it yet.
            Ok(None) => {}
            Err(Failure::Trouble(trouble)) if !matches!(trouble, Trouble::Deadline(_)) => {
                tracing::debug!(projection, %trouble, "a query is sent to the primary");
            }
            Err(failure) => return Err(failure),
        }
        let found = self.attempt(&self.pools().write, projection, &select).await?;
        let found = found.ok_or_else(|| Failure::unknown(projection))?;
        if found.place < floor {
            tracing::warn!(projection, "a failover has lost the newest changes; they are folded again");
            self.inner.floors.lower(projection, floor, found.place);
        }
        Ok(found)
    }

    /// Reads live rows from one server; `None` if it does not know the projection.
    async fn attempt(
        &self,
        pool: &Pool,
        projection: &str,
        select: &impl Fn(&Tables, Params<'static>) -> Result<Select, Failure>,
    ) -> Result<Option<Found>, Failure> {
        for _ in 0..ATTEMPTS {
            let Some(tables) = self.live_tables(pool, projection).await? else { return Ok(None) };
            let select = select(&tables, live_params(&tables))?;
            match run(pool, LIVE, &select).await {
                Ok(rows) => {
                    let place = rows.first().map(place);
                    if let Some(place) = place.filter(|place| place.generation == tables.generation) {
                        return Ok(Some(Found { tables, rows, place }));
                    }
                }
                Err(failure) if failure.is_missing_table() => {}
                Err(failure) => return Err(failure),
            }
            self.inner.known.forget_live(projection);
        }
        Err(Failure::wrong(format!("{projection} is being replaced again and again")))
    }

    /// Waits until a standby has come to `floor`; `false` if it has not in time.
    async fn catches_up(&self, standby: &Pool, projection: &str, floor: Place) -> bool {
        let caught_up = async {
            let mut pause = FIRST_PAUSE;
            loop {
                sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
                match live_place(standby, projection).await {
                    Ok(Some(place)) if place >= floor => return true,
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
        };
        timeout(self.inner.behind.wait, caught_up).await.unwrap_or(false)
    }
}

async fn live_place(pool: &Pool, projection: &str) -> Result<Option<Place>, Trouble> {
    const PLACE: &str = "SELECT g.generation, g.changes FROM @.projections p
        JOIN @.generations g ON g.projection = p.id AND g.generation = p.live WHERE p.name = $1";
    let name = super::cells::storable(projection);
    let rows = pool.session().await?.query(PLACE, &[(&name, Type::TEXT)]).await?;
    Ok(rows.first().map(place))
}

fn place(row: &Row) -> Place {
    Place { generation: row.get(0), changes: row.get(1) }
}

/// Runs a selection, once more on another connection if the first one turns out to be dead.
async fn run(pool: &Pool, place: &str, select: &Select) -> Result<Vec<Row>, Failure> {
    let Select { once, columns, page, order, .. } = select;
    let sql = pool.schema().qualify(&format!(
        "SELECT s.generation, s.changes, {once}{columns} FROM ({place}) s LEFT JOIN LATERAL ({page}) page ON true{order}"
    ));
    let first = async { query(&mut pool.session().await?, &sql, select).await };
    match first.await {
        Err(trouble) if trouble.breaks_connection() && !matches!(trouble, Trouble::Deadline(_)) => {
            Ok(query(&mut pool.session().await?, &sql, select).await?)
        }
        rows => Ok(rows?),
    }
}

async fn query(session: &mut Session, sql: &str, select: &Select) -> Result<Vec<Row>, Trouble> {
    let params = select.params.bound();
    if select.prepare {
        return session.query_text(sql, &params).await;
    }
    session.watched(async |connection| connection.query_typed(sql, &params).await).await
}
