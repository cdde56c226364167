//! A connection with what it knows about generations.

use super::{
    shape::{Shape, Tables},
    trouble::Trouble,
};
use gallae_core::Position;
use gallae_ports::{Generation, Slot, SlotState};
use rusqlite::{Connection, OptionalExtension, Row};
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

const LIVE: &str = "SELECT p.id, g.generation, g.revision, g.cursor, p.paused, p.epoch, p.live
     FROM projections p JOIN generations g ON g.projection = p.id AND g.generation = p.live WHERE p.name = ?";
const AT: &str = "SELECT p.id, g.generation, g.revision, g.cursor, p.paused, p.epoch, p.live
     FROM projections p JOIN generations g ON g.projection = p.id WHERE p.name = ? AND g.generation = ? AND NOT g.retired";

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
        self.connection.prepare_cached(begin)?.execute(())?;
        let result = work(self).and_then(|value| {
            self.connection.prepare_cached("COMMIT")?.execute(())?;
            Ok(value)
        });
        if result.is_err() {
            // A full disk has rolled back already.
            if !self.connection.is_autocommit() {
                self.connection.execute_batch("ROLLBACK")?;
            }
            self.tables.clear();
        }
        result
    }

    /// The live generation of a projection.
    pub(super) fn live(&mut self, projection: &str) -> Result<Option<Standing>, Trouble> {
        let row = self.connection.prepare_cached(LIVE)?.query_row([projection], standing).optional()?;
        row.map(|row| self.standing(projection, row)).transpose()
    }

    /// The live generation of a projection that must be there.
    pub(super) fn known(&mut self, projection: &str) -> Result<Standing, Trouble> {
        self.live(projection)?.ok_or_else(|| Trouble::wrong(format!("no projection {projection:?} is known")))
    }

    /// Any generation that is not dropped.
    pub(super) fn find(&mut self, slot: &Slot) -> Result<Option<Standing>, Trouble> {
        let key = (slot.projection.as_str(), slot.generation.0 as i64);
        let row = self.connection.prepare_cached(AT)?.query_row(key, standing).optional()?;
        row.map(|row| self.standing(&slot.projection, row)).transpose()
    }

    /// Any generation, which must be there.
    pub(super) fn at(&mut self, slot: &Slot) -> Result<Standing, Trouble> {
        let gone =
            || Trouble::wrong(format!("generation {} of {} is gone", slot.generation.0, slot.projection));
        self.find(slot)?.ok_or_else(gone)
    }

    fn standing(&mut self, name: &str, row: StandingRow) -> Result<Standing, Trouble> {
        let StandingRow { projection, generation, revision, cursor, paused, epoch, live } = row;
        let tables = self.tables(projection, generation, name)?;
        Ok(Standing { projection, generation, revision, cursor, paused, epoch, live, tables })
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

struct StandingRow {
    projection: i64,
    generation: u64,
    revision: u32,
    cursor: Position,
    paused: bool,
    epoch: u64,
    live: u64,
}

fn standing(row: &Row<'_>) -> rusqlite::Result<StandingRow> {
    Ok(StandingRow {
        projection: row.get(0)?,
        generation: row.get::<_, i64>(1)? as u64,
        revision: row.get(2)?,
        cursor: Position::new(row.get::<_, i64>(3)? as u64),
        paused: row.get(4)?,
        epoch: row.get::<_, i64>(5)? as u64,
        live: row.get::<_, i64>(6)? as u64,
    })
}
