//! Projections and their generations.

use super::{
    SqliteViews,
    session::{Session, Standing},
    shape::Tables,
    trouble::Trouble,
};
use gallae_core::Position;
use gallae_ports::{
    ApplyError, BoxFuture, Generation, ProjectionSpec, ProjectionStore, Shape, Slot, SlotState, StoreFault,
};
use rusqlite::OptionalExtension;

/// Rows of a retired generation that are deleted at once: some milliseconds of work.
const SLICE: usize = 2_000;

impl ProjectionStore for SqliteViews {
    fn open(&self, spec: &ProjectionSpec, replace: bool) -> BoxFuture<'_, Result<SlotState, StoreFault>> {
        let spec = spec.clone();
        Box::pin(self.on_writer("opening a projection", move |session| open(session, &spec, replace)))
    }

    fn state(&self, projection: &str) -> BoxFuture<'_, Result<Option<SlotState>, StoreFault>> {
        let projection = projection.to_owned();
        Box::pin(self.on_reader("reading the state of a projection", move |session| {
            Ok(session.live(&projection)?.map(|standing| standing.state(&projection)))
        }))
    }

    fn create_shadow(&self, spec: &ProjectionSpec) -> BoxFuture<'_, Result<Slot, StoreFault>> {
        let spec = spec.clone();
        Box::pin(self.on_writer("creating a shadow of a projection", move |session| {
            let projection = session.known(spec.name)?.projection;
            retire_shadows(session, projection)?;
            create(session, projection, &spec)
        }))
    }

    fn cursor(&self, slot: &Slot) -> BoxFuture<'_, Result<Position, StoreFault>> {
        let slot = slot.clone();
        Box::pin(
            self.on_reader("reading the cursor of a projection", move |session| {
                Ok(session.at(&slot)?.cursor)
            }),
        )
    }

    fn switch(&self, shadow: &Slot) -> BoxFuture<'_, Result<(), ApplyError>> {
        let shadow = shadow.clone();
        Box::pin(async move {
            let index = |shadow: Slot| {
                self.on_writer("indexing a shadow", move |session| create_missing_index(session, &shadow))
            };
            while index(shadow.clone()).await.map_err(ApplyError::Unavailable)? {}
            let switched = self.on_writer("switching a projection", move |session| switch(session, &shadow));
            switched.await.map_err(ApplyError::Unavailable)?
        })
    }

    fn drop_shadow(&self, shadow: &Slot) -> BoxFuture<'_, Result<(), StoreFault>> {
        let shadow = shadow.clone();
        Box::pin(self.on_writer("dropping a shadow of a projection", move |session| {
            match session.find(&shadow)? {
                Some(standing) if standing.generation != standing.live => {
                    retire(session, standing.projection, standing.generation)
                }
                _ => Ok(()),
            }
        }))
    }

    fn set_paused(&self, projection: &str, paused: bool) -> BoxFuture<'_, Result<(), StoreFault>> {
        let projection = projection.to_owned();
        Box::pin(self.on_writer("holding or releasing a projection", move |session| {
            let id = session.known(&projection)?.projection;
            let sql = "UPDATE projections SET paused = ? WHERE id = ?";
            session.connection.execute(sql, (paused, id))?;
            Ok(())
        }))
    }
}

fn open(session: &mut Session, spec: &ProjectionSpec, replace: bool) -> Result<SlotState, Trouble> {
    let Some(standing) = session.live(spec.name)? else {
        session
            .connection
            .execute("INSERT INTO projections (name, live, newest) VALUES (?, 0, 0)", [spec.name])?;
        let projection = session.connection.last_insert_rowid();
        let slot = create(session, projection, spec)?;
        create_indexes(session, &slot)?;
        make_live(session, projection, slot.generation)?;
        return Ok(session.known(spec.name)?.state(spec.name));
    };
    if standing.revision != spec.revision && replace {
        retire_shadows(session, standing.projection)?;
        let slot = create(session, standing.projection, spec)?;
        create_indexes(session, &slot)?;
        make_live(session, standing.projection, slot.generation)?;
        retire(session, standing.projection, standing.generation)?;
        return Ok(session.known(spec.name)?.state(spec.name));
    }
    if standing.revision == spec.revision && standing.tables.shape != Shape::of(spec)? {
        return Err(Trouble::wrong(format!(
            "the fields or texts of {} have changed, and its revision is still {}: raise the revision",
            spec.name, spec.revision
        )));
    }
    Ok(standing.state(spec.name))
}

