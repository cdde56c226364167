use super::*;
use crate::{
    books::{Book, BookDetails, BookEvent},
    given::{NOW, apply, metadata, project, recorded, when},
    orders::{Order, OrderEvent, OrderStatus, commands::*, examples::*},
    payments::{Payment, PaymentEvent, PaymentStatus, commands::*, gateway},
    sagas::Checkout,
    stock::{Stock, StockEvent, commands::ReceiveStock},
    users::{Email, Profile, Role, User, UserEvent},
};
use gallae_core::{
    Aggregate, CounterProjection, FieldValue, Id, Projection, Recorded, SearchDocument, StreamId, View,
};
use std::collections::BTreeMap;

/// Decides `command` and notes the events.
macro_rules! go {
    ($events:ident, $state:ident, $command:expr) => {
        for event in when(&$state, &$command).unwrap() {
            $state.evolve(&event);
            $events.push(event);
        }
    };
}

/// Placed, confirmed, approved, shipped, partly refunded, then all of it.
fn order_events() -> Vec<OrderEvent> {
    let (mut events, mut state) = (Vec::new(), Order::default());
    go!(events, state, place());
    go!(events, state, confirm());
    go!(events, state, ApproveOrder { order: order() });
    go!(events, state, ShipOrder { order: order(), tracking_number: "T-1".into() });
    go!(events, state, request_refund(1, Some(30_000)));
    go!(events, state, RefundOrder { order: order(), refund: refund_id(1) });
    go!(events, state, request_refund(2, None));
    go!(events, state, RefundOrder { order: order(), refund: refund_id(2) });
    events
}

fn payment_events() -> Vec<PaymentEvent> {
    let (mut events, mut state) = (Vec::new(), Payment::default());
    let (order, amount, method) = (order(), won(100_000), Default::default());
    go!(events, state, RecordAuthorization { order, amount, method, authorization: authorization() });
    let capture = gateway::Capture { provider_ref: "psp-1".into() };
    go!(events, state, RecordCapture { order, amount, method, capture, captured_at: None });
    for (number, amount) in [(1, 30_000), (2, 70_000)] {
        let refund = refund_id(number);
        go!(events, state, ReserveRefund { order, refund, amount: won(amount) });
        let refunded = gateway::Refunded { provider_ref: format!("re-{number}") };
        go!(events, state, RecordRefund { order, refund, refunded, refunded_at: NOW });
    }
    events
}

fn on<E: Clone, F: Clone>(stream: &StreamId, events: Vec<E>, wrap: fn(E) -> F) -> Vec<Recorded<F>> {
    events.into_iter().zip(1..).map(|(event, version)| recorded(stream, version, wrap(event))).collect()
}

fn order_and_payment() -> (Vec<Recorded<OrderOrPaymentEvent>>, Vec<Recorded<OrderOrPaymentEvent>>) {
    let order_stream = order().stream();
    let payment_stream = Payment::of(order()).stream();
    (
        on(&order_stream, order_events(), OrderOrPaymentEvent::Order),
        on(&payment_stream, payment_events(), OrderOrPaymentEvent::Payment),
    )
}

/// Every way of reading two streams together.
fn interleavings<E: Clone>(left: &[E], right: &[E]) -> Vec<Vec<E>> {
    let (Some(first_left), Some(first_right)) = (left.first(), right.first()) else {
        return vec![[left, right].concat()];
    };
    let with = |first: &E, rests: Vec<Vec<E>>| {
        rests.into_iter().map(|rest| [vec![first.clone()], rest].concat()).collect::<Vec<_>>()
    };
    let mut all = with(first_left, interleavings(&left[1..], right));
    all.extend(with(first_right, interleavings(left, &right[1..])));
    all
}

