//! The suite of [`Broker`].

use crate::{
    Harness,
    sample::{stream, within},
};
use futures::{FutureExt, StreamExt};
use gallae_core::Position;
use gallae_ports::{Broker, BrokerError, Message, MessageStream};
use std::sync::Arc;

/// Every case of brokers.
#[macro_export]
macro_rules! broker_suite {
    ($harness:expr) => {
        $crate::__suite! { broker, $harness, [
            messages_arrive_whole_and_in_order,
            a_subscriber_hears_its_topics_only,
            every_subscriber_hears_every_message,
            nobody_needs_to_listen,
            order_per_key_holds_under_simultaneous_publishers,
            topics_are_listed,
        ] }
    };
}

/// For brokers that drop messages for a consumer more than 10,000 behind. The harness makes one that holds fewer.
#[macro_export]
macro_rules! bounded_broker_suite {
    ($harness:expr) => {
        $crate::__suite! { bounded_broker, $harness, [
            a_slow_subscriber_is_told_and_holds_up_nobody,
        ] }
    };
}

/// Every field, in the order of publishing.
pub async fn messages_arrive_whole_and_in_order<H: Harness<Store: Broker>>(harness: &H) {
    let broker = harness.fresh().await;
    let mut subscription = broker.subscribe(&["orders"]);
    let sent: Vec<Message> = (1..=100).map(|n| message("orders", "order-1", n)).collect();
    for some in sent.chunks(30) {
        broker.publish(some.to_vec()).await.unwrap();
    }
    for expected in &sent {
        assert_eq!(*next(&mut subscription).await, *expected);
    }
}

/// One topic, or several.
pub async fn a_subscriber_hears_its_topics_only<H: Harness<Store: Broker>>(harness: &H) {
    let broker = harness.fresh().await;
    let (mut orders, mut both) = (broker.subscribe(&["orders"]), broker.subscribe(&["orders", "users"]));
    let sent =
        [message("users", "user-1", 1), message("books", "book-1", 2), message("orders", "order-1", 3)];
    broker.publish(sent.to_vec()).await.unwrap();
    assert_eq!(*next(&mut orders).await, sent[2]);
    let mut heard = [next(&mut both).await.position.get(), next(&mut both).await.position.get()];
    heard.sort_unstable();
    assert_eq!(heard, [1, 3]);
    assert!(orders.next().now_or_never().is_none() && both.next().now_or_never().is_none());
}

/// From when it subscribed; messages are not shared out.
pub async fn every_subscriber_hears_every_message<H: Harness<Store: Broker>>(harness: &H) {
    let broker = harness.fresh().await;
    let mut first = broker.subscribe(&["orders"]);
    broker.publish(vec![message("orders", "order-1", 1)]).await.unwrap();
    let mut second = broker.subscribe(&["orders"]);
    broker.publish(vec![message("orders", "order-1", 2)]).await.unwrap();
    assert_eq!(next(&mut first).await.position.get(), 1);
    for subscription in [&mut first, &mut second] {
        assert_eq!(next(subscription).await.position.get(), 2);
    }
    drop(first);
    broker.publish(vec![message("orders", "order-1", 3)]).await.unwrap();
    assert_eq!(next(&mut second).await.position.get(), 3);
}

/// The log keeps what nobody hears.
pub async fn nobody_needs_to_listen<H: Harness<Store: Broker>>(harness: &H) {
    let broker = harness.fresh().await;
    broker.publish(vec![]).await.unwrap();
    broker.publish((1..=1000).map(|n| message("orders", "order-1", n)).collect()).await.unwrap();
    let mut subscription = broker.subscribe(&["orders"]);
    assert!(subscription.next().now_or_never().is_none(), "a subscription begins when it is made");
}

/// Publishers share a broker and each has keys of its own.
pub async fn order_per_key_holds_under_simultaneous_publishers<H: Harness<Store: Broker>>(harness: &H) {
    const PUBLISHERS: usize = 8;
    const MESSAGES: usize = 50;
    let broker = Arc::new(harness.fresh().await);
    let mut subscription = broker.subscribe(&["orders"]);
    let mut publishers = tokio::task::JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let broker = Arc::clone(&broker);
        publishers.spawn(async move {
            for n in 1..=MESSAGES {
                let message = message("orders", &format!("order-{publisher}"), n as u64);
                broker.publish(vec![message]).await.unwrap();
            }
        });
    }
    let mut last = [0; PUBLISHERS];
    for _ in 0..PUBLISHERS * MESSAGES {
        let message = next(&mut subscription).await;
        let last = &mut last[message.key.key().parse::<usize>().unwrap()];
        assert_eq!(message.position.get(), *last + 1, "{}", message.key);
        *last += 1;
    }
}

/// A topic exists once something was published to it.
pub async fn topics_are_listed<H: Harness<Store: Broker>>(harness: &H) {
    let broker = harness.fresh().await;
    broker.publish(vec![message("orders", "order-1", 1), message("users", "user-1", 2)]).await.unwrap();
    let topics = broker.topics().await.unwrap();
    assert!(["orders", "users"].iter().all(|topic| topics.iter().any(|known| known == topic)), "{topics:?}");
}

/// It learns how much it missed, and its subscription ends; those who keep up hear everything.
pub async fn a_slow_subscriber_is_told_and_holds_up_nobody<H: Harness<Store: Broker>>(harness: &H) {
    let broker = harness.fresh().await;
    let (mut slow, mut fast) = (broker.subscribe(&["orders"]), broker.subscribe(&["orders"]));
    for n in 1..=10_000 {
        within(broker.publish(vec![message("orders", "order-1", n)])).await.unwrap();
        assert_eq!(next(&mut fast).await.position.get(), n);
    }
    let mut heard = 0;
    let missed = loop {
        match within(slow.next()).await.expect("an error before the end") {
            Ok(message) => {
                heard += 1;
                assert_eq!(message.position.get(), heard, "messages before the gap are in order");
            }
            Err(BrokerError::Lagged { missed }) => break missed,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(missed > 0 && missed + heard <= 10_000, "{missed} missed after {heard}");
    assert!(within(slow.next()).await.is_none(), "a subscription with a gap ends");
}

fn message(topic: &str, key: &str, position: u64) -> Message {
    Message {
        topic: topic.into(),
        key: stream(key),
        position: Position::new(position),
        headers: vec![("eventType", "OrderCreated".into()), ("correlationId", format!("flow-{position}"))],
        payload: format!("{{\"수량\":{position}}}").into(),
    }
}

async fn next(subscription: &mut MessageStream) -> Arc<Message> {
    within(subscription.next()).await.expect("a subscription goes on").expect("a message")
}
