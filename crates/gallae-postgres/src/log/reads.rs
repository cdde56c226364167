//! Pages of the log, and from where.

use super::events::{self, Names};
use crate::{fault::Trouble, pool::Pool, postgres::Pools};
use futures::FutureExt;
use gallae_core::Position;
use gallae_ports::{BoxFuture, EventPage, StoreFault};
use std::sync::Arc;
use tokio_postgres::types::Type;
use uuid::Uuid;

const HEAD: &str = "SELECT position FROM @.head WHERE only_row = 1";
const EVENT: &str = "SELECT id FROM @.events WHERE position = $1";
const READING: &str = "reading the log";

/// Reads events. Standbys serve history, the primary what they do not have yet.
#[derive(Debug)]
pub(super) struct Reads {
    pub(super) pools: Pools,
    pub(super) names: Names,
}

impl Reads {
    /// The position of the last event, on the primary.
    pub(super) async fn head(&self) -> Result<Position, StoreFault> {
        let rows = self.pools.write.read("reading the log's head", HEAD, &[]).await?;
        let head = rows.first().map(|row| row.try_get::<_, i64>(0)).transpose();
        let head = head.map_err(|error| Trouble::Driver(error).into_fault("reading the log's head"))?;
        Ok(Position::new(head.unwrap_or(0).cast_unsigned()))
    }

    /// The id of the event at a position, on the primary.
    pub(super) async fn id_at(&self, position: Position) -> Result<Option<Uuid>, StoreFault> {
        let position = position.get().cast_signed();
        let rows = self.pools.write.read(READING, EVENT, &[(&position, Type::INT8)]).await?;
        let id = rows.first().map(|row| row.try_get(0)).transpose();
        id.map_err(|error| Trouble::Driver(error).into_fault(READING))
    }

    /// The page after `after` of a log that reaches to `end`. Empty only if it does not.
    pub(super) fn page_up_to(
        self: &Arc<Self>,
        after: Position,
        end: Position,
    ) -> BoxFuture<'static, Result<EventPage, StoreFault>> {
        let this = Arc::clone(self);
        async move {
            let page = this.page_of(&this.pools.read, after, end).await?;
            if page.is_empty() {
                // The standby is not as far.
                return this.page_of(&this.pools.write, after, end).await;
            }
            Ok(page)
        }
        .boxed()
    }

    async fn page_of(&self, pool: &Pool, after: Position, end: Position) -> Result<EventPage, StoreFault> {
        let params = events::up_to(after, end);
        let rows = pool.read(READING, events::OF_LOG_UP_TO, &params.borrowed()).await?;
        self.names.page(&rows).map_err(|trouble| trouble.into_fault(READING))
    }
}