#[test]
fn an_order_view_answers_what_a_customer_asks() {
    let (orders, payments) = order_and_payment();
    let view = project::<OrderViews>(&[&orders[..4], &payments[..2]].concat());
    assert_eq!(view.id, Some(order()));
    assert_eq!(view.status, Some(OrderStatus::Shipped));
    assert_eq!((view.item_count, view.formatted_total.as_str()), (4, "₩100,000"));
    assert_eq!((view.payment.status, view.payment.paid_at), (PaymentStatus::Paid, Some(NOW)));
    assert_eq!(
        (view.shipping_status, view.tracking_number.as_deref()),
        (ShippingStatus::Shipped, Some("T-1"))
    );
    assert_eq!(view.estimated_delivery, Some(NOW.after(24 * 5 * HOUR)));
    assert_eq!(view.saga_id, Some(Checkout::id(order())));
    assert_eq!(view.correlation_id, Some(metadata().correlation_id));
    assert_eq!(view.updated_at, Some(orders[3].time()));
    let fields: Vec<FieldValue> =
        vec![customer().id.to_string().into(), "SHIPPED".into(), NOW.into(), 100_000.into()];
    assert_eq!(view.fields(), fields);
}

#[test]
fn an_order_view_does_not_depend_on_how_its_streams_are_read() {
    let (orders, payments) = order_and_payment();
    let ways = interleavings(&orders, &payments);
    assert!(ways.len() > 1_000, "{}", ways.len());
    let expected = project::<OrderViews>(&ways[0]);
    assert_eq!((expected.status, expected.total_refunded), (Some(OrderStatus::Refunded), Some(won(100_000))));
    assert_eq!(expected.payment.status, PaymentStatus::Refunded);
    for way in ways.iter().step_by(7) {
        assert_eq!(project::<OrderViews>(way), expected);
    }
}

#[test]
fn a_cancelled_order_says_why() {
    let (mut events, mut state) = (Vec::new(), Order::default());
    go!(events, state, place());
    go!(events, state, cancel());
    let view = project::<OrderViews>(&on(&order().stream(), events, OrderOrPaymentEvent::Order));
    assert_eq!(
        (view.status, view.shipping_status),
        (Some(OrderStatus::Cancelled), ShippingStatus::Cancelled)
    );
    assert_eq!(view.cancellation.unwrap().code, "PAYMENT_DECLINED");
}

#[test]
fn an_order_is_found_by_what_people_remember() {
    let document = project::<OrderSearch>(&on(&order().stream(), order_events(), |event| event));
    let text = document.text();
    assert_eq!(text.len(), OrderDocument::TEXT.len());
    for word in [&order().to_string(), "김민수", "kim@example.com", "노트북", "강남구", "product-123"]
    {
        assert!(text.iter().any(|field| field.contains(word)), "{word}");
    }
    assert_eq!(document.status, Some(OrderStatus::Refunded));
    assert_eq!(document.fields().len(), OrderDocument::FIELDS.len());
}

fn details(title: &str) -> BookDetails {
    BookDetails {
        title: title.into(),
        author: "한강".into(),
        isbn: Some("9788936433598".into()),
        description: None,
        price: won(12_000),
        published_year: Some(2007),
        language: None,
    }
}

#[test]
fn a_book_view_does_not_depend_on_how_its_streams_are_read() {
    let book: Id<Book> = book(1);
    let (mut stock_events, mut state) = (Vec::<StockEvent>::new(), Stock::default());
    for quantity in [3, 4] {
        go!(stock_events, state, ReceiveStock { book, quantity });
    }
    let stock = on(&Stock::of(book).stream(), stock_events, BookOrStockEvent::Stock);
    let told = vec![BookEvent::Created(details("소년이 온다")), BookEvent::Updated(details("채식주의자"))];
    let told = on(&book.stream(), told, BookOrStockEvent::Book);
    for way in interleavings(&told, &stock) {
        let view = project::<BookViews>(&way);
        assert_eq!((view.listed().unwrap().title.as_str(), view.stock.available), ("채식주의자", 7));
        let fields: Vec<FieldValue> =
            vec![1.into(), "채식주의자".into(), "한강".into(), 12_000.into(), told[0].time().into()];
        assert_eq!(view.fields(), fields);
    }
    assert_eq!(project::<BookViews>(&stock).fields()[0], FieldValue::Integer(0), "stock alone is not listed");
}

