//! fjall: a log-structured merge tree.

use super::peer::{Engine, Group};
use crate::Failure;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use gallae_core::StreamId;
use std::path::Path;

pub(super) struct Fjall {
    database: Database,
    events: Keyspace,
    places: Keyspace,
    heads: Keyspace,
}

impl Fjall {
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let database = Database::builder(folder).open()?;
        let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default);
        let (events, places, heads) = (keyspace("events")?, keyspace("places")?, keyspace("heads")?);
        Ok(Self { database, events, places, heads })
    }
}

impl Engine for Fjall {
    fn heads(&self, streams: &[&StreamId]) -> Result<Vec<u64>, Failure> {
        let head = |stream: &&StreamId| {
            let value = self.heads.get(stream.as_str())?;
            Ok(value.map_or(Ok(0), |value| value[..].try_into().map(u64::from_le_bytes))?)
        };
        streams.iter().map(head).collect()
    }

    fn write(&mut self, group: &Group) -> Result<(), Failure> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for event in &group.events {
            let position = event.position.to_be_bytes();
            batch.insert(&self.events, position, event.bytes.as_slice());
            batch.insert(&self.places, event.place.as_slice(), position);
        }
        for (stream, head) in &group.heads {
            batch.insert(&self.heads, stream.as_str(), head.to_le_bytes());
        }
        Ok(batch.commit()?)
    }
}
