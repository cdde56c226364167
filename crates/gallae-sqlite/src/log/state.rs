//! What the writer knows without asking the disk: heads, and the numbers that names are stored under.

use super::{
    cache::Cache,
    sql::{self, CorrelationKey},
};
use gallae_core::{Position, RecordedEvent, StreamId};
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use std::{collections::HashMap, sync::Arc};

/// Heads remembered, or twice as many: at about 120 bytes each, some 4 MB at most.
const HEADS: usize = 16_384;

/// The number and the last version of a stream.
pub(super) const FIND_STREAM: &str =
    "SELECT id, coalesce((SELECT max(version) FROM events WHERE stream = streams.id), 0)
     FROM streams WHERE name = ?1";

/// The writer's view of the log, as of its uncommitted transaction. After a transaction that failed it is read afresh.
#[derive(Debug)]
pub(super) struct State {
    /// The last position given out.
    pub(super) position: u64,
    /// Events of the transaction in progress.
    pub(super) recorded: Vec<Arc<RecordedEvent>>,
    next_stream: i64,
    next_type: i64,
    types: HashMap<Arc<str>, Vec<StoredType>>,
    heads: Cache<StreamId, Head>,
}

#[derive(Clone, Copy, Debug)]
struct StoredType {
    schema_version: u32,
    number: i64,
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// The stream's number; `None` if it has never been written.
    pub(super) number: Option<i64>,
    /// Its last version, written or about to be.
    pub(super) version: u64,
    /// The flow of its last event, when that is known and has the form of a UUID.
    flow: Option<[u8; 16]>,
}

impl Head {
    /// Whether the next event of this flow surely follows one of the same flow. A wrong "no" costs an index entry, a wrong
    /// "yes" would lose the event from its flow.
    pub(super) fn continues(&self, flow: &CorrelationKey) -> bool {
        self.flow.is_some() && self.flow == flow.uuid()
    }
}

impl State {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let last = |query| connection.query_row(query, [], |row| row.get::<_, i64>(0));
        let mut types: HashMap<Arc<str>, Vec<StoredType>> = HashMap::new();
        let mut statement = connection.prepare("SELECT name, schema_version, id FROM event_types")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name = row.get_ref(0)?.as_str()?;
            let stored = StoredType { schema_version: sql::small(row, 1)?, number: row.get(2)? };
            types.entry(name.into()).or_default().push(stored);
        }
        Ok(Self {
            position: last("SELECT coalesce(max(position), 0) FROM events")?.cast_unsigned(),
            recorded: Vec::new(),
            next_stream: last("SELECT coalesce(max(id), 0) + 1 FROM streams")?,
            next_type: last("SELECT coalesce(max(id), 0) + 1 FROM event_types")?,
            types,
            heads: Cache::new(HEADS),
        })
    }

    pub(super) fn head_position(&self) -> Position {
        Position::new(self.position)
    }

    /// Where a stream stands, read with `find` if it is not remembered.
    pub(super) fn head(
        &mut self,
        find: &mut CachedStatement<'_>,
        stream: &StreamId,
    ) -> rusqlite::Result<Head> {
        if let Some(head) = self.heads.get(stream) {
            return Ok(head);
        }
        let found = find
            .query_row([stream.as_str()], |row| Ok((row.get::<_, i64>(0)?, sql::unsigned(row, 1)?)))
            .optional()?;
        let head = match found {
            Some((number, version)) => Head { number: Some(number), version, flow: None },
            None => Head { number: None, version: 0, flow: None },
        };
        self.heads.insert(stream.clone(), head);
        Ok(head)
    }

    /// Moves a stream on to `version`, with events of `flow`; returns its number, stored when it is new.
    pub(super) fn advance(
        &mut self,
        connection: &Connection,
        stream: &StreamId,
        head: Head,
        version: u64,
        flow: &CorrelationKey,
    ) -> rusqlite::Result<i64> {
        let number = match head.number {
            Some(number) => number,
            None => {
                let number = self.next_stream;
                connection
                    .prepare_cached("INSERT INTO streams (id, name) VALUES (?1, ?2)")?
                    .execute((number, stream.as_str()))?;
                self.next_stream += 1;
                number
            }
        };
        self.heads.insert(stream.clone(), Head { number: Some(number), version, flow: flow.uuid() });
        Ok(number)
    }

    /// The shared name and the number of an event type, stored when first seen.
    pub(super) fn event_type(
        &mut self,
        connection: &Connection,
        name: &str,
        schema_version: u32,
    ) -> rusqlite::Result<(Arc<str>, i64)> {
        let shared = match self.types.get_key_value(name) {
            Some((shared, stored)) => {
                if let Some(known) = stored.iter().find(|stored| stored.schema_version == schema_version) {
                    return Ok((Arc::clone(shared), known.number));
                }
                Arc::clone(shared)
            }
            None => Arc::from(name),
        };
        let number = self.next_type;
        connection
            .prepare_cached("INSERT INTO event_types (id, name, schema_version) VALUES (?1, ?2, ?3)")?
            .execute((number, name, schema_version))?;
        self.next_type += 1;
        self.types.entry(Arc::clone(&shared)).or_default().push(StoredType { schema_version, number });
        Ok((shared, number))
    }

    /// Lets go of heads that were not used lately. Only between transactions: one in progress must find what it moved.
    pub(super) fn age(&mut self) {
        self.heads.age();
    }
}
