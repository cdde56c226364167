//! The broker of one process.

use futures::{FutureExt, StreamExt, stream};
use gallae_ports::{BoxFuture, Broker, BrokerError, Message, MessageStream};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::broadcast::{self, error::RecvError};

/// A [`Broker`] within one process: every topic is a bounded ring, and a subscriber that it laps is told so and let go.
///
/// Nothing is kept for who comes later: the log does that. Clones are handles to the same broker.
#[derive(Clone, Debug)]
pub struct MemoryBroker {
    capacity: usize,
    topics: Arc<Mutex<BTreeMap<String, broadcast::Sender<Arc<Message>>>>>,
}

impl MemoryBroker {
    /// A broker that holds at least `capacity` messages of each topic for a slow subscriber.
    ///
    /// # Panics
    /// When `capacity` is zero.
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a broker needs room for a message");
        Self { capacity, topics: Arc::default() }
    }

    fn topics(&self) -> MutexGuard<'_, BTreeMap<String, broadcast::Sender<Arc<Message>>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish_now(&self, messages: Vec<Message>) {
        // One publisher at a time, so that every subscriber sees the same order.
        let mut topics = self.topics();
        for message in messages {
            if !topics.contains_key(&message.topic) {
                topics.insert(message.topic.clone(), broadcast::Sender::new(self.capacity));
            }
            if let Some(topic) = topics.get(&message.topic) {
                // An error says that nobody listens, which is fine.
                let _ = topic.send(Arc::new(message));
            }
        }
    }
}

impl Broker for MemoryBroker {
    fn publish(&self, messages: Vec<Message>) -> BoxFuture<'_, Result<(), BrokerError>> {
        self.publish_now(messages);
        std::future::ready(Ok(())).boxed()
    }

    fn subscribe(&self, topics: &[&str]) -> MessageStream {
        let mut known = self.topics();
        let rings = topics.iter().map(|topic| {
            let ring = known.entry((*topic).to_owned());
            let ring = ring.or_insert_with(|| broadcast::Sender::new(self.capacity));
            messages(ring.subscribe())
        });
        let merged = stream::select_all(rings.collect::<Vec<_>>());
        until_error(merged.boxed())
    }

    fn is_heard(&self) -> bool {
        self.topics().values().any(|topic| topic.receiver_count() > 0)
    }

    fn topics(&self) -> BoxFuture<'_, Result<Vec<String>, BrokerError>> {
        std::future::ready(Ok(self.topics().keys().cloned().collect())).boxed()
    }
}

/// What comes into one ring.
fn messages(ring: broadcast::Receiver<Arc<Message>>) -> MessageStream {
    stream::unfold(ring, async |mut ring| match ring.recv().await {
        Ok(message) => Some((Ok(message), ring)),
        Err(RecvError::Lagged(missed)) => Some((Err(BrokerError::Lagged { missed }), ring)),
        Err(RecvError::Closed) => None,
    })
    .boxed()
}

/// Ends a stream after its first error: what follows a gap is of no use to a subscriber.
fn until_error(messages: MessageStream) -> MessageStream {
    stream::unfold(Some(messages), async |messages| {
        let mut messages = messages?;
        let message = messages.next().await?;
        let rest = message.is_ok().then_some(messages);
        Some((message, rest))
    })
    .boxed()
}
