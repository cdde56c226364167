//! The road from the log to whoever listens outside.

use crate::{BoxFuture, StoreFault};
use bytes::Bytes;
use futures::stream::BoxStream;
use gallae_core::{Position, StreamId};
use std::sync::Arc;

/// Topics of messages, in order per key. Delivers at least once: consumers drop what they have seen, by position.
pub trait Broker: Send + Sync + 'static {
    /// Publishes messages. When it returns they are as durable as the broker makes anything, in the order given per key.
    ///
    /// # Errors
    /// None, some or all may have been published: publish the same messages again.
    fn publish(&self, messages: Vec<Message>) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// Messages of these topics from now on. A consumer that falls too far behind is told so and subscribes again
    /// after it has caught up from the log.
    fn subscribe(&self, topics: &[&str]) -> MessageStream;

    /// Whether a message published now could ever reach anybody. `false` only for a broker that keeps nothing, while nobody
    /// subscribes: what it is not given costs nothing.
    fn is_heard(&self) -> bool {
        true
    }

    /// The topics that exist.
    fn topics(&self) -> BoxFuture<'_, Result<Vec<String>, BrokerError>>;
}

/// Messages as they come.
pub type MessageStream = BoxStream<'static, Result<Arc<Message>, BrokerError>>;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it is published.
    pub topic: String,
    /// Keeps the messages of one stream in order.
    pub key: StreamId,
    /// Where it comes from; consumers drop what is not after the last one seen.
    pub position: Position,
    /// `eventType`, `aggregateId`, `version`, `correlationId`, CloudEvents attributes, trace context.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub payload: Bytes,
}

/// Why a broker did not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// Messages were dropped for a consumer that was too slow; catch up from the log.
    #[error("{missed} messages were dropped because this consumer was too slow; catch up from the log")]
    Lagged {
        /// How many.
        missed: u64,
    },
    /// Try again later.
    #[error("the broker is unavailable")]
    Unavailable(#[source] StoreFault),
}
