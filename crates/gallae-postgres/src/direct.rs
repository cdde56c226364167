//! A connection that its user drives by hand, and so hears everything the server says on it.

use crate::{
    connect::{Connector, Driven, takes_back_commit},
    fault::Trouble,
};
use futures::future::poll_fn;
use std::{
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, Client, Error};

/// A session of its own. Dropping it closes the socket at once, whatever is under way on it: nothing is ever cancelled.
pub(crate) struct Direct {
    client: Client,
    heard: Heard,
}

struct Heard {
    connection: Driven,
    /// What ended the connection.
    ended: bool,
    /// A commit was taken back.
    unreplicated: bool,
    /// A notification has come.
    notified: bool,
}

impl Direct {
    /// Connects, and runs the session's settings.
    pub(crate) async fn connect(connector: &Connector, limit: Duration) -> Result<Self, Trouble> {
        let (client, connection) = connector.connect().await?;
        let heard = Heard { connection, ended: false, unreplicated: false, notified: false };
        let mut direct = Self { client, heard };
        if !connector.settings().is_empty() {
            direct.run(limit, async |client| client.batch_execute(connector.settings()).await).await?;
        }
        Ok(direct)
    }

    /// Runs something on the session. After [`Trouble::breaks_connection`] the session is to be dropped.
    pub(crate) async fn run<T>(
        &mut self,
        limit: Duration,
        work: impl AsyncFnOnce(&Client) -> Result<T, Error>,
    ) -> Result<T, Trouble> {
        let Self { client, heard } = self;
        let mut work = pin!(work(client));
        let both = poll_fn(|context| {
            // Once to hand over what is to be sent, and once to take what has come.
            for _ in 0..2 {
                if let Poll::Ready(result) = work.as_mut().poll(context) {
                    return Poll::Ready(result);
                }
                heard.listen(context);
            }
            Poll::Pending
        });
        match timeout(limit, both).await {
            Ok(_) if heard.unreplicated => Err(Trouble::Unreplicated),
            Ok(result) => result.map_err(Trouble::Driver),
            Err(_) => Err(Trouble::Deadline(limit)),
        }
    }

    /// Returns when a notification has come since the last call, or the connection has ended.
    pub(crate) async fn notified(&mut self) -> Result<(), Trouble> {
        let heard = &mut self.heard;
        poll_fn(|context| {
            heard.listen(context);
            if std::mem::take(&mut heard.notified) {
                Poll::Ready(Ok(()))
            } else if heard.ended {
                Poll::Ready(Err(Trouble::Unreadable("the connection has ended".to_owned())))
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

impl Heard {
    /// Takes what has come and sends what is to be sent.
    fn listen(&mut self, context: &mut Context<'_>) {
        while !self.ended
            && let Poll::Ready(message) = self.connection.poll_message(context)
        {
            match message {
                Some(Ok(AsyncMessage::Notice(notice))) => self.unreplicated |= takes_back_commit(&notice),
                Some(Ok(AsyncMessage::Notification(_))) => self.notified = true,
                Some(Ok(_)) => {}
                // Who waits for an answer hears of it from the driver.
                Some(Err(_)) | None => self.ended = true,
            }
        }
    }
}
