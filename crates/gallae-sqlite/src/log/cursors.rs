//! Cursors of readers that keep no rows.

use super::{SqliteLog, sql};
use gallae_core::Position;
use gallae_ports::{BoxFuture, CursorStore, StoreFault};
use rusqlite::OptionalExtension;

impl CursorStore for SqliteLog {
    fn load_cursor(&self, name: &str) -> BoxFuture<'_, Result<Position, StoreFault>> {
        let name = name.to_owned();
        self.read("reading a cursor", move |reader| {
            let position = reader
                .connection
                .prepare_cached("SELECT position FROM cursors WHERE name = ?1")?
                .query_row([&name], |row| sql::unsigned(row, 0))
                .optional()?;
            Ok(position.map_or(Position::START, Position::new))
        })
    }

    fn save_cursor(
        &self,
        name: &str,
        position: Position,
        epoch: u64,
    ) -> BoxFuture<'_, Result<bool, StoreFault>> {
        let name = name.to_owned();
        self.write("saving a cursor", move |connection| {
            let saved = connection
                .prepare_cached(
                    "INSERT INTO cursors (name, position, epoch) VALUES (?1, ?2, ?3)
                     ON CONFLICT (name) DO UPDATE SET position = ?2, epoch = ?3 WHERE epoch <= ?3",
                )?
                .execute((&name, sql::integer(position.get()), sql::integer(epoch)))?;
            Ok(saved > 0)
        })
    }
}
