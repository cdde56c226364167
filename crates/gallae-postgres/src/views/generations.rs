//! Projections and their generations.
//!
//! Whoever makes, switches or retires generations locks the projection's row first and generations' rows then. A writer of
//! rows locks its generation's row alone. Tables are dropped in transactions of their own (see [`super::retired`]).

use super::{
    PostgresViews, cells,
    failure::Failure,
    floors::Place,
    standing::{Standing, find, position},
    tables::Tables,
};
use crate::pool::Session;
use futures::FutureExt;
use gallae_core::Position;
use gallae_ports::{
    ApplyError, BoxFuture, Generation, ProjectionSpec, ProjectionStore, Shape, Slot, SlotState, StoreFault,
};
use tokio_postgres::types::Type;

impl ProjectionStore for PostgresViews {
    fn open(&self, spec: &ProjectionSpec, replace: bool) -> BoxFuture<'_, Result<SlotState, StoreFault>> {
        let spec = spec.clone();
        async move { Self::fault("opening a projection", self.open_projection(&spec, replace).await) }.boxed()
    }

    fn state(&self, projection: &str) -> BoxFuture<'_, Result<Option<SlotState>, StoreFault>> {
        let projection = projection.to_owned();
        async move {
            let found = self.look(&self.pools().write, &projection, None).await;
            let found = Self::fault("reading the state of a projection", found)?;
            if let Some(standing) = &found {
                // Whoever hears of this cursor expects to read what it stands for.
                self.inner.floors.raise(&projection, standing.place());
            }
            Ok(found.map(|standing| standing.state(&projection)))
        }
        .boxed()
    }

    fn create_shadow(&self, spec: &ProjectionSpec) -> BoxFuture<'_, Result<Slot, StoreFault>> {
        let spec = spec.clone();
        async move {
            let created = Self::fault("creating a shadow of a projection", self.new_shadow(&spec).await);
            self.drop_retired().await;
            created
        }
        .boxed()
    }

    fn cursor(&self, slot: &Slot) -> BoxFuture<'_, Result<Position, StoreFault>> {
        let slot = slot.clone();
        async move {
            let generation = slot.generation.0.cast_signed();
            let found = self.look(&self.pools().write, &slot.projection, Some(generation)).await;
            let found = found.and_then(|standing| {
                let gone =
                    || Failure::wrong(format!("generation {generation} of {} is gone", slot.projection));
                standing.ok_or_else(gone)
            });
            Self::fault("reading the cursor of a projection", found).map(|standing| standing.cursor)
        }
        .boxed()
    }

    fn switch(&self, shadow: &Slot) -> BoxFuture<'_, Result<(), ApplyError>> {
        let shadow = shadow.clone();
        async move {
            let switched = self.switch_to(&shadow).await.map_err(|failure| {
                ApplyError::Unavailable(failure.while_doing("switching to a rebuilt projection"))
            })?;
            self.drop_retired().await;
            switched
        }
        .boxed()
    }

    fn drop_shadow(&self, shadow: &Slot) -> BoxFuture<'_, Result<(), StoreFault>> {
        let shadow = shadow.clone();
        async move {
            const RETIRE: &str = "UPDATE @.generations g SET retired = true FROM @.projections p
                WHERE p.name = $1 AND g.projection = p.id AND g.generation = $2 AND g.generation <> p.live";
            let name = cells::storable(&shadow.projection);
            let generation = shadow.generation.0.cast_signed();
            let params = [(&name as _, Type::TEXT), (&generation as _, Type::INT8)];
            self.pools().write.execute("dropping a shadow of a projection", RETIRE, &params).await?;
            self.drop_retired().await;
            Ok(())
        }
        .boxed()
    }

    fn set_paused(&self, projection: &str, paused: bool) -> BoxFuture<'_, Result<(), StoreFault>> {
        let projection = projection.to_owned();
        async move {
            const DOING: &str = "holding or releasing a projection";
            const SET: &str = "UPDATE @.projections SET paused = $2 WHERE name = $1";
            let name = cells::storable(&projection);
            let params = [(&name as _, Type::TEXT), (&paused as _, Type::BOOL)];
            match self.pools().write.execute(DOING, SET, &params).await? {
                0 => Err(Failure::unknown(&projection).while_doing(DOING)),
                _ => Ok(()),
            }
        }
        .boxed()
    }
}

impl PostgresViews {
    async fn open_projection(&self, spec: &ProjectionSpec, replace: bool) -> Result<SlotState, Failure> {
        let shape = Tables::shape_of(spec)?;
        let stays = |found: &Standing| found.revision == spec.revision || !replace;
        let found = self.look(&self.pools().write, spec.name, None).await?;
        if !found.as_ref().is_some_and(stays) {
            self.make_live(spec, &shape, stays).await?;
        }
        self.drop_retired().await;
        let standing = self.look(&self.pools().write, spec.name, None).await?;
        let standing = standing.ok_or_else(|| Failure::unknown(spec.name))?;
        if standing.revision == spec.revision && standing.tables.shape != shape {
            return Err(Failure::wrong(format!(
                "the fields or texts of {} have changed, and its revision is still {}: raise the revision",
                spec.name, spec.revision
            )));
        }
        self.inner.floors.raise(spec.name, standing.place());
        Ok(standing.state(spec.name))
    }

