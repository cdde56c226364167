//! redb: a copy-on-write B-tree.

use super::peer::{Engine, Group};
use crate::Failure;
use gallae_core::StreamId;
use redb::{Database, Durability, ReadableDatabase, TableDefinition};
use std::path::Path;

const EVENTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("events");
const PLACES: TableDefinition<'_, &[u8], u64> = TableDefinition::new("places");
const HEADS: TableDefinition<'_, &str, u64> = TableDefinition::new("heads");

pub(super) struct Redb(Database);

impl Redb {
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let database = Database::create(folder.join("log.redb"))?;
        let transaction = database.begin_write()?;
        transaction.open_table(EVENTS)?;
        transaction.open_table(PLACES)?;
        transaction.open_table(HEADS)?;
        transaction.commit()?;
        Ok(Self(database))
    }
}

impl Engine for Redb {
    fn heads(&self, streams: &[&StreamId]) -> Result<Vec<u64>, Failure> {
        let heads = self.0.begin_read()?.open_table(HEADS)?;
        let head = |stream: &&StreamId| Ok(heads.get(stream.as_str())?.map_or(0, |head| head.value()));
        streams.iter().map(head).collect()
    }

    fn write(&mut self, group: &Group) -> Result<(), Failure> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut events = transaction.open_table(EVENTS)?;
            let mut places = transaction.open_table(PLACES)?;
            let mut heads = transaction.open_table(HEADS)?;
            for event in &group.events {
                events.insert(event.position, event.bytes.as_slice())?;
                places.insert(event.place.as_slice(), event.position)?;
            }
            for (stream, head) in &group.heads {
                heads.insert(stream.as_str(), head)?;
            }
        }
        Ok(transaction.commit()?)
    }
}
