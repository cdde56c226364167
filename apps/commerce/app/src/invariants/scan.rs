//! One pass over the log, then the sums.

use super::{
    book::StockTally,
    order::{OrderTally, SagaEndState},
    report::Report,
};
use crate::payments::{GatewayError, Movements, PaymentGateway};
use commerce_domain::{
    books::Book,
    money::Currency,
    orders::{Order, OrderEvent},
    payments::{Payment, PaymentEvent},
    sagas::{Checkout, CheckoutInput, Refund, RefundInput},
    stock::StockEvent,
};
use gallae_core::{
    Aggregate, DecodeError, EventSet, Id, Position, RecordedEvent, Saga, SagaId,
    saga::{SagaEvent, SagaState},
};
use gallae_ports::{EventStore, ReadError, StoreFault};
use serde::Deserialize;
use std::collections::BTreeMap;

const PAGE: usize = 2_000;

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// The log cannot be asked for its end.
    #[error("the log cannot be read")]
    Store(#[from] StoreFault),
    /// An event does not fit the program.
    #[error("an event cannot be understood")]
    Decode(#[from] DecodeError),
    /// The provider's record cannot be read.
    #[error("the provider's record cannot be read")]
    Gateway(#[from] GatewayError),
}

/// Checks that money, stock, orders and sagas add up, from the first event to the present one. Memory grows with orders, not with
/// events. On a running shop orders under way are told as unsettled, and sums over everything are compared once nothing is.
///
/// # Errors
/// See [`CheckError`].
pub async fn check(store: &dyn EventStore, gateway: &dyn PaymentGateway) -> Result<Report, CheckError> {
    let head = store.head().await?;
    let mut scan = Scan::default();
    let mut at = Position::START;
    while at < head {
        for event in store.read_all(at, PAGE).await?.iter().filter(|event| event.position <= head) {
            scan.event(event)?;
            scan.report.events += 1;
            at = event.position;
        }
    }
    scan.report.position = at.get();
    scan.conclude(gateway).await
}

#[derive(Default)]
struct Scan {
    orders: BTreeMap<Id<Order>, OrderTally>,
    stocks: BTreeMap<Id<Book>, StockTally>,
    sagas: BTreeMap<SagaId, (Option<Id<Order>>, SagaEndState)>,
    report: Report,
}

impl Scan {
    fn event(&mut self, event: &RecordedEvent) -> Result<(), DecodeError> {
        let RecordedEvent { event_type: name, schema_version: version, payload, stream, .. } = event;
        match stream.category() {
            Order::TYPE => {
                if let (Some(id), Some(event)) = (stream.id(), OrderEvent::read(name, *version, payload)?) {
                    self.orders.entry(id).or_default().order(&event);
                }
            }
            Payment::TYPE => {
                if let Some(event) = PaymentEvent::read(name, *version, payload)? {
                    self.orders.entry(event.order()).or_default().payment(&event);
                }
            }
            commerce_domain::stock::Stock::TYPE => {
                if let Some(event) = StockEvent::read(name, *version, payload)? {
                    self.stock(&event);
                }
            }
            SagaState::TYPE => {
                if let (Some(id), Some(event)) = (stream.uuid(), SagaEvent::read(name, *version, payload)?) {
                    self.saga(SagaId::new(id), &event);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn stock(&mut self, event: &StockEvent) {
        let tally = self.stocks.entry(event.book()).or_default();
        tally.stock(event);
        let levels = tally.levels;
        if levels.available + levels.reserved + levels.sold != levels.received {
            self.report.violate("stock", event.book(), format!("{levels:?} does not add up"));
        }
    }

    fn saga(&mut self, id: SagaId, event: &SagaEvent) {
        if let SagaEvent::Started { definition, input, .. } = event {
            let order = match definition.as_str() {
                Checkout::NAME => CheckoutInput::deserialize(input).ok().map(|input| input.order),
                Refund::NAME => RefundInput::deserialize(input).ok().map(|input| input.order),
                _ => None,
            };
            if let Some(order) = order.filter(|_| definition == Checkout::NAME) {
                self.orders.entry(order).or_default().checkouts += 1;
            }
            self.sagas.insert(id, (order, SagaEndState::UnderWay));
        } else if let Some((_, state)) = self.sagas.get_mut(&id) {
            *state = std::mem::replace(state, SagaEndState::Ended).after(event);
        } else {
            self.report.violate("saga", id, "its stream does not begin with its start".to_owned());
        }
    }

    async fn conclude(mut self, gateway: &dyn PaymentGateway) -> Result<Report, CheckError> {
        self.sagas_of_orders();
        self.money(gateway).await?;
        self.copies();
        let counts = [self.orders.len(), self.sagas.len(), self.stocks.len()].map(|count| count as u64);
        let unsettled = self.orders.values().filter(|order| !order.settled()).count() as u64;
        let mut report = self.report;
        [report.orders, report.sagas, report.stocks] = counts;
        report.unsettled = unsettled;
        report.holds = report.violated == 0;
        Ok(report)
    }

    /// Each order has exactly one checkout, and each saga has ended or says why not.
    fn sagas_of_orders(&mut self) {
        for (id, (order, state)) in &self.sagas {
            if let SagaEndState::Held(reason) = state {
                self.report.waiting.insert(id.to_string(), reason.clone());
            }
            let Some(order) = order.and_then(|order| self.orders.get_mut(&order)) else { continue };
            match state {
                SagaEndState::UnderWay | SagaEndState::Held(_) => order.under_way += 1,
                SagaEndState::Abandoned => order.abandoned = true,
                SagaEndState::Ended => {}
            }
        }
        for (id, order) in &self.orders {
            if order.total.is_none() {
                self.report.violate(
                    "order-and-saga",
                    id,
                    "a payment or a checkout without an order".to_owned(),
                );
            } else if order.checkouts != 1 {
                let detail = format!("{} checkouts instead of one", order.checkouts);
                self.report.violate("order-and-saga", id, detail);
            }
            let pending = order.status == Some(commerce_domain::orders::OrderStatus::Pending);
            if pending && order.settled() {
                self.report.violate("saga", id, "its checkout has ended and left it pending".to_owned());
            }
        }
    }

    /// What the provider moved is what the shop recorded and what the order owes: for each order, and in total.
    async fn money(&mut self, gateway: &dyn PaymentGateway) -> Result<(), CheckError> {
        let mut owed = BTreeMap::<Currency, i64>::new();
        let mut settled = true;
        for (id, order) in &self.orders {
            if !order.settled() {
                settled = false;
                continue;
            }
            let Movements { captured, refunded } = gateway.moved(Payment::of(*id)).await?;
            if (captured, refunded) != (order.captured, order.paid_back) {
                let detail = format!(
                    "the provider took {captured} and paid {refunded} back, the shop recorded {} and {}",
                    order.captured, order.paid_back
                );
                self.report.violate("money", id, detail);
            }
            if captured - refunded != order.owed() {
                let detail = format!("{} was paid, {} is owed", captured - refunded, order.owed());
                self.report.violate("money", id, detail);
            }
            if let Some(total) = order.total {
                *owed.entry(total.currency).or_default() += order.owed();
            }
        }
        for (currency, Movements { captured, refunded }) in gateway.moved_in_total().await? {
            let kept = captured - refunded;
            let owed = owed.remove(&currency).unwrap_or_default();
            self.report.money.insert(currency.code().to_owned(), kept);
            // Orders under way, and those placed while this looked, are in the one sum and not in the other.
            if settled && kept != owed {
                let detail = format!("the provider kept {kept}, the orders owe {owed}");
                self.report.violate("money-in-total", currency, detail);
            }
        }
        for (currency, owed) in owed.into_iter().filter(|(_, owed)| *owed != 0) {
            self.report.violate(
                "money-in-total",
                currency,
                format!("the provider kept nothing, the orders owe {owed}"),
            );
        }
        Ok(())
    }

    /// Copies sold are those of confirmed orders less what came back; copies promised are those of orders under way.
    fn copies(&mut self) {
        let mut sold = BTreeMap::<Id<Book>, u64>::new();
        for order in self.orders.values().filter(|order| order.confirmed) {
            for (book, quantity) in order.copies() {
                *sold.entry(book).or_default() += quantity;
            }
        }
        for (book, stock) in &self.stocks {
            let expected = sold.get(book).copied().unwrap_or_default().saturating_sub(stock.returned);
            if stock.levels.sold != expected {
                let detail = format!("{} copies count as sold, the orders say {expected}", stock.levels.sold);
                self.report.violate("stock", book, detail);
            }
            let promised: u64 = stock.reserved.values().sum();
            if stock.levels.reserved != promised {
                let detail = format!(
                    "{} copies count as promised, the promises say {promised}",
                    stock.levels.reserved
                );
                self.report.violate("stock", book, detail);
            }
            let forgotten = stock
                .reserved
                .keys()
                .filter(|order| self.orders.get(&Id::new(**order)).is_none_or(OrderTally::settled));
            for order in forgotten {
                let detail = format!("copies are promised to order {order}, whose checkout has ended");
                self.report.violate("stock", book, detail);
            }
        }
    }
}