    /// Makes a new, empty generation live, unless another node was faster.
    async fn make_live(
        &self,
        spec: &ProjectionSpec,
        shape: &Shape,
        stays: impl Fn(&Standing) -> bool,
    ) -> Result<(), Failure> {
        const KNOW: &str =
            "INSERT INTO @.projections (name, live, newest) VALUES ($1, 0, 0) ON CONFLICT (name) DO NOTHING";
        let mut session = self.pools().write.session().await?;
        session.begin().await?;
        session.execute(KNOW, &[(&cells::storable(spec.name), Type::TEXT)]).await?;
        let projection = lock(&mut session, spec.name).await?.ok_or_else(|| Failure::unknown(spec.name))?.id;
        if !find(&mut session, spec.name, None).await?.as_ref().is_some_and(stays) {
            let tables = create(&mut session, projection, spec, shape).await?;
            for index in tables.indexes() {
                let index = self.pools().write.schema().qualify(&index);
                session.script(&index).await?;
            }
            set_live(&mut session, &tables).await?;
        }
        Ok(session.commit().await?)
    }

    async fn new_shadow(&self, spec: &ProjectionSpec) -> Result<Slot, Failure> {
        const RETIRE: &str = "UPDATE @.generations SET retired = true
            WHERE projection = $1 AND generation <> $2 AND NOT retired";
        let shape = Tables::shape_of(spec)?;
        let mut session = self.pools().write.session().await?;
        session.begin().await?;
        let Projection { id, live } =
            lock(&mut session, spec.name).await?.ok_or_else(|| Failure::unknown(spec.name))?;
        session.execute(RETIRE, &[(&id, Type::INT8), (&live, Type::INT8)]).await?;
        let tables = create(&mut session, id, spec, &shape).await?;
        session.commit().await?;
        Ok(Slot {
            projection: spec.name.to_owned(),
            generation: Generation(tables.generation.cast_unsigned()),
        })
    }

    async fn switch_to(&self, shadow: &Slot) -> Result<Result<(), ApplyError>, Failure> {
        const STANDS: &str = "SELECT generation, cursor, changes FROM @.generations
            WHERE projection = $1 AND generation = ANY ($2) AND NOT retired ORDER BY generation FOR UPDATE";
        let generation = shadow.generation.0.cast_signed();
        let found = self.look(&self.pools().write, &shadow.projection, Some(generation)).await?;
        let Some(Standing { tables, live, .. }) = found else { return Ok(Err(ApplyError::Gone)) };
        if live == generation {
            return Ok(Ok(()));
        }
        self.complete(&tables).await?;

        let mut session = self.pools().write.session().await?;
        session.begin().await?;
        let locked = lock(&mut session, &shadow.projection).await?;
        let Projection { id, live } = locked.ok_or_else(|| Failure::unknown(&shadow.projection))?;
        let both = vec![live, generation];
        let rows = session.query(STANDS, &[(&id, Type::INT8), (&both, Type::INT8_ARRAY)]).await?;
        let stands = |wanted: i64| {
            let row = rows.iter().find(|row| row.get::<_, i64>(0) == wanted)?;
            Some((position(row.get(1)), row.get::<_, i64>(2)))
        };
        let Some((cursor, changes)) = stands(generation) else { return Ok(Err(ApplyError::Gone)) };
        if live == generation {
            return Ok(Ok(()));
        }
        if let Some((ahead, _)) = stands(live).filter(|(ahead, _)| *ahead > cursor) {
            return Ok(Err(ApplyError::Cursor { expected: cursor, actual: ahead }));
        }
        set_live(&mut session, &tables).await?;
        session.commit().await?;
        self.inner.floors.raise(&shadow.projection, Place { generation, changes });
        Ok(Ok(()))
    }
}

/// A projection whose row this transaction has locked.
struct Projection {
    id: i64,
    live: i64,
}

async fn lock(session: &mut Session, projection: &str) -> Result<Option<Projection>, Failure> {
    const LOCK: &str = "SELECT id, live FROM @.projections WHERE name = $1 FOR UPDATE";
    let rows = session.query(LOCK, &[(&cells::storable(projection), Type::TEXT)]).await?;
    Ok(rows.first().map(|row| Projection { id: row.get(0), live: row.get(1) }))
}

/// Creates a generation of a locked projection: its row and its tables. It begins with the newest epoch that any other has
/// seen.
async fn create(
    session: &mut Session,
    projection: i64,
    spec: &ProjectionSpec,
    shape: &Shape,
) -> Result<Tables, Failure> {
    const NUMBER: &str = "UPDATE @.projections SET newest = newest + 1 WHERE id = $1 RETURNING newest";
    const ADD: &str = "INSERT INTO @.generations (projection, generation, revision, shape, epoch)
        SELECT $1, $2, $3, $4, coalesce(max(epoch), 0) FROM @.generations WHERE projection = $1";
    let rows = session.query(NUMBER, &[(&projection, Type::INT8)]).await?;
    let generation: i64 = rows.first().ok_or_else(|| Failure::unknown(spec.name))?.get(0);
    let revision = i64::from(spec.revision);
    let params = [
        (&projection as _, Type::INT8),
        (&generation as _, Type::INT8),
        (&revision as _, Type::INT8),
        (&shape.to_json() as _, Type::TEXT),
    ];
    session.execute(ADD, &params).await?;
    let tables = Tables::new(projection, generation, spec.name, shape.clone());
    let script = session.schema().qualify(&tables.create());
    session.script(&script).await?;
    Ok(tables)
}

/// Makes a generation of a locked projection the live one, and retires the others.
async fn set_live(session: &mut Session, tables: &Tables) -> Result<(), Failure> {
    const LIVE: &str = "UPDATE @.projections SET live = $2 WHERE id = $1";
    const RETIRE: &str = "UPDATE @.generations SET retired = true
        WHERE projection = $1 AND generation <> $2 AND NOT retired";
    for statement in [LIVE, RETIRE] {
        let params = [(&tables.projection as _, Type::INT8), (&tables.generation as _, Type::INT8)];
        session.execute(statement, &params).await?;
    }
    Ok(())
}
