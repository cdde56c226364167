//! A log of orders as a shop leaves it behind: what replay, rebuild and start read.

use crate::Failure;
use commerce_domain::{
    money::{Currency, Money},
    orders::{
        Customer, Order, OrderCreated, OrderEvent, OrderItem, OrderSource, OrderStatus, OrderSummary,
        PaymentMethod, PaymentReference, ShippingAddress,
    },
    payments::{Payment, PaymentEvent},
};
use gallae_core::{Actor, CorrelationId, Event, EventId, Id, Metadata, StreamId, Timestamp, Version};
use gallae_ports::{AppendBatch, EventStore, Expected, NewEvent};
use gallae_runtime::{SystemClock, SystemEntropy};
use gallae_sqlite::{SqliteLog, SqliteOptions};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Orders under way at once: the events of one are this far apart.
const CONCURRENT: u64 = 1_000;

/// Opens the log of a folder with the machine's own clock.
pub(crate) fn open(folder: &Path) -> Result<SqliteLog, Failure> {
    let options = SqliteOptions {
        node: "bench".to_owned(),
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(SystemEntropy),
    };
    Ok(SqliteLog::open(folder, options)?)
}

/// Writes at least `events` events: orders from placed to delivered, with their payments, a thousand at once.
pub(crate) async fn write(folder: &Path, events: u64) -> Result<(), Failure> {
    let log = open(folder)?;
    let mut written = 0;
    while written < events {
        let orders: Vec<Story> = (0..CONCURRENT).map(|at| Story::new(written + at)).collect();
        for step in 0..STEPS {
            let mut appends = JoinSet::new();
            for order in &orders {
                appends.spawn(log.append(order.step(step)?));
                written += 1;
            }
            while let Some(appended) = appends.join_next().await {
                appended??;
            }
        }
    }
    Ok(())
}

/// Events of one order.
const STEPS: usize = 7;

/// One order from beginning to end.
struct Story {
    order: Id<Order>,
    payment: Id<Payment>,
    metadata: Arc<Metadata>,
    at: Timestamp,
    customer: Customer,
    items: Arc<[OrderItem]>,
    total: Money,
}

impl Story {
    fn new(number: u64) -> Self {
        let order = Id::new(Uuid::now_v7());
        let user = Id::new(Uuid::from_u128(u128::from(number % 1_000)));
        let total = Money::new(45_000, Currency::Krw);
        let line = |book: u64, name: &str, quantity, price| OrderItem {
            product_id: Uuid::from_u128(book.into()).to_string(),
            book: Some(Id::new(Uuid::from_u128(book.into()))),
            name: name.to_owned(),
            quantity,
            unit_price: Money::new(price, Currency::Krw),
        };
        let correlation = CorrelationId::new(Uuid::now_v7());
        Self {
            order,
            payment: Payment::of(order),
            metadata: Arc::new(Metadata::new(correlation, Actor::User(Uuid::now_v7()), "node-1")),
            at: Timestamp::from_micros(1_732_147_200_000_000).after(Duration::from_secs(number)),
            customer: Customer {
                id: user,
                name: "김민수".to_owned(),
                email: "minsu.kim@example.com".parse().unwrap_or_else(|_| unreachable!("an address")),
            },
            items: [line(number % 500, "토지 1", 2, 15_000), line(number % 333, "혼불 3", 1, 15_000)].into(),
            total,
        }
    }

    /// What happens at a step.
    fn step(&self, step: usize) -> Result<AppendBatch, Failure> {
        let amount = self.total;
        let (order, method, provider_ref) = (self.order, PaymentMethod::Card, format!("psp-{}", self.order));
        match step {
            0 => self.order_event(0, &self.created()),
            1 => self.payment_event(
                0,
                &PaymentEvent::Authorized {
                    order,
                    amount,
                    method,
                    provider_ref,
                    expires_at: self.at.after(Duration::from_secs(3_600)),
                },
            ),
            2 => {
                let payment = PaymentReference { id: self.payment, provider_ref };
                self.order_event(
                    1,
                    &OrderEvent::Confirmed { before: self.before(OrderStatus::Pending), payment },
                )
            }
            3 => self.payment_event(
                1,
                &PaymentEvent::Completed {
                    order,
                    amount,
                    method,
                    provider_ref,
                    captured_at: self.at.after(Duration::from_secs(2)),
                },
            ),
            4 => self.order_event(2, &OrderEvent::Approved { before: self.before(OrderStatus::Confirmed) }),
            5 => self.order_event(
                3,
                &OrderEvent::Shipped {
                    before: self.before(OrderStatus::Approved),
                    tracking_number: "CJ-6012-3344-5566".to_owned(),
                },
            ),
            _ => self.order_event(4, &OrderEvent::Delivered { before: self.before(OrderStatus::Shipped) }),
        }
    }

    fn created(&self) -> OrderEvent {
        OrderEvent::Created(OrderCreated {
            customer: self.customer.clone(),
            items: Arc::clone(&self.items),
            total: self.total,
            shipping_address: ShippingAddress::line("서울시 강남구 테헤란로 123"),
            payment_method: PaymentMethod::Card,
            placed_at: self.at,
            source: OrderSource::Web,
            reference: None,
        })
    }

    fn before(&self, status: OrderStatus) -> OrderSummary {
        OrderSummary {
            status,
            customer: self.customer.id,
            customer_name: self.customer.name.clone(),
            placed_at: self.at,
            total: self.total,
            pieces: 3,
        }
    }

    fn order_event(&self, after: u64, event: &OrderEvent) -> Result<AppendBatch, Failure> {
        self.append(self.order.stream(), after, event)
    }

    fn payment_event(&self, after: u64, event: &PaymentEvent) -> Result<AppendBatch, Failure> {
        self.append(self.payment.stream(), after, event)
    }

    fn append(&self, stream: StreamId, after: u64, event: &impl Event) -> Result<AppendBatch, Failure> {
        let mut payload = Vec::new();
        event.encode(&mut payload)?;
        let event = NewEvent::new(EventId::new(Uuid::now_v7()), event.event_type(), payload.into());
        let expected = if after == 0 { Expected::NoStream } else { Expected::Exact(Version::new(after)) };
        let metadata = Arc::clone(&self.metadata);
        Ok(AppendBatch::new(self.at, metadata).stream(stream, expected, vec![event]))
    }
}
