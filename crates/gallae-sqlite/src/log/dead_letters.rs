//! Events that projections could not apply.

use super::{SqliteLog, sql};
use gallae_core::{Position, ViewKey};
use gallae_ports::{BoxFuture, DeadLetter, DeadLetterStore, StoreFault};
use rusqlite::{Connection, Row};

impl DeadLetterStore for SqliteLog {
    fn park(&self, letters: Vec<DeadLetter>) -> BoxFuture<'_, Result<(), StoreFault>> {
        self.write("parking events", move |connection| {
            letters.iter().try_for_each(|letter| park(connection, letter))
        })
    }

    fn parked_keys(&self, projection: &str) -> BoxFuture<'_, Result<Vec<ViewKey>, StoreFault>> {
        let projection = projection.to_owned();
        self.read("reading parked keys", move |reader| {
            reader
                .connection
                .prepare_cached(
                    "SELECT DISTINCT view_key FROM dead_letters WHERE projection = ?1 ORDER BY view_key",
                )?
                .query_map([&projection], |row| Ok(ViewKey::from(row.get_ref(0)?.as_str()?)))?
                .collect()
        })
    }

    fn dead_letters(
        &self,
        projection: Option<&str>,
        key: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreFault>> {
        let projection = projection.map(str::to_owned);
        let key = key.cloned();
        self.read("reading dead letters", move |reader| {
            reader
                .connection
                .prepare_cached(
                    "SELECT projection, view_key, position, event_type, error, attempts, parked_at
                     FROM dead_letters
                     WHERE (?1 IS NULL OR projection = ?1) AND (?2 IS NULL OR view_key = ?2)
                     ORDER BY position, projection LIMIT ?3",
                )?
                .query_map((projection, key.as_ref().map(ViewKey::as_str), sql::limit(limit)), letter)?
                .collect()
        })
    }

    fn discard(
        &self,
        projection: &str,
        key: &ViewKey,
        up_to: Position,
    ) -> BoxFuture<'_, Result<u64, StoreFault>> {
        let (projection, key) = (projection.to_owned(), key.clone());
        self.write("discarding dead letters", move |connection| {
            let discarded = connection
                .prepare_cached(
                    "DELETE FROM dead_letters WHERE projection = ?1 AND view_key = ?2 AND position <= ?3",
                )?
                .execute((&projection, key.as_str(), sql::integer(up_to.get())))?;
            Ok(discarded as u64)
        })
    }
}

fn park(connection: &Connection, letter: &DeadLetter) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO dead_letters (projection, position, view_key, event_type, error, attempts, parked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (projection, position) DO UPDATE SET error = ?5, attempts = ?6",
        )?
        .execute((
            &letter.projection,
            sql::integer(letter.position.get()),
            letter.key.as_str(),
            &letter.event_type,
            &letter.error,
            letter.attempts,
            letter.parked_at.as_micros(),
        ))
        .map(drop)
}

fn letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        projection: row.get(0)?,
        key: ViewKey::from(row.get_ref(1)?.as_str()?),
        position: Position::new(sql::unsigned(row, 2)?),
        event_type: row.get(3)?,
        error: row.get(4)?,
        attempts: sql::small(row, 5)?,
        parked_at: sql::time(row, 6)?,
    })
}