#[test]
fn a_deleted_book_is_neither_listed_nor_found() {
    let events = vec![BookEvent::Created(details("흰")), BookEvent::Deleted {}];
    let stream = book(1).stream();
    let view = project::<BookViews>(&on(&stream, events.clone(), BookOrStockEvent::Book));
    assert_eq!((view.listed(), &view.fields()[0]), (None, &FieldValue::Integer(0)));
    let documents = on(&stream, events, |event| event);
    let found = project::<BookSearch>(&documents[..1]);
    assert_eq!(
        (found.text(), found.removed()),
        (vec!["흰".into(), "한강".into(), "9788936433598".into()], false)
    );
    assert!(project::<BookSearch>(&documents).removed());
}

#[test]
fn users_are_listed_by_address_and_role() {
    let email: Email = "Kim@Example.com".parse().unwrap();
    let profile = Profile { email: email.clone(), first_name: "민수".into(), last_name: "Kim".into() };
    let events = vec![
        UserEvent::Registered { profile, role: Role::User },
        UserEvent::RoleChanged { from: Role::User, to: Role::Admin },
    ];
    let view = project::<UserViews>(&on(&User::of(&email).stream(), events, |event| event));
    assert_eq!(view.fields()[..2], ["kim@example.com".into(), "admin".into()]);
    assert_eq!((view.id, view.profile.unwrap().full_name()), (Some(User::of(&email)), "민수 Kim".to_owned()));
}

#[test]
fn a_payment_view_adds_up() {
    let view = project::<PaymentViews>(&on(&Payment::of(order()).stream(), payment_events(), |event| event));
    assert_eq!((view.order, view.status), (Some(order()), PaymentStatus::Refunded));
    assert_eq!((view.captured, view.total_refunded), (Some(won(100_000)), Some(won(100_000))));
    let amounts: Vec<i64> = view.refunds.iter().map(|refund| refund.amount.amount).collect();
    assert_eq!(amounts, [30_000, 70_000]);
    assert_eq!(view.fields().len(), PaymentView::FIELDS.len());
}

#[test]
fn every_figure_of_the_dashboard_adds_up() {
    let (orders, payments) = order_and_payment();
    let mut totals = BTreeMap::new();
    for event in orders[..7].iter().chain(&payments[..4]) {
        for increment in Sales::count(event) {
            assert_eq!(increment.at, NOW, "all in the bucket in which it was placed and paid");
            *totals.entry(increment.counter).or_insert(0) += increment.by;
        }
    }
    totals.retain(|_, total| *total != 0);
    let expected = [
        ("orders", 1),
        ("orders.SHIPPED", 1),
        ("items.sold", 7),
        ("revenue.KRW", 70_000),
        ("refunds.KRW", 30_000),
    ];
    assert_eq!(totals, expected.map(|(name, total)| (name.to_owned(), total)).into());
}

#[test]
fn orders_by_status_are_as_many_as_were_placed() {
    let (orders, _) = order_and_payment();
    for read in 1..=orders.len() {
        let increments = orders[..read].iter().flat_map(Sales::count);
        let by_status = increments.filter(|increment| increment.counter.starts_with("orders."));
        assert_eq!(by_status.map(|increment| increment.by).sum::<i64>(), 1, "after {read} events");
    }
}

#[test]
fn every_projection_has_its_own_name() {
    let names = [
        OrderViews::NAME,
        OrderSearch::NAME,
        BookViews::NAME,
        BookSearch::NAME,
        UserViews::NAME,
        PaymentViews::NAME,
        Sales::NAME,
    ];
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
    let mut state = Order::default();
    assert_eq!(apply(&mut state, &place()), Ok(1));
}
