//! Where a generation stands.

use super::{PostgresViews, cells, failure::Failure, floors::Place, tables::Tables};
use crate::pool::{Pool, Session};
use gallae_core::Position;
use gallae_ports::{Generation, Shape, Slot, SlotState};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio_postgres::types::Type;

/// Generations whose tables a store remembers; dropped ones fall out when it is full.
const REMEMBERED: usize = 256;

/// A generation that is not retired.
#[derive(Debug)]
pub(super) struct Standing {
    /// The projection's live generation.
    pub(super) live: i64,
    pub(super) paused: bool,
    pub(super) revision: u32,
    pub(super) cursor: Position,
    pub(super) epoch: i64,
    pub(super) changes: i64,
    pub(super) tables: Arc<Tables>,
}

impl Standing {
    pub(super) fn state(&self, projection: &str) -> SlotState {
        let generation = Generation(self.tables.generation.cast_unsigned());
        let slot = Slot { projection: projection.to_owned(), generation };
        SlotState { slot, revision: self.revision, cursor: self.cursor, paused: self.paused }
    }

    pub(super) fn place(&self) -> Place {
        Place { generation: self.tables.generation, changes: self.changes }
    }
}

/// A generation of a projection, or the live one.
pub(super) async fn find(
    session: &mut Session,
    projection: &str,
    generation: Option<i64>,
) -> Result<Option<Standing>, Failure> {
    const FIND: &str = "SELECT p.id, p.live, p.paused, g.generation, g.revision, g.cursor, g.epoch, g.changes, g.shape
        FROM @.projections p JOIN @.generations g ON g.projection = p.id AND g.generation = coalesce($2, p.live)
        WHERE p.name = $1 AND NOT g.retired";
    let name = cells::storable(projection);
    let rows = session.query(FIND, &[(&name, Type::TEXT), (&generation, Type::INT8)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let shape = Shape::read(row.get(8))?;
    Ok(Some(Standing {
        live: row.get(1),
        paused: row.get(2),
        revision: u32::try_from(row.get::<_, i64>(4)).unwrap_or(u32::MAX),
        cursor: position(row.get(5)),
        epoch: row.get(6),
        changes: row.get(7),
        tables: Arc::new(Tables::new(row.get(0), row.get(3), projection, shape)),
    }))
}

/// A position as it is stored.
pub(super) fn position(stored: i64) -> Position {
    Position::new(stored.cast_unsigned())
}

/// Tables of generations, and which generation was last seen live.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    tables: HashMap<(String, i64), Arc<Tables>>,
    live: HashMap<String, i64>,
}

impl Known {
    fn tables(&self, projection: &str, generation: i64) -> Option<Arc<Tables>> {
        self.lock().tables.get(&(projection.to_owned(), generation)).cloned()
    }

    fn live(&self, projection: &str) -> Option<Arc<Tables>> {
        let known = self.lock();
        let generation = *known.live.get(projection)?;
        known.tables.get(&(projection.to_owned(), generation)).cloned()
    }

    fn remember(&self, projection: &str, standing: &Standing) {
        let mut known = self.lock();
        if known.tables.len() >= REMEMBERED {
            *known = Remembered::default();
        }
        let generation = standing.tables.generation;
        known.tables.insert((projection.to_owned(), generation), Arc::clone(&standing.tables));
        if generation == standing.live {
            known.live.insert(projection.to_owned(), generation);
        }
    }

    /// What was remembered of the live generation is no longer so.
    pub(super) fn forget_live(&self, projection: &str) {
        self.lock().live.remove(projection);
    }

    /// A generation is gone.
    pub(super) fn forget(&self, projection: &str, generation: i64) {
        self.lock().tables.remove(&(projection.to_owned(), generation));
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PostgresViews {
    /// The tables of a generation, if the primary has it.
    pub(super) async fn tables_of(&self, slot: &Slot) -> Result<Option<Arc<Tables>>, Failure> {
        let generation = slot.generation.0.cast_signed();
        if let Some(tables) = self.inner.known.tables(&slot.projection, generation) {
            return Ok(Some(tables));
        }
        let standing = self.look(&self.pools().write, &slot.projection, Some(generation)).await?;
        Ok(standing.map(|standing| standing.tables))
    }

    /// The tables of the live generation, as last seen, or as the server of `pool` has them.
    pub(super) async fn live_tables(
        &self,
        pool: &Pool,
        projection: &str,
    ) -> Result<Option<Arc<Tables>>, Failure> {
        if let Some(tables) = self.inner.known.live(projection) {
            return Ok(Some(tables));
        }
        Ok(self.look(pool, projection, None).await?.map(|standing| standing.tables))
    }

    /// Asks the server of `pool`, and remembers what it says.
    pub(super) async fn look(
        &self,
        pool: &Pool,
        projection: &str,
        generation: Option<i64>,
    ) -> Result<Option<Standing>, Failure> {
        let found = match pool.session().await {
            Ok(mut session) => find(&mut session, projection, generation).await,
            Err(trouble) => Err(trouble.into()),
        };
        let standing = match found {
            // The connection had been idle, and its server is another now.
            Err(Failure::Trouble(trouble)) if trouble.breaks_connection() => {
                find(&mut pool.session().await?, projection, generation).await?
            }
            found => found?,
        };
        if let Some(standing) = &standing {
            self.inner.known.remember(projection, standing);
        }
        Ok(standing)
    }
}
