//! Learns what other processes commit: by LISTEN, and by asking now and then.

use super::{events, tail::Tail};
use crate::{connect::Connector, direct::Direct, fault::Trouble, schema::Schema};
use gallae_core::Position;
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_postgres::types::Type;
use uuid::Uuid;

/// Between two questions for the head while notifications come.
const ASK_SELDOM: Duration = Duration::from_secs(1);

/// Between two questions while none come.
const ASK_OFTEN: Duration = Duration::from_millis(50);

/// The longest that a notification to oneself may take; a pooler in between swallows it.
const ECHO: Duration = Duration::from_secs(1);

const PAUSE: Duration = Duration::from_millis(200);

const HEAD: &str = "SELECT position FROM @.head WHERE only_row = 1";
const EVENT: &str = "SELECT id FROM @.events WHERE position = $1";

/// What the follower works with.
pub(super) struct Follower {
    pub(super) connector: Connector,
    pub(super) schema: Arc<Schema>,
    pub(super) limit: Duration,
    pub(super) channel: Arc<str>,
    pub(super) tail: Arc<Tail>,
}

impl Follower {
    /// Follows the log until it is dropped.
    pub(super) async fn run(self) {
        let mut told = false;
        loop {
            match self.follow(&mut told).await {
                Ok(never) => match never {},
                Err(trouble) => {
                    if !told {
                        tracing::warn!(%trouble, "what other nodes write is not seen until the primary is back");
                    }
                    told = true;
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn follow(&self, told: &mut bool) -> Result<std::convert::Infallible, Trouble> {
        let mut direct = Direct::connect(&self.connector, self.limit).await?;
        let listen = format!("LISTEN \"{}\"", self.channel);
        direct.run(self.limit, async |client| client.batch_execute(&listen).await).await?;
        self.check_history(&mut direct).await?;
        let pause = if self.hears_itself(&mut direct).await? { ASK_SELDOM } else { ASK_OFTEN };
        *told = false;
        loop {
            let head = self.head(&mut direct).await?;
            self.tail.heard(head);
            while let Some((after, end)) = self.tail.missing() {
                self.fetch(&mut direct, after, end).await?;
            }
            let notified = async {
                tokio::select! {
                    notified = direct.notified() => notified,
                    () = self.tail.behind.notified() => Ok(()),
                }
            };
            // Silence is no fault.
            timeout(pause, notified).await.unwrap_or(Ok(()))?;
        }
    }

    /// Whether the log still has what was read of it. A new session may lead to a server that was not as far.
    async fn check_history(&self, direct: &mut Direct) -> Result<(), Trouble> {
        let known = self.tail.position();
        let last = self.tail.last();
        let head = self.head(direct).await?;
        if head < known {
            self.tail.regressed(head);
        } else if let Some((position, id)) = last
            && self.id_at(direct, position).await? != Some(id)
        {
            self.tail.regressed(Position::new(position.get() - 1));
        }
        Ok(())
    }

    async fn hears_itself(&self, direct: &mut Direct) -> Result<bool, Trouble> {
        let channel = &*self.channel;
        let notify = "SELECT pg_catalog.pg_notify($1, '')";
        direct
            .run(self.limit, async |client| client.execute_typed(notify, &[(&channel, Type::TEXT)]).await)
            .await?;
        match timeout(ECHO, direct.notified()).await {
            Ok(heard) => heard.map(|()| true),
            Err(_) => {
                tracing::warn!(
                    "no notification comes through, so the log is asked often: give the direct URL"
                );
                Ok(false)
            }
        }
    }

    async fn head(&self, direct: &mut Direct) -> Result<Position, Trouble> {
        let text = self.schema.statement(HEAD);
        let row = direct.run(self.limit, async |client| client.query_typed_one(&text, &[]).await).await?;
        Ok(Position::new(row.try_get::<_, i64>(0)?.cast_unsigned()))
    }

    async fn id_at(&self, direct: &mut Direct, position: Position) -> Result<Option<Uuid>, Trouble> {
        let text = self.schema.statement(EVENT);
        let position = position.get().cast_signed();
        let query = direct
            .run(self.limit, async |client| client.query_typed_opt(&text, &[(&position, Type::INT8)]).await);
        Ok(query.await?.map(|row| row.try_get(0)).transpose()?)
    }

    async fn fetch(&self, direct: &mut Direct, after: Position, end: Position) -> Result<(), Trouble> {
        let text = self.schema.statement(events::OF_LOG_UP_TO);
        let params = events::up_to(after, end);
        let rows = direct
            .run(self.limit, async |client| client.query_typed(&text, &params.borrowed()).await)
            .await?;
        let page = events::Names::default().page(&rows)?;
        if page.is_empty() {
            // It was there: the server is not the one that told of it.
            self.tail.regressed(after);
        }
        self.tail.fetched(page);
        Ok(())
    }
}
