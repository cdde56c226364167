//! A small domain: stock that can run out, orders, and two sagas over them.

use crate::saga::register;
use gallae_core::{
    Aggregate, Command, Decide, DecisionContext, Event, Id, Rejection, Saga, StreamId,
    saga::{
        CallResult, RetryPolicy, SagaCommand, SagaContext, SagaEnd, SagaGraph, Start, Step, call,
        compensable, local, pivot, retriable,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

pub(super) const STOCK: u32 = 5;

#[derive(Clone, Debug, PartialEq, Event)]
pub(super) enum StockEvent {
    #[event(name = "StockReserved", version = 1)]
    Reserved,
    #[event(name = "StockReleased", version = 1)]
    Released,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Stock {
    pub(super) reserved: u32,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(super) struct No(&'static str);

impl Rejection for No {
    fn code(&self) -> &'static str {
        self.0
    }
}

impl Aggregate for Stock {
    const TYPE: &'static str = "stock";
    type Event = StockEvent;
    type Rejection = No;
    fn evolve(&mut self, event: &StockEvent) {
        match event {
            StockEvent::Reserved => self.reserved += 1,
            StockEvent::Released => self.reserved -= 1,
        }
    }
}

pub(super) fn the_stock() -> Id<Stock> {
    Id::derived("the only one")
}

#[derive(Debug)]
struct Reserve;
impl Command for Reserve {
    const NAME: &'static str = "stock.reserve";
    type Aggregate = Stock;
    fn target(&self) -> Id<Stock> {
        the_stock()
    }
}
impl Decide<Reserve> for Stock {
    fn decide(&self, _: &Reserve, _: &DecisionContext<'_>) -> Result<Vec<StockEvent>, No> {
        if self.reserved < STOCK { Ok(vec![StockEvent::Reserved]) } else { Err(No("SOLD_OUT")) }
    }
}

#[derive(Debug)]
struct Release;
impl Command for Release {
    const NAME: &'static str = "stock.release";
    type Aggregate = Stock;
    fn target(&self) -> Id<Stock> {
        the_stock()
    }
}
impl Decide<Release> for Stock {
    fn decide(&self, _: &Release, _: &DecisionContext<'_>) -> Result<Vec<StockEvent>, No> {
        if self.reserved > 0 { Ok(vec![StockEvent::Released]) } else { Err(No("NOTHING_RESERVED")) }
    }
}

#[derive(Clone, Debug, PartialEq, Event)]
pub(super) enum OrderEvent {
    #[event(name = "OrderPlaced", version = 1)]
    Placed { kind: Kind, refuses: Option<String> },
    #[event(name = "OrderNoted", version = 1)]
    Noted { what: String },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum Kind {
    #[default]
    Checkout,
    Trip,
    Errand,
}

/// What happened to it, in words; it refuses to note one of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) notes: Vec<String>,
    refuses: Option<String>,
}

impl Aggregate for Order {
    const TYPE: &'static str = "order";
    type Event = OrderEvent;
    type Rejection = No;
    fn evolve(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Placed { refuses, .. } => self.refuses.clone_from(refuses),
            OrderEvent::Noted { what } => self.notes.push(what.clone()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) order: Id<Order>,
    pub(super) kind: Kind,
    pub(super) refuses: Option<String>,
}
impl Command for Place {
    const NAME: &'static str = "order.place";
    type Aggregate = Order;
    fn target(&self) -> Id<Order> {
        self.order
    }
}
impl Decide<Place> for Order {
    fn decide(&self, command: &Place, _: &DecisionContext<'_>) -> Result<Vec<OrderEvent>, No> {
        Ok(vec![OrderEvent::Placed { kind: command.kind, refuses: command.refuses.clone() }])
    }
}

#[derive(Debug)]
pub(super) struct Note {
    pub(super) order: Id<Order>,
    pub(super) what: String,
}
impl Command for Note {
    const NAME: &'static str = "order.note";
    type Aggregate = Order;
    fn target(&self) -> Id<Order> {
        self.order
    }
}
impl Decide<Note> for Order {
    fn decide(&self, command: &Note, _: &DecisionContext<'_>) -> Result<Vec<OrderEvent>, No> {
        if self.refuses.as_ref() == Some(&command.what) {
            return Err(No("ORDER_REFUSES"));
        }
        Ok(vec![OrderEvent::Noted { what: command.what.clone() }])
    }
}

fn note(order: Uuid, what: impl Into<String>) -> Vec<SagaCommand> {
    vec![SagaCommand::new(Note { order: Id::new(order), what: what.into() })]
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Input {
    pub(super) order: Uuid,
}

pub(super) const DEADLINE: Duration = Duration::from_secs(60);

/// Reserve, authorise, confirm (pivot, local), capture, notify (skippable).
pub(super) struct Checkout;

pub(super) const AUTHORIZE: Step<String> = Step::new("authorize");

impl Saga for Checkout {
    const NAME: &'static str = "checkout";
    const VERSION: u32 = 1;
    type Trigger = OrderEvent;
    type Input = Input;

    fn start(event: &OrderEvent, stream: &StreamId) -> Option<Start<Input>> {
        start(event, stream, Kind::Checkout)
    }

    fn graph() -> SagaGraph<Self> {
        let retry = RetryPolicy { max_attempts: Some(3), ..RetryPolicy::STANDARD };
        let money =
            |cx: &SagaContext<'_, Self>| json!({ "order": cx.input.order, "by": cx.output(AUTHORIZE) });
        SagaGraph::new()
            .then(
                compensable(Step::<()>::new("reserve"), local(|_| vec![SagaCommand::new(Reserve)]))
                    .undo(local(|_| vec![SagaCommand::new(Release)])),
            )
            .then(
                compensable(
                    AUTHORIZE,
                    call(
                        "bank",
                        "authorize",
                        |cx: &SagaContext<'_, Self>| json!({ "order": cx.input.order }),
                    )
                    .record(|cx: &SagaContext<'_, Self>, result: CallResult<String>| {
                        match result {
                            CallResult::Succeeded(_) => note(cx.input.order, "authorized"),
                            CallResult::Rejected { code, .. } => note(cx.input.order, code),
                        }
                    }),
                )
                .undo(call("bank", "void", money))
                .retry(retry),
            )
            .then(pivot(
                Step::<()>::new("confirm"),
                local(|cx: &SagaContext<'_, Self>| note(cx.input.order, "confirmed")),
            ))
            .then(retriable(Step::<Value>::new("capture"), call("bank", "capture", money)))
            .then(
                retriable(Step::<Value>::new("notify"), call("mail", "send", money)).skippable().retry(retry),
            )
            .deadline(DEADLINE)
    }

    fn ended(cx: &SagaContext<'_, Self>, end: &SagaEnd) -> Vec<SagaCommand> {
        note(cx.input.order, end.status.as_str())
    }
}

/// A flight and a hotel side by side, then paid by a call that is the pivot.
pub(super) struct Trip;

impl Saga for Trip {
    const NAME: &'static str = "trip";
    const VERSION: u32 = 1;
    type Trigger = OrderEvent;
    type Input = Input;

    fn start(event: &OrderEvent, stream: &StreamId) -> Option<Start<Input>> {
        start(event, stream, Kind::Trip)
    }

    fn graph() -> SagaGraph<Self> {
        let body = |cx: &SagaContext<'_, Self>| json!({ "order": cx.input.order });
        let retry = RetryPolicy { max_attempts: Some(3), ..RetryPolicy::STANDARD };
        let book = |name, undo| {
            compensable(Step::<Value>::new(name), call("agency", name, body))
                .undo(call("agency", undo, body))
                .retry(retry)
        };
        SagaGraph::new()
            .then_all([book("flight", "cancel-flight"), book("hotel", "cancel-hotel")])
            .then(pivot(Step::<Value>::new("pay"), call("bank", "pay", body)).retry(retry))
            .then(retriable(
                Step::<()>::new("print"),
                local(|cx: &SagaContext<'_, Self>| note(cx.input.order, "printed")),
            ))
    }

    fn ended(cx: &SagaContext<'_, Self>, end: &SagaEnd) -> Vec<SagaCommand> {
        note(cx.input.order, end.status.as_str())
    }
}

pub(super) const TIME_FOR_ASKING: Duration = Duration::from_secs(20);

/// Ask (within a time), decide (pivot, local), tell (within a time).
pub(super) struct Errand;

impl Saga for Errand {
    const NAME: &'static str = "errand";
    const VERSION: u32 = 1;
    type Trigger = OrderEvent;
    type Input = Input;

    fn start(event: &OrderEvent, stream: &StreamId) -> Option<Start<Input>> {
        start(event, stream, Kind::Errand)
    }

    fn graph() -> SagaGraph<Self> {
        let body = |cx: &SagaContext<'_, Self>| json!({ "order": cx.input.order });
        SagaGraph::new()
            .then(
                compensable(Step::<Value>::new("ask"), call("agency", "ask", body))
                    .undo(call("agency", "unask", body))
                    .retry(RetryPolicy { max_attempts: None, ..RetryPolicy::STANDARD })
                    .deadline(TIME_FOR_ASKING),
            )
            .then(pivot(Step::<()>::new("decide"), local(|_| Vec::new())))
            .then(
                retriable(Step::<Value>::new("tell"), call("mail", "tell", body))
                    .deadline(Duration::from_secs(40)),
            )
    }
}

fn start(event: &OrderEvent, stream: &StreamId, wanted: Kind) -> Option<Start<Input>> {
    match event {
        OrderEvent::Placed { kind, .. } if *kind == wanted => {
            let order = stream.uuid()?;
            Some(Start { business_key: order.to_string(), input: Input { order } })
        }
        _ => None,
    }
}

pub(super) fn registrations() -> Vec<crate::saga::Registration> {
    vec![register::<Checkout>(), register::<Trip>(), register::<Errand>()]
}
