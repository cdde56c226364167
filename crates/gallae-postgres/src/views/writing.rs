//! Writing rows together with the cursor, in one statement.

use super::{
    PostgresViews, failure::Failure, floors::Place, params::Params, standing::Standing, tables::Tables,
};
use gallae_core::Position;
use gallae_ports::{ApplyError, Slot};
use tokio_postgres::Row;

/// How often a statement is repeated that another transaction was in the way of.
const ATTEMPTS: usize = 3;

/// On which condition rows are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Admission {
    /// The generation stands at `from`, and no writer is newer; moves the cursor.
    Batch { from: Position, to: Position, epoch: u64 },
    /// The generation is live and stands here.
    Repair { at: Position },
}

impl Admission {
    fn from(self) -> Position {
        match self {
            Self::Batch { from, .. } => from,
            Self::Repair { at } => at,
        }
    }

    /// The expression `admitted`: one row, with the new number of changes, if the condition holds. The generation's row is
    /// locked until the end, so its writers take turns, whatever rows they write.
    fn sql(self, params: &mut Params<'_>) -> String {
        let (set, condition) = match self {
            Self::Batch { from, to, epoch } => {
                let [from, to] = [from, to].map(|position| params.integer(position.get().cast_signed()));
                let epoch = params.integer(epoch.cast_signed());
                let set = format!("cursor = {to}, epoch = {epoch}, ");
                (set, format!("cursor = {from} AND epoch <= {epoch}"))
            }
            Self::Repair { at } => {
                let at = params.integer(at.get().cast_signed());
                let live = "EXISTS (SELECT FROM @.projections p WHERE p.id = $1 AND p.live = $2)";
                (String::new(), format!("cursor = {at} AND {live}"))
            }
        };
        format!(
            "admitted AS (UPDATE @.generations SET {set}changes = changes + 1
                 WHERE projection = $1 AND generation = $2 AND NOT retired AND {condition} RETURNING changes)"
        )
    }
}

/// What an admitted statement also does: expressions that select from `admitted`, and so do nothing without it.
pub(super) type Changes = Vec<String>;

impl PostgresViews {
    /// Applies a batch to a generation.
    pub(super) async fn apply_to<'b>(
        &self,
        doing: &'static str,
        slot: &Slot,
        admission: Admission,
        changes: impl Fn(&Tables, &mut Params<'b>) -> Result<Changes, Failure>,
    ) -> Result<(), ApplyError> {
        let unavailable = |failure: Failure| ApplyError::Unavailable(failure.while_doing(doing));
        let tables = self.tables_of(slot).await.map_err(unavailable)?.ok_or(ApplyError::Gone)?;
        match self.admit(&tables, admission, &changes).await {
            Ok(Some(row)) => {
                if row.get::<_, i64>(1) == tables.generation {
                    let place = Place { generation: tables.generation, changes: row.get(0) };
                    self.inner.floors.raise(&slot.projection, place);
                }
                Ok(())
            }
            Ok(None) => self.refusal(doing, slot, admission).await,
            Err(failure) if failure.is_missing_table() => self.refusal(doing, slot, admission).await,
            Err(failure) => match self.came_through(slot, admission, &failure).await {
                true => Ok(()),
                false => Err(unavailable(failure)),
            },
        }
    }

    /// Repairs live rows.
    pub(super) async fn repair_live<'b>(
        &self,
        doing: &'static str,
        projection: &str,
        at: Position,
        changes: impl Fn(&Tables, &mut Params<'b>) -> Result<Changes, Failure>,
    ) -> Result<(), ApplyError> {
        let live = self.look(&self.pools().write, projection, None).await;
        let live = live.map_err(|failure| ApplyError::Unavailable(failure.while_doing(doing)))?;
        let slot = live.ok_or(ApplyError::Gone)?.state(projection).slot;
        self.apply_to(doing, &slot, Admission::Repair { at }, changes).await
    }

    /// Runs the statement; says the number of changes and the live generation, or nothing if it was not admitted.
    async fn admit<'b>(
        &self,
        tables: &Tables,
        admission: Admission,
        changes: &impl Fn(&Tables, &mut Params<'b>) -> Result<Changes, Failure>,
    ) -> Result<Option<Row>, Failure> {
        let mut params = Params::default();
        params.integer(tables.projection);
        params.integer(tables.generation);
        let mut expressions = vec![admission.sql(&mut params)];
        expressions.extend(changes(tables, &mut params)?);
        // A shadow is not served: if a crash takes its last commits back, with the cursor, they are folded again. So they
        // need not be on disk, nor on a standby, before the next batch.
        let sql = format!(
            "WITH {}
             SELECT a.changes, p.live,
                 CASE WHEN p.live <> $2 THEN pg_catalog.set_config('synchronous_commit', 'off', true) END
             FROM admitted a, @.projections p WHERE p.id = $1",
            expressions.join(",\n")
        );
        let pool = &self.pools().write;
        let (sql, params) = (pool.schema().qualify(&sql), params.bound());
        let mut attempt = 1;
        loop {
            match pool.session().await?.query_text(&sql, &params).await.map_err(Failure::from) {
                Err(failure) if failure.is_conflict() && attempt < ATTEMPTS => attempt += 1,
                rows => return Ok(rows?.into_iter().next()),
            }
        }
    }

    /// Why a statement was not admitted.
    async fn refusal(
        &self,
        doing: &'static str,
        slot: &Slot,
        admission: Admission,
    ) -> Result<(), ApplyError> {
        let unavailable = |failure: Failure| ApplyError::Unavailable(failure.while_doing(doing));
        let Some(Standing { cursor, epoch, live, tables, .. }) =
            self.stands(slot).await.map_err(unavailable)?
        else {
            self.inner.known.forget(&slot.projection, slot.generation.0.cast_signed());
            return Err(ApplyError::Gone);
        };
        match admission {
            Admission::Batch { epoch: ours, .. } if ours.cast_signed() < epoch => Err(ApplyError::StaleEpoch),
            Admission::Repair { .. } if tables.generation != live => Err(ApplyError::Gone),
            _ => Err(ApplyError::Cursor { expected: admission.from(), actual: cursor }),
        }
    }

    /// Whether a batch whose statement got no answer was applied all the same. If the cursor is where the batch moved it,
    /// under its epoch, it was: an epoch has one writer.
    async fn came_through(&self, slot: &Slot, admission: Admission, failure: &Failure) -> bool {
        let Failure::Trouble(trouble) = failure else { return false };
        let Admission::Batch { from, to, epoch } = admission else { return false };
        if !trouble.leaves_outcome_open() || from == to {
            return false;
        }
        match self.stands(slot).await {
            Ok(Some(standing)) => standing.cursor == to && standing.epoch == epoch.cast_signed(),
            _ => false,
        }
    }

    async fn stands(&self, slot: &Slot) -> Result<Option<Standing>, Failure> {
        self.look(&self.pools().write, &slot.projection, Some(slot.generation.0.cast_signed())).await
    }
}
