//! The embedded event store through its port.

use super::load::{Append, Target};
use crate::{Failure, history};
use gallae_core::{Timestamp, Version};
use gallae_ports::{AppendBatch, EventStore, Expected, NewEvent};
use gallae_sqlite::SqliteLog;
use std::{borrow::Cow, path::Path};

#[derive(Debug)]
pub(super) struct Ours(SqliteLog);

impl Ours {
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        Ok(Self(history::open(folder)?))
    }
}

impl Target for Ours {
    async fn append(&self, append: Append) -> Result<(), Failure> {
        let Append { stream, expected, id, metadata, payload } = append;
        let expected =
            if expected == 0 { Expected::NoStream } else { Expected::Exact(Version::new(expected)) };
        let event = NewEvent { id, event_type: Cow::Borrowed("OrderCreated"), schema_version: 1, payload };
        let batch = AppendBatch::new(Timestamp::from_micros(1_732_147_200_000_000), metadata).stream(
            stream,
            expected,
            vec![event],
        );
        self.0.append(batch).await?;
        Ok(())
    }
}
