//! The sagas run by hand against the aggregates, with each step failing in turn.

use super::{Checkout, Refund};
use crate::{
    given::{NOW, metadata},
    orders::{Order, OrderStatus, examples::*},
    payments::{Payment, PaymentStatus},
    stock::{Stock, StockLevels, commands::ReceiveStock},
};
use gallae_core::{
    Aggregate, AnyState, Command, DecisionContext, Event, Id, Saga, SagaId, StreamId, Timestamp,
    saga::{Action, CallResult, Cause, SagaCommand, SagaContext, SagaEnd, SagaStatus},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The aggregates of a small shop.
#[derive(Default)]
struct Shop {
    states: BTreeMap<StreamId, Box<dyn AnyState>>,
    calls: Vec<(String, Value)>,
}

impl Shop {
    fn send(&mut self, command: &SagaCommand, now: Timestamp) -> Result<(), String> {
        let command = command.as_any_command();
        let fresh = || -> Box<dyn AnyState> {
            match command.aggregate_type() {
                Order::TYPE => Box::new(Order::default()),
                Payment::TYPE => Box::new(Payment::default()),
                _ => Box::new(Stock::default()),
            }
        };
        let state = self.states.entry(command.stream()).or_insert_with(fresh);
        let cx = DecisionContext { now, metadata: &metadata() };
        command.decide_and_evolve(&mut **state, &cx).map(drop).map_err(|rejection| rejection.to_string())
    }

    /// All of them or none, as one transaction.
    fn send_all(&mut self, commands: &[SagaCommand], now: Timestamp) -> Result<(), String> {
        let before: BTreeMap<_, _> =
            self.states.iter().map(|(id, state)| (id.clone(), state.boxed_clone())).collect();
        let result = commands.iter().try_for_each(|command| self.send(command, now));
        if result.is_err() {
            self.states = before;
        }
        result
    }

    fn get<A: Aggregate>(&self, id: Id<A>) -> A {
        let state = self.states.get(&id.stream()).and_then(|state| (**state).as_any().downcast_ref::<A>());
        state.cloned().unwrap_or_default()
    }

    fn levels(&self, number: u128) -> [u64; 4] {
        let StockLevels { received, available, reserved, sold } = self.get(Stock::of(book(number))).levels();
        [received, available, reserved, sold]
    }

    fn order(&self) -> OrderStatus {
        self.get(order()).placed().unwrap().status
    }

    fn payment(&self) -> Payment {
        self.get(Payment::of(order()))
    }
}

fn provider(operation: &str) -> Value {
    match operation {
        "authorize" => serde_json::to_value(authorization()).unwrap(),
        "void" | "order-confirmed" => json!({}),
        _ => json!({ "providerRef": "psp-1" }),
    }
}

fn perform<S: Saga>(
    shop: &mut Shop,
    cx: &SagaContext<'_, S>,
    action: &Action<S>,
    refuse: bool,
) -> Result<Value, String> {
    match action {
        Action::Local(_) if refuse => Err("refused".into()),
        Action::Local(commands) => shop.send_all(&commands(cx), cx.now).map(|()| Value::Null),
        Action::Call { operation, request, record, .. } => {
            shop.calls.push(((*operation).to_owned(), request(cx).unwrap()));
            let answer = provider(operation);
            let result = match refuse {
                true => CallResult::Rejected { code: "NO".into(), reason: "refused".into() },
                false => CallResult::Succeeded(&answer),
            };
            if let Some(record) = record {
                shop.send_all(&record(cx, result).unwrap(), cx.now)?;
            }
            if refuse { Err("refused".into()) } else { Ok(answer) }
        }
    }
}

/// Runs a saga; `refuse` names the step that is refused.
fn run<S: Saga>(
    shop: &mut Shop,
    trigger: &S::Trigger,
    refuse: Option<&str>,
    now: fn(&str) -> Timestamp,
) -> SagaStatus {
    let start = S::start(trigger, &order().stream()).expect("starts");
    let (id, graph) = (SagaId::of(S::NAME, &start.business_key), S::graph());
    let mut outputs = BTreeMap::new();
    let mut failed = None;
    for step in graph.steps() {
        let cx = SagaContext::new(id, &start.input, &outputs, now(step.name()));
        match perform(shop, &cx, step.action(), refuse == Some(step.name())) {
            Ok(output) => drop(outputs.insert(step.name().to_owned(), output)),
            Err(reason) => {
                failed = Some(reason);
                break;
            }
        }
    }
    let done: Vec<_> = graph.steps().iter().filter(|step| outputs.contains_key(step.name())).collect();
    let undone = if failed.is_some() { done } else { vec![] };
    for step in undone.iter().rev() {
        let cx = SagaContext::new(id, &start.input, &outputs, now(step.name()));
        perform(shop, &cx, step.undo_action().expect("before the pivot"), false).unwrap();
    }
    let status = match (&failed, undone.is_empty()) {
        (None, _) => SagaStatus::Completed,
        (Some(_), true) => SagaStatus::Rejected,
        (Some(_), false) => SagaStatus::Compensated,
    };
    let cause = failed.is_some().then_some(Cause::BusinessReject);
    let end = SagaEnd { status, cause, code: failed.is_some().then(|| "NO".into()), reason: failed };
    let cx = SagaContext::new(id, &start.input, &outputs, now("end"));
    shop.send_all(&S::ended(&cx, &end), NOW).unwrap();
    status
}

/// Sends a command and answers its one event.
fn sent<C: Command>(shop: &mut Shop, command: C) -> <C::Aggregate as Aggregate>::Event {
    let state = shop.get(command.target());
    let events = crate::given::when(&state, &command).unwrap();
    let [event] = &events[..] else { panic!("{events:?}") };
    let event = event.clone();
    shop.send(&SagaCommand::new(command), NOW).unwrap();
    event
}

fn stocked() -> Shop {
    let mut shop = Shop::default();
    for number in [100, 200] {
        sent(&mut shop, ReceiveStock { book: book(number), quantity: 5 });
    }
    shop
}

fn bought() -> Shop {
    let mut shop = stocked();
    let placed = sent(&mut shop, place());
    assert_eq!(run::<Checkout>(&mut shop, &placed, None, |_| NOW), SagaStatus::Completed);
    shop
}

#[test]
fn both_graphs_can_be_run_and_undone() {
    assert_eq!(Checkout::graph().check(), vec![]);
    assert_eq!(Refund::graph().check(), vec![]);
}

#[test]
fn buying_sells_the_stock_and_takes_the_money() {
    let shop = bought();
    assert_eq!((shop.levels(100), shop.levels(200)), ([5, 2, 0, 3], [5, 2, 0, 3]));
    assert_eq!((shop.order(), shop.payment().status()), (OrderStatus::Confirmed, PaymentStatus::Paid));
    let operations: Vec<&str> = shop.calls.iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(operations, ["authorize", "capture", "order-confirmed"]);
    let (_, authorize) = &shop.calls[0];
    assert_eq!(authorize["amount"], json!({ "amount": 100_000, "currency": "KRW" }));
    assert_eq!(authorize["metadata"]["productIds"][2], "product-123");
    assert_eq!(shop.calls[1].1["providerRef"], "psp-1");
}

#[test]
fn a_checkout_refused_anywhere_leaves_nothing_behind() {
    for (step, status, payment) in [
        ("reserve_stock", SagaStatus::Rejected, PaymentStatus::Pending),
        ("authorize", SagaStatus::Compensated, PaymentStatus::Failed),
        ("confirm_order", SagaStatus::Compensated, PaymentStatus::Voided),
    ] {
        let mut shop = stocked();
        let placed = sent(&mut shop, place());
        assert_eq!(run::<Checkout>(&mut shop, &placed, Some(step), |_| NOW), status, "{step}");
        assert_eq!((shop.levels(100), shop.levels(200)), ([5, 5, 0, 0], [5, 5, 0, 0]), "{step}");
        assert_eq!((shop.order(), shop.payment().status()), (OrderStatus::Cancelled, payment), "{step}");
    }
}

#[test]
fn too_little_stock_of_one_book_reserves_none_of_the_others() {
    let mut shop = stocked();
    let mut command = place();
    let mut items = items();
    items[1].quantity = 6;
    command.items = items.into();
    let placed = sent(&mut shop, command);
    assert_eq!(run::<Checkout>(&mut shop, &placed, None, |_| NOW), SagaStatus::Rejected);
    assert_eq!((shop.levels(100), shop.levels(200)), ([5, 5, 0, 0], [5, 5, 0, 0]));
    assert!(shop.calls.is_empty());
}

#[test]
fn a_reservation_or_authorisation_that_expired_turns_back() {
    let late: [fn(&str) -> Timestamp; 2] = [
        |step| if step == "confirm_order" { NOW.after(HOUR / 2) } else { NOW },
        |step| if step == "reserve_stock" || step == "confirm_order" { NOW.after(HOUR) } else { NOW },
    ];
    for now in late {
        let mut shop = stocked();
        let placed = sent(&mut shop, place());
        assert_eq!(run::<Checkout>(&mut shop, &placed, None, now), SagaStatus::Compensated);
        assert_eq!((shop.levels(100), shop.order()), ([5, 5, 0, 0], OrderStatus::Cancelled));
        assert_eq!(shop.payment().status(), PaymentStatus::Voided);
    }
}

#[test]
fn paying_back_returns_stock_and_money() {
    let mut shop = bought();
    let requested = sent(&mut shop, request_refund(1, None));
    assert_eq!(run::<Refund>(&mut shop, &requested, None, |_| NOW), SagaStatus::Completed);
    assert_eq!((shop.levels(100), shop.levels(200)), ([5, 5, 0, 0], [5, 5, 0, 0]));
    assert_eq!((shop.order(), shop.payment().status()), (OrderStatus::Refunded, PaymentStatus::Refunded));
    assert_eq!(shop.calls.last().unwrap().1["refund"], json!(refund_id(1)));
}

#[test]
fn a_refund_that_the_provider_refuses_can_be_asked_for_again() {
    let mut shop = bought();
    let requested = sent(&mut shop, request_refund(1, Some(60_000)));
    let refused = run::<Refund>(&mut shop, &requested, Some("refund_payment"), |_| NOW);
    assert_eq!(refused, SagaStatus::Compensated);
    assert_eq!(shop.payment().refundable(), Some(won(100_000)));
    let requested = sent(&mut shop, request_refund(2, Some(100_000)));
    assert_eq!(run::<Refund>(&mut shop, &requested, None, |_| NOW), SagaStatus::Completed);
    assert_eq!((shop.order(), shop.levels(100)), (OrderStatus::Refunded, [5, 2, 0, 3]));
}

#[test]
fn a_refund_before_the_capture_is_rejected_and_changes_nothing() {
    let mut shop = stocked();
    sent(&mut shop, place());
    sent(&mut shop, confirm());
    let requested = sent(&mut shop, request_refund(1, None));
    assert_eq!(run::<Refund>(&mut shop, &requested, None, |_| NOW), SagaStatus::Rejected);
    let state = shop.get(order());
    assert_eq!(state.placed().unwrap().refundable(), won(100_000));
    assert!(shop.calls.is_empty());
}

#[test]
fn only_their_own_events_start_them() {
    let mut shop = bought();
    let placed = sent(&mut stocked(), place());
    let requested = sent(&mut shop, request_refund(1, None));
    assert!(Refund::start(&placed, &order().stream()).is_none());
    assert!(Checkout::start(&requested, &order().stream()).is_none());
    assert_eq!(requested.event_type().name, "OrderRefundRequested");
    let start = Checkout::start(&placed, &order().stream()).unwrap();
    assert_eq!(SagaId::of(Checkout::NAME, &start.business_key), Checkout::id(order()));
}