/// Creates one index that a shadow lacks; says whether there was one. A shadow is filled without: an index is made several
/// times faster of all rows at once than row by row. One at a time, so that other projections get their turn in between.
fn create_missing_index(session: &mut Session, shadow: &Slot) -> Result<bool, Trouble> {
    let Some(new) = session.find(shadow)? else { return Ok(false) };
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = ?";
    let mut exists = session.connection.prepare_cached(sql)?;
    for (name, create) in new.tables.indexes() {
        if exists.query_row([&name], |row| row.get::<_, i64>(0))? == 0 {
            session.connection.execute_batch(&create)?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn create_indexes(session: &mut Session, slot: &Slot) -> Result<(), Trouble> {
    while create_missing_index(session, slot)? {}
    Ok(())
}

fn switch(session: &mut Session, shadow: &Slot) -> Result<Result<(), ApplyError>, Trouble> {
    let Some(new) = session.find(shadow)? else { return Ok(Err(ApplyError::Gone)) };
    let old = session.known(&shadow.projection)?;
    if new.generation == old.generation {
        return Ok(Ok(()));
    }
    if old.cursor > new.cursor {
        return Ok(Err(ApplyError::Cursor { expected: new.cursor, actual: old.cursor }));
    }
    make_live(session, new.projection, shadow.generation)?;
    retire(session, old.projection, old.generation)?;
    Ok(Ok(()))
}

/// Whether a batch may be applied to a generation; if so, the cursor is moved.
pub(super) fn admit(
    session: &mut Session,
    slot: &Slot,
    (from, to): (Position, Position),
    epoch: u64,
) -> Result<Result<Standing, ApplyError>, Trouble> {
    let Some(standing) = session.find(slot)? else { return Ok(Err(ApplyError::Gone)) };
    if epoch < standing.epoch {
        return Ok(Err(ApplyError::StaleEpoch));
    }
    if standing.cursor != from {
        return Ok(Err(ApplyError::Cursor { expected: from, actual: standing.cursor }));
    }
    if epoch > standing.epoch {
        let sql = "UPDATE projections SET epoch = ? WHERE id = ?";
        session.connection.prepare_cached(sql)?.execute((epoch as i64, standing.projection))?;
    }
    let sql = "UPDATE generations SET cursor = ? WHERE projection = ? AND generation = ?";
    let key = (to.get() as i64, standing.projection, standing.generation as i64);
    session.connection.prepare_cached(sql)?.execute(key)?;
    Ok(Ok(standing))
}

/// The live generation, if its cursor still is `at`.
pub(super) fn still_at(
    session: &mut Session,
    projection: &str,
    at: Position,
) -> Result<Result<Standing, ApplyError>, Trouble> {
    let Some(standing) = session.live(projection)? else { return Ok(Err(ApplyError::Gone)) };
    if standing.cursor != at {
        return Ok(Err(ApplyError::Cursor { expected: at, actual: standing.cursor }));
    }
    Ok(Ok(standing))
}

fn create(session: &mut Session, projection: i64, spec: &ProjectionSpec) -> Result<Slot, Trouble> {
    let shape = Shape::of(spec)?;
    let generation: i64 = session.connection.query_row(
        "UPDATE projections SET newest = newest + 1 WHERE id = ? RETURNING newest",
        [projection],
        |row| row.get(0),
    )?;
    session.connection.execute(
        "INSERT INTO generations (projection, generation, revision, shape) VALUES (?, ?, ?, ?)",
        (projection, generation, spec.revision, shape.to_json()),
    )?;
    let generation = generation as u64;
    Tables::new(projection, generation, spec.name, shape).create(&session.connection)?;
    Ok(Slot { projection: spec.name.to_owned(), generation: Generation(generation) })
}

fn make_live(session: &Session, projection: i64, generation: Generation) -> Result<(), Trouble> {
    let sql = "UPDATE projections SET live = ? WHERE id = ?";
    session.connection.execute(sql, (generation.0 as i64, projection))?;
    Ok(())
}

fn retire(session: &mut Session, projection: i64, generation: u64) -> Result<(), Trouble> {
    session.has_retired = true;
    let sql = "UPDATE generations SET retired = 1 WHERE projection = ? AND generation = ?";
    session.connection.execute(sql, (projection, generation as i64))?;
    Ok(())
}

fn retire_shadows(session: &mut Session, projection: i64) -> Result<(), Trouble> {
    session.has_retired = true;
    session.connection.execute(
        "UPDATE generations SET retired = 1 WHERE projection = ?1
         AND generation <> (SELECT live FROM projections WHERE id = ?1)",
        [projection],
    )?;
    Ok(())
}

/// Drops a bounded part of a retired generation, if there is one. Dropping a large table at once would hold up every
/// projection for seconds.
pub(super) fn drop_slice(session: &mut Session) -> Result<(), Trouble> {
    let retired = "SELECT g.projection, g.generation, p.name, g.shape
         FROM generations g JOIN projections p ON p.id = g.projection WHERE g.retired LIMIT 1";
    let row = session.connection.prepare_cached(retired)?.query_row((), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?, row.get::<_, String>(3)?))
    });
    let Some((projection, generation, name, shape)) = row.optional()? else {
        session.has_retired = false;
        return Ok(());
    };
    let tables = Tables::new(projection, generation as u64, &name, Shape::read(&shape)?);
    let connection = &session.connection;

    let index = "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? LIMIT 1";
    let index = connection.query_row(index, [&tables.documents], |row| row.get::<_, String>(0)).optional()?;
    if let Some(index) = index {
        connection.execute_batch(&format!("DROP INDEX {index}"))?;
        return Ok(());
    }
    let documents = &tables.documents;
    let slice = format!("DELETE FROM {documents} WHERE id IN (SELECT id FROM {documents} LIMIT {SLICE})");
    if connection.execute(&slice, ())? == SLICE {
        return Ok(());
    }
    for table in [Some(documents), tables.words.as_ref(), tables.counters.as_ref()].into_iter().flatten() {
        connection.execute_batch(&format!("DROP TABLE {table}"))?;
    }
    let sql = "DELETE FROM generations WHERE projection = ? AND generation = ?";
    connection.execute(sql, (projection, generation))?;
    Ok(())
}
