//! The relay's promises, on a broker that goes down on request.

use super::{Mapping, Relay, RelayPorts, RelayState};
use crate::{SystemClock, SystemEntropy, supervisor::Supervisor};
use futures::{FutureExt, StreamExt, stream};
use gallae_core::*;
use gallae_memory::MemoryLog;
use gallae_ports::*;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(10);
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[derive(Debug, Default)]
struct Outside {
    down: AtomicBool,
    /// Publishes, then says that it has not, this many times.
    forgets: AtomicU32,
    messages: Mutex<Vec<Message>>,
}

impl Broker for Outside {
    fn publish(&self, messages: Vec<Message>) -> BoxFuture<'_, Result<(), BrokerError>> {
        let unavailable = || Err(BrokerError::Unavailable(StoreFault::new("being tested")));
        let answer = if self.down.load(Ordering::SeqCst) {
            unavailable()
        } else {
            self.messages.lock().unwrap().extend(messages);
            let forgets = self.forgets.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            if forgets.is_ok() { unavailable() } else { Ok(()) }
        };
        async { answer }.boxed()
    }

    fn subscribe(&self, _: &[&str]) -> MessageStream {
        stream::pending().boxed()
    }

    fn topics(&self) -> BoxFuture<'_, Result<Vec<String>, BrokerError>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

#[derive(Debug, Default)]
struct Cursors(Mutex<BTreeMap<String, (Position, u64)>>);

impl CursorStore for Cursors {
    fn load_cursor(&self, name: &str) -> BoxFuture<'_, Result<Position, StoreFault>> {
        let cursor = self.0.lock().unwrap().get(name).map_or(Position::START, |(position, _)| *position);
        async move { Ok(cursor) }.boxed()
    }

    fn save_cursor(
        &self,
        name: &str,
        position: Position,
        epoch: u64,
    ) -> BoxFuture<'_, Result<bool, StoreFault>> {
        let mut cursors = self.0.lock().unwrap();
        let fresh = cursors.get(name).is_none_or(|(_, newest)| *newest <= epoch);
        if fresh {
            cursors.insert(name.to_owned(), (position, epoch));
        }
        async move { Ok(fresh) }.boxed()
    }
}

struct World {
    log: MemoryLog,
    broker: Arc<Outside>,
    cursors: Arc<Cursors>,
    clock: Arc<dyn Clock>,
}

impl World {
    fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let log = MemoryLog::new(SystemEntropy.uuid(), Arc::clone(&clock));
        Self { log, broker: Arc::default(), cursors: Arc::default(), clock }
    }

    fn start(&self, node: &str) -> (Relay, Supervisor) {
        let supervisor = Supervisor::new(Arc::clone(&self.clock));
        let ports = RelayPorts {
            log: Arc::new(self.log.clone()),
            broker: self.broker.clone(),
            cursors: self.cursors.clone(),
            leases: Arc::new(self.log.clone()),
            clock: Arc::clone(&self.clock),
            node: node.into(),
            lease: Duration::from_millis(90),
            pace: Duration::ZERO,
        };
        let mapping = Mapping::new("commerce").also(|event| match &*event.event_type {
            "OrderShipped" => vec!["shipping-events".to_owned()],
            _ => Vec::new(),
        });
        (Relay::start(mapping, ports, &supervisor), supervisor)
    }

    async fn append(&self, stream: &str, name: &'static str) -> Position {
        let stream: StreamId = stream.parse().unwrap();
        let head = self.log.stream_head(&stream).await.unwrap();
        let mut metadata = Metadata::new("flow-1".parse().unwrap(), Actor::Anonymous, "n1");
        metadata.trace = Some(TraceContext::parse(TRACE, None).unwrap());
        metadata.causation_id = Some(Uuid::from_u128(7));
        let event_type = EventType { name, version: 2 };
        let event = NewEvent::new(EventId::new(Uuid::from_u128(1)), event_type, "{\"a\":1}".into());
        let batch = AppendBatch::new(Timestamp::from_micros(1_000_000), Arc::new(metadata));
        self.log.append(batch.stream(stream, Expected::Exact(head), vec![event])).await.unwrap().position
    }

    async fn relayed(&self, relay: &Relay, position: Position) {
        let mut acknowledged = relay.acknowledged();
        let reached = acknowledged.wait_for(|at| *at >= position);
        tokio::time::timeout(SOON, reached).await.expect("relayed in time").unwrap();
    }

    fn positions(&self) -> Vec<u64> {
        self.broker.messages.lock().unwrap().iter().map(|message| message.position.get()).collect()
    }
}

