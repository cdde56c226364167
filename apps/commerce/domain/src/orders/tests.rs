use super::{commands::*, examples::*, *};
use crate::{
    books::{Book, BookDetails, BookEvent},
    given::{NOW, apply, given, taken, when, when_at},
    money::{Currency, Money},
};
use gallae_core::{ClaimChange, Command, Rejection, RejectionKind};
use std::{sync::Arc, time::Duration};

fn code_of(result: Result<Vec<OrderEvent>, OrderRejection>) -> &'static str {
    result.unwrap_err().code()
}

type Step = fn(&mut Order) -> Result<usize, OrderRejection>;

/// An order after `count` steps of its straight way.
fn after(count: usize) -> Order {
    let steps: [Step; 5] = [
        |state| apply(state, &place()),
        |state| apply(state, &confirm()),
        |state| apply(state, &ApproveOrder { order: order() }),
        |state| apply(state, &ShipOrder { order: order(), tracking_number: "T-1".into() }),
        |state| apply(state, &DeliverOrder { order: order() }),
    ];
    let mut state = Order::default();
    for step in &steps[..count] {
        assert_eq!(step(&mut state), Ok(1));
    }
    state
}

fn status(state: &Order) -> OrderStatus {
    state.placed().unwrap().status
}

#[test]
fn placing_adds_up_and_dates_itself() {
    let Ok(events) = when(&Order::default(), &place()) else { panic!("refused") };
    let [OrderEvent::Created(created)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((created.total, created.placed_at), (won(100_000), NOW));
    let state: Order = given(&events);
    assert_eq!(when(&state, &place()), Ok(vec![]), "the same order again");
    let mut other = place();
    other.items = items()[..1].into();
    assert_eq!(when(&state, &other), Err(OrderRejection::AlreadyExists));
}

#[test]
fn an_import_is_as_long_and_as_old_as_it_is() {
    let mut long = place();
    long.items = vec![items()[0].clone(); MAX_ITEMS + 1].into();
    assert_eq!(when(&Order::default(), &long), Err(OrderRejection::TooManyItems { limit: 100 }));
    long.source = OrderSource::Import;
    long.placed_at = Some(NOW.before(HOUR));
    let events = when(&Order::default(), &long).unwrap();
    assert!(matches!(&events[..], [OrderEvent::Created(created)] if created.placed_at == NOW.before(HOUR)));
}

#[test]
fn what_cannot_be_ordered_is_refused_with_its_reason() {
    let spoil = |change: fn(&mut Vec<OrderItem>)| {
        let mut spoilt = items();
        change(&mut spoilt);
        when(&Order::default(), &PlaceOrder { items: spoilt.into(), ..place() }).unwrap_err()
    };
    let wrong: [(&str, OrderRejection); 8] = [
        ("EMPTY_ORDER", spoil(Vec::clear)),
        ("INVALID_ITEM", spoil(|items| items[1].quantity = 0)),
        ("INVALID_ITEM", spoil(|items| items[1].unit_price.amount = -1)),
        ("INVALID_ITEM", spoil(|items| items[1].product_id = "a\nb".into())),
        ("INVALID_ITEM", spoil(|items| items[1].name = " ".into())),
        ("MIXED_CURRENCIES", spoil(|items| items[1].unit_price.currency = Currency::Usd)),
        ("TOTAL_TOO_LARGE", spoil(|items| items[1].unit_price.amount = i64::MAX)),
        ("TOTAL_TOO_LARGE", spoil(|items| (items[0].quantity, items[1].quantity) = (u32::MAX, 1))),
    ];
    for (code, rejection) in wrong {
        assert_eq!((rejection.code(), rejection.kind()), (code, RejectionKind::Unprocessable));
    }
    let nowhere = PlaceOrder { shipping_address: ShippingAddress::line(" "), ..place() };
    assert_eq!(when(&Order::default(), &nowhere), Err(OrderRejection::InvalidAddress));
}

#[test]
fn the_window_knows_customer_and_products_alone() {
    let window = Some(Duration::from_secs(60));
    assert_eq!(place().claims(&Order::default()), vec![]);
    let first = PlaceOrder { window, ..place() };
    let mut again = items();
    again.reverse();
    again[0].quantity = 9;
    again[1].unit_price = won(1);
    let again = PlaceOrder { items: again.into(), ..first.clone() };
    let key = |command: &PlaceOrder| taken(&command.claims(&Order::default())).unwrap().to_owned();
    assert_eq!(key(&first), key(&again));
    assert_ne!(key(&first), key(&PlaceOrder { items: items()[..1].into(), ..first.clone() }));
    let mut other = first.clone();
    other.customer.id = gallae_core::Id::new(uuid::Uuid::from_u128(2));
    assert_ne!(key(&first), key(&other));
    let release = ClaimChange::Release { key: key(&first), owner: order().to_string() };
    assert_eq!(cancel().claims(&after(1)), vec![release]);
}

#[test]
fn a_book_costs_what_the_catalogue_says() {
    let details = BookDetails {
        title: "채식주의자".into(),
        author: "한강".into(),
        isbn: None,
        description: None,
        price: won(12_000),
        published_year: None,
        language: None,
    };
    let listed: Book = given(&[BookEvent::Created(details.clone())]);
    let item = OrderItem::from_catalogue(book(1), &listed, 2, Some(won(12_000))).unwrap();
    assert_eq!((item.name.as_str(), item.unit_price, item.book), ("채식주의자", won(12_000), Some(book(1))));
    assert_eq!(OrderItem::from_catalogue(book(1), &listed, 2, None), Ok(item));
    let changed = OrderItem::from_catalogue(book(1), &listed, 2, Some(won(11_000))).unwrap_err();
    assert_eq!(
        (changed.code(), &changed.facts()["currentPrice"]["amount"]),
        ("PRICE_CHANGED", &12_000.into())
    );
    let gone: Book = given(&[BookEvent::Created(details), BookEvent::Deleted {}]);
    let gone = OrderItem::from_catalogue(book(1), &gone, 2, None).unwrap_err();
    assert_eq!(gone.code(), "UNKNOWN_PRODUCT");
}

#[test]
fn stock_lines_add_up_by_book() {
    let lines = stock_lines(items().iter().map(|item| (item.book, item.quantity)));
    let line = |number, quantity| StockLine { book: book(number), quantity };
    assert_eq!(lines, vec![line(100, 3), line(200, 3)]);
}

#[test]
fn confirmation_needs_a_live_authorisation() {
    let pending = after(1);
    let expiry = authorization().expires_at;
    let expired = when_at(expiry, &pending, &confirm());
    assert_eq!(expired, Err(OrderRejection::AuthorizationExpired { at: expiry }));
    assert!(when_at(expiry.before(Duration::from_micros(1)), &pending, &confirm()).is_ok());
    let none = ConfirmOrder { authorization: None, ..confirm() };
    assert_eq!(when(&pending, &none), Err(OrderRejection::PaymentNotAuthorized));
    assert_eq!(when(&after(2), &confirm()), Ok(vec![]));
    assert_eq!(when(&Order::default(), &confirm()), Err(OrderRejection::NotFound));
}

#[test]
fn only_a_pending_order_is_cancelled() {
    let mut state = after(1);
    assert_eq!(apply(&mut state, &cancel()), Ok(1));
    assert_eq!(status(&state), OrderStatus::Cancelled);
    assert_eq!(apply(&mut state, &cancel()), Ok(0));
    for confirmed in 2..=5 {
        let refused = when(&after(confirmed), &cancel()).unwrap_err();
        assert_eq!(refused.code(), "WRONG_ORDER_STATUS");
    }
}

#[test]
fn a_wrong_status_is_a_conflict_that_names_it() {
    let refused = when(&after(1), &ApproveOrder { order: order() }).unwrap_err();
    assert_eq!((refused.code(), refused.kind()), ("WRONG_ORDER_STATUS", RejectionKind::Conflict));
    assert_eq!(refused.facts()["orderStatus"], "PENDING");
    let other = ShipOrder { order: order(), tracking_number: "T-2".into() };
    assert_eq!(code_of(when(&after(4), &other)), "WRONG_ORDER_STATUS");
    assert_eq!(when(&after(4), &ShipOrder { tracking_number: " T-1 ".into(), ..other }), Ok(vec![]));
}

#[test]
fn an_order_is_refunded_when_all_of_it_was_paid_back() {
    let mut state = after(2);
    assert_eq!(apply(&mut state, &request_refund(1, Some(30_000))), Ok(1));
    assert_eq!(apply(&mut state, &request_refund(1, Some(30_000))), Ok(0));
    let too_much = when(&state, &request_refund(2, Some(70_001)));
    assert_eq!(too_much, Err(OrderRejection::RefundTooLarge { refundable: won(70_000) }));
    assert_eq!(apply(&mut state, &RefundOrder { order: order(), refund: refund_id(1) }), Ok(1));
    assert_eq!(status(&state), OrderStatus::Confirmed);

    let events = when(&state, &request_refund(2, None)).unwrap();
    let [OrderEvent::RefundRequested { request, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(
        (request.amount, request.pieces(), request.payment.provider_ref.as_str()),
        (won(70_000), 7, "psp-1")
    );
    assert_eq!(apply(&mut state, &request_refund(2, None)), Ok(1));
    assert_eq!(code_of(when(&state, &request_refund(3, None))), "REFUND_PENDING");
    assert_eq!(code_of(when(&state, &ApproveOrder { order: order() })), "REFUND_PENDING");
    assert_eq!(apply(&mut state, &RefundOrder { order: order(), refund: refund_id(2) }), Ok(1));
    assert_eq!((status(&state), state.placed().unwrap().refunded()), (OrderStatus::Refunded, won(100_000)));
}

#[test]
fn a_rejected_refund_frees_its_amount_and_its_pieces() {
    let mut state = after(5);
    apply(&mut state, &request_refund(1, None)).unwrap();
    let reject = RejectRefund {
        order: order(),
        refund: refund_id(1),
        code: "NO".into(),
        reason: "account closed".into(),
    };
    assert_eq!(apply(&mut state, &reject), Ok(1));
    assert_eq!(apply(&mut state, &reject), Ok(0));
    let placed = state.placed().unwrap();
    assert_eq!((placed.refundable(), placed.returnable("product-123")), (won(100_000), 1));
    assert_eq!(
        code_of(when(&state, &RefundOrder { order: order(), refund: refund_id(1) })),
        "REFUND_SETTLED"
    );
}

#[test]
fn no_more_pieces_come_back_than_were_ordered() {
    let mut state = after(2);
    let pieces = |number, pieces| RequestRefund {
        returns: Returns::Pieces([(book(100).to_string(), pieces)].into()),
        ..request_refund(number, Some(10_000))
    };
    assert_eq!(apply(&mut state, &pieces(1, 2)), Ok(1));
    let refused = when(&state, &pieces(2, 2)).unwrap_err();
    assert_eq!((refused.code(), &refused.facts()["returnable"]), ("RETURN_TOO_LARGE", &1.into()));
    let unknown = Returns::Pieces([("nothing".to_owned(), 1)].into());
    let unknown = RequestRefund { returns: unknown, ..pieces(2, 1) };
    assert_eq!(code_of(when(&state, &unknown)), "RETURN_TOO_LARGE");
    assert_eq!(apply(&mut state, &pieces(2, 1)), Ok(1));
}

#[test]
fn only_money_that_was_taken_is_paid_back() {
    assert_eq!(code_of(when(&after(1), &request_refund(1, None))), "WRONG_ORDER_STATUS");
    let dollars = RequestRefund { amount: Some(Money::new(1, Currency::Usd)), ..request_refund(1, None) };
    assert_eq!(when(&after(2), &dollars), Err(OrderRejection::InvalidRefund));
    assert_eq!(when(&after(2), &request_refund(1, Some(0))), Err(OrderRejection::InvalidRefund));
    let unknown = RefundOrder { order: order(), refund: refund_id(9) };
    assert_eq!(when(&after(2), &unknown), Err(OrderRejection::UnknownRefund));
}

#[test]
fn an_address_is_one_line_and_says_when() {
    let mut address =
        ShippingAddress { city: Some("서울".into()), ..ShippingAddress::line("테헤란로 123") };
    assert_eq!(address.one_line(), "테헤란로 123, 서울");
    let day = 24 * HOUR;
    assert_eq!(address.estimated_delivery(NOW), NOW.after(5 * day));
    address.express = true;
    assert_eq!(address.estimated_delivery(NOW), NOW.after(2 * day));
}

#[test]
fn stored_orders_share_their_items() {
    let state = after(1);
    let copy = state.clone();
    assert!(Arc::ptr_eq(&state.placed().unwrap().items, &copy.placed().unwrap().items));
}

#[test]
fn created_is_another_word_for_pending() {
    assert_eq!("CREATED".parse(), Ok(OrderStatus::Pending));
    for status in OrderStatus::ALL {
        assert_eq!(status.as_str().parse(), Ok(*status));
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
    assert!("LOST".parse::<OrderStatus>().is_err());
}
