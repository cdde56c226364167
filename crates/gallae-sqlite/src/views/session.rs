//! A connection with what it knows about generations.

use super::{shape::Tables, trouble::Trouble};
use gallae_core::Position;
use gallae_ports::{Generation, Shape, Slot, SlotState};
use rusqlite::{Connection, OptionalExtension};
use std::{collections::HashMap, sync::Arc};

/// Generations whose tables a session remembers; dropped ones fall out when it is full.
const REMEMBERED: usize = 64;

/// One connection, used by one thread.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: Connection,
    tables: HashMap<(i64, u64), Arc<Tables>>,
    /// Whether there may be retired generations to drop.
    pub(super) has_retired: bool,
}

/// A generation that is not retired, as it stands in the current transaction.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) projection: i64,
    pub(super) generation: u64,
    pub(super) revision: u32,
    pub(super) cursor: Position,
    pub(super) paused: bool,
    pub(super) epoch: u64,
    pub(super) live: u64,
    pub(super) tables: Arc<Tables>,
}

impl Standing {
    pub(super) fn state(&self, projection: &str) -> SlotState {
        let slot = Slot { projection: projection.to_owned(), generation: Generation(self.generation) };
        SlotState { slot, revision: self.revision, cursor: self.cursor, paused: self.paused }
    }
}

// Two statements and not one that joins: SQLite plans a join with a look at the values bound, and then prepares it anew
// for each use, because the cache of statements clears them in between. That takes longer than the whole read.
pub(super) const PROJECTION: &str = "SELECT id, live, paused, epoch FROM projections WHERE name = ?";
pub(super) const GENERATION: &str =
    "SELECT revision, cursor FROM generations WHERE projection = ? AND generation = ? AND NOT retired";

impl Session {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, tables: HashMap::new(), has_retired: true }
    }

    /// Runs `work` between `begin` and a commit; rolls back when either fails.
    pub(super) fn transact<T>(
        &mut self,
        begin: &'static str,
        work: impl FnOnce(&mut Self) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        self.roll_back()?;
        self.connection.prepare_cached(begin)?.execute(())?;
        let result = work(self).and_then(|value| {
            self.connection.prepare_cached("COMMIT")?.execute(())?;
            Ok(value)
        });
        if result.is_err() {
            self.tables.clear();
            // What failed says more than a roll-back that fails too; the next transaction tries it again.
            let _ = self.roll_back();
        }
        result
    }

    /// Ends a transaction that is still open: a full disk has often ended it already.
    fn roll_back(&self) -> rusqlite::Result<()> {
        if self.connection.is_autocommit() { Ok(()) } else { self.connection.execute_batch("ROLLBACK") }
    }

    /// The live generation of a projection.
    pub(super) fn live(&mut self, projection: &str) -> Result<Option<Standing>, Trouble> {
        self.standing(projection, None)
    }

    /// The live generation of a projection that must be there.
    pub(super) fn known(&mut self, projection: &str) -> Result<Standing, Trouble> {
        self.live(projection)?.ok_or_else(|| Trouble::wrong(format!("no projection {projection:?} is known")))
    }

    /// Any generation that is not retired.
    pub(super) fn find(&mut self, slot: &Slot) -> Result<Option<Standing>, Trouble> {
        self.standing(&slot.projection, Some(slot.generation.0))
    }

    /// Any generation, which must be there.
    pub(super) fn at(&mut self, slot: &Slot) -> Result<Standing, Trouble> {
        let gone =
            || Trouble::wrong(format!("generation {} of {} is gone", slot.generation.0, slot.projection));
        self.find(slot)?.ok_or_else(gone)
    }

    /// How a generation of a projection stands, or the live one.
    fn standing(&mut self, name: &str, generation: Option<u64>) -> Result<Option<Standing>, Trouble> {
        let row = self.connection.prepare_cached(PROJECTION)?.query_row([name], |row| {
            let live: i64 = row.get(1)?;
            Ok((row.get::<_, i64>(0)?, live as u64, row.get::<_, bool>(2)?, row.get::<_, i64>(3)? as u64))
        });
        let Some((projection, live, paused, epoch)) = row.optional()? else { return Ok(None) };
        let generation = generation.unwrap_or(live);
        let key = (projection, generation as i64);
        let row = self.connection.prepare_cached(GENERATION)?.query_row(key, |row| {
            let cursor: i64 = row.get(1)?;
            Ok((row.get(0)?, Position::new(cursor as u64)))
        });
        let Some((revision, cursor)) = row.optional()? else { return Ok(None) };
        let tables = self.tables(projection, generation, name)?;
        Ok(Some(Standing { projection, generation, revision, cursor, paused, epoch, live, tables }))
    }

    fn tables(&mut self, projection: i64, generation: u64, name: &str) -> Result<Arc<Tables>, Trouble> {
        if let Some(tables) = self.tables.get(&(projection, generation)) {
            return Ok(Arc::clone(tables));
        }
        let shape: String = self.connection.query_row(
            "SELECT shape FROM generations WHERE projection = ? AND generation = ?",
            (projection, generation as i64),
            |row| row.get(0),
        )?;
        let tables = Arc::new(Tables::new(projection, generation, name, Shape::read(&shape)?));
        if self.tables.len() == REMEMBERED {
            self.tables.clear();
        }
        self.tables.insert((projection, generation), Arc::clone(&tables));
        Ok(tables)
    }
}