#[tokio::test]
async fn events_become_cloud_events_on_the_topic_of_their_category() {
    let world = World::new();
    let (relay, _supervisor) = world.start("n1");
    world.append("order-42", "OrderCreated").await;
    let last = world.append("order-42", "OrderShipped").await;
    world.relayed(&relay, last).await;
    let messages = world.broker.messages.lock().unwrap().clone();
    let topics: Vec<_> = messages.iter().map(|m| (m.topic.as_str(), m.position.get())).collect();
    assert_eq!(topics, [("order-events", 1), ("order-events", 2), ("shipping-events", 2)]);
    let shipped = &messages[1];
    assert_eq!((shipped.key.as_str(), &*shipped.payload), ("order-42", &b"{\"a\":1}"[..]));
    let header = |name| shipped.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
    let expected = [
        ("eventType", "OrderShipped"),
        ("aggregateId", "42"),
        ("version", "2"),
        ("position", "2"),
        ("correlationId", "flow-1"),
        ("content-type", "application/json"),
        ("traceparent", TRACE),
        ("ce_specversion", "1.0"),
        ("ce_id", "00000000-0000-0000-0000-000000000001"),
        ("ce_type", "commerce.OrderShipped.v2"),
        ("ce_source", "/commerce/order"),
        ("ce_subject", "order-42"),
        ("ce_time", "1970-01-01T00:00:01Z"),
        ("ce_sequence", "00000000000000000002"),
        ("ce_correlationid", "flow-1"),
        ("ce_causationid", "00000000-0000-0000-0000-000000000007"),
        ("ce_traceparent", TRACE),
    ];
    for (name, value) in expected {
        assert_eq!(header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_broker_that_was_down_gets_everything_in_order() {
    let world = World::new();
    world.broker.down.store(true, Ordering::SeqCst);
    let (relay, _supervisor) = world.start("n1");
    for _ in 0..10 {
        world.append("order-1", "OrderCreated").await;
    }
    while relay.status().await.unwrap().state != RelayState::Failed {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let status = relay.status().await.unwrap();
    assert_eq!((status.cursor, status.lag_events), (Position::START, 10));
    assert!(status.last_error.is_some_and(|error| error.contains("being tested")));
    world.broker.down.store(false, Ordering::SeqCst);
    world.relayed(&relay, Position::new(10)).await;
    assert_eq!(world.positions(), (1..=10).collect::<Vec<_>>());
    let status = relay.status().await.unwrap();
    assert_eq!((status.state, status.lag_events), (RelayState::Live, 0));
}

#[tokio::test]
async fn what_was_not_acknowledged_is_published_again() {
    let world = World::new();
    world.broker.forgets.store(1, Ordering::SeqCst);
    world.append("order-1", "OrderCreated").await;
    let (relay, supervisor) = world.start("n1");
    world.relayed(&relay, Position::new(1)).await;
    assert_eq!(world.positions(), [1, 1], "at least once");
    assert!(supervisor.drain(SOON).await);
    let second = world.append("order-1", "OrderCreated").await;
    let (relay, _supervisor) = world.start("n1");
    world.relayed(&relay, second).await;
    assert_eq!(world.positions(), [1, 1, 2], "the cursor survives");
}

#[tokio::test]
async fn a_paused_relay_waits_also_after_a_restart() {
    let world = World::new();
    let (relay, supervisor) = world.start("n1");
    let first = world.append("order-1", "OrderCreated").await;
    world.relayed(&relay, first).await;
    relay.pause().await.unwrap();
    assert!(supervisor.drain(SOON).await);
    let second = world.append("order-1", "OrderCreated").await;
    let (relay, _supervisor) = world.start("n1");
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(relay.status().await.unwrap().state, RelayState::Paused);
    assert_eq!(world.positions(), [1]);
    relay.resume().await.unwrap();
    world.relayed(&relay, second).await;
    assert_eq!(world.positions(), [1, 2]);
}

#[tokio::test]
async fn one_node_relays_and_another_takes_over() {
    let world = World::new();
    let (first, one) = world.start("a");
    world.append("order-1", "OrderCreated").await;
    world.relayed(&first, Position::new(1)).await;
    let (second, _two) = world.start("b");
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(second.status().await.unwrap().state, RelayState::Standby);
    assert!(one.drain(SOON).await);
    world.append("order-1", "OrderCreated").await;
    world.relayed(&second, Position::new(2)).await;
    assert_eq!(world.positions(), [1, 2]);
    let stale = world.cursors.save_cursor(super::NAME, Position::START, 1).await.unwrap();
    assert!(!stale, "the first node's epoch is over");
}
