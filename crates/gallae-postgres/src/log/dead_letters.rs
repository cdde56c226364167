//! Events that projections could not apply.

use super::{
    PostgresLog,
    event_store::{number, rows_at_most},
    statement::integer,
};
use crate::{fault::Trouble, pool::Param};
use gallae_core::{Position, Timestamp, ViewKey};
use gallae_ports::{BoxFuture, DeadLetter, DeadLetterStore, StoreFault};
use std::collections::BTreeMap;
use tokio_postgres::{Row, types::Type};

const PARK: &str = "INSERT INTO @.dead_letters
        (projection, position, view_key, event_type, error, attempts, parked_at)
    SELECT d.* FROM unnest($1, $2, $3, $4, $5, $6, $7) d
    ON CONFLICT (projection, position) DO UPDATE SET error = excluded.error, attempts = excluded.attempts";

const KEYS: &str = "SELECT DISTINCT view_key FROM @.dead_letters WHERE projection = $1 ORDER BY view_key";

const LETTERS: &str = "SELECT projection, view_key, position, event_type, error, attempts, parked_at
    FROM @.dead_letters
    WHERE ($1::text IS NULL OR projection = $1) AND ($2::text IS NULL OR view_key = $2)
    ORDER BY position, projection LIMIT $3";

const DISCARD: &str = "DELETE FROM @.dead_letters WHERE projection = $1 AND view_key = $2 AND position <= $3";

impl DeadLetterStore for PostgresLog {
    fn park(&self, letters: Vec<DeadLetter>) -> BoxFuture<'_, Result<(), StoreFault>> {
        Box::pin(async move {
            // One statement touches a row once: of letters for the same event the last one counts, as if they came one by one.
            let mut rows: BTreeMap<(&str, Position), DeadLetter> = BTreeMap::new();
            for letter in &letters {
                let row = rows.entry((&letter.projection, letter.position)).or_insert_with(|| letter.clone());
                (row.error, row.attempts) = (letter.error.replace('\0', "\u{fffd}"), letter.attempts);
            }
            let rows: Vec<&DeadLetter> = rows.values().collect();
            let column = |text: fn(&DeadLetter) -> &str| rows.iter().map(|row| text(row)).collect::<Vec<_>>();
            let numbers =
                |value: fn(&DeadLetter) -> i64| rows.iter().map(|row| value(row)).collect::<Vec<_>>();
            let params: [Param<'_>; 7] = [
                (&column(|row| &row.projection), Type::TEXT_ARRAY),
                (&numbers(|row| integer(row.position.get())), Type::INT8_ARRAY),
                (&column(|row| row.key.as_str()), Type::TEXT_ARRAY),
                (&column(|row| &row.event_type), Type::TEXT_ARRAY),
                (&column(|row| &row.error), Type::TEXT_ARRAY),
                (&numbers(|row| i64::from(row.attempts)), Type::INT8_ARRAY),
                (&numbers(|row| row.parked_at.as_micros()), Type::INT8_ARRAY),
            ];
            self.write_pool().execute("parking events", PARK, &params).await.map(drop)
        })
    }

    fn parked_keys(&self, projection: &str) -> BoxFuture<'_, Result<Vec<ViewKey>, StoreFault>> {
        let projection = projection.to_owned();
        Box::pin(async move {
            const DOING: &str = "reading parked keys";
            let rows = self.write_pool().read(DOING, KEYS, &[(&projection, Type::TEXT)]).await?;
            let keys = rows.iter().map(|row| row.try_get::<_, &str>(0).map(ViewKey::from));
            keys.collect::<Result<_, _>>().map_err(|error| Trouble::Driver(error).into_fault(DOING))
        })
    }

    fn dead_letters(
        &self,
        projection: Option<&str>,
        key: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreFault>> {
        let (projection, key) = (projection.map(str::to_owned), key.cloned());
        Box::pin(async move {
            const DOING: &str = "reading dead letters";
            let (key, limit) = (key.as_ref().map(ViewKey::as_str), rows_at_most(limit));
            let params: [Param<'_>; 3] =
                [(&projection, Type::TEXT), (&key, Type::TEXT), (&limit, Type::INT8)];
            let rows = self.write_pool().read(DOING, LETTERS, &params).await?;
            rows.iter().map(letter).collect::<Result<_, _>>().map_err(|trouble| trouble.into_fault(DOING))
        })
    }

    fn discard(
        &self,
        projection: &str,
        key: &ViewKey,
        up_to: Position,
    ) -> BoxFuture<'_, Result<u64, StoreFault>> {
        let (projection, key, position) = (projection.to_owned(), key.clone(), integer(up_to.get()));
        Box::pin(async move {
            let params: [Param<'_>; 3] =
                [(&projection, Type::TEXT), (&key.as_str(), Type::TEXT), (&position, Type::INT8)];
            self.write_pool().execute("discarding dead letters", DISCARD, &params).await
        })
    }
}

fn letter(row: &Row) -> Result<DeadLetter, Trouble> {
    let attempts: i64 = row.try_get(5)?;
    Ok(DeadLetter {
        projection: row.try_get(0)?,
        key: ViewKey::from(row.try_get::<_, &str>(1)?),
        position: Position::new(number(row, 2)?),
        event_type: row.try_get(3)?,
        error: row.try_get(4)?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        parked_at: Timestamp::from_micros(row.try_get(6)?),
    })
}
