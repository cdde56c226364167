//! Cursors of readers that keep no rows.

use super::{PostgresLog, event_store::number, statement::integer};
use crate::pool::Param;
use gallae_core::Position;
use gallae_ports::{BoxFuture, CursorStore, StoreFault};
use tokio_postgres::types::Type;

const LOAD: &str = "SELECT position FROM @.cursors WHERE name = $1";

const SAVE: &str = "INSERT INTO @.cursors AS c (name, position, epoch) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET position = $2, epoch = $3 WHERE c.epoch <= $3";

impl CursorStore for PostgresLog {
    fn load_cursor(&self, name: &str) -> BoxFuture<'_, Result<Position, StoreFault>> {
        let name = name.to_owned();
        Box::pin(async move {
            const DOING: &str = "reading a cursor";
            let rows = self.write_pool().read(DOING, LOAD, &[(&name, Type::TEXT)]).await?;
            let position = rows.first().map(|row| number(row, 0)).transpose();
            let position = position.map_err(|trouble| trouble.into_fault(DOING))?;
            Ok(position.map_or(Position::START, Position::new))
        })
    }

    fn save_cursor(
        &self,
        name: &str,
        position: Position,
        epoch: u64,
    ) -> BoxFuture<'_, Result<bool, StoreFault>> {
        let (name, position, epoch) = (name.to_owned(), integer(position.get()), integer(epoch));
        Box::pin(async move {
            let params: [Param<'_>; 3] = [(&name, Type::TEXT), (&position, Type::INT8), (&epoch, Type::INT8)];
            Ok(self.write_pool().execute("saving a cursor", SAVE, &params).await? > 0)
        })
    }
}
