//! An order as the tests of several modules place it.

use super::{
    Customer, Order, OrderItem, OrderSource, PaymentMethod, RefundRequest, ShippingAddress,
    commands::{CancelOrder, ConfirmOrder, PlaceOrder, RequestRefund, Returns},
};
use crate::{
    books::Book,
    given::NOW,
    money::{Currency, Money},
    payments::gateway::Authorization,
};
use gallae_core::{Id, Timestamp};
use std::time::Duration;
use uuid::Uuid;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn order() -> Id<Order> {
    Id::new(Uuid::from_u128(7))
}

pub(crate) fn book(number: u128) -> Id<Book> {
    Id::new(Uuid::from_u128(number))
}

pub(crate) fn won(amount: i64) -> Money {
    Money::new(amount, Currency::Krw)
}

pub(crate) fn customer() -> Customer {
    Customer {
        id: Id::new(Uuid::from_u128(1)),
        name: "김민수".into(),
        email: "kim@example.com".parse().unwrap(),
    }
}

/// Books 100 (twice, on two lines) and 200, and something outside the catalogue: ₩100,000 in all.
pub(crate) fn items() -> Vec<OrderItem> {
    let line = |id: u128, quantity, price| OrderItem {
        product_id: book(id).to_string(),
        book: Some(book(id)),
        name: format!("Book {id}"),
        quantity,
        unit_price: won(price),
    };
    let ad_hoc = OrderItem {
        product_id: "product-123".into(),
        book: None,
        name: "노트북".into(),
        ..line(0, 1, 40_000)
    };
    vec![line(100, 1, 10_000), line(200, 3, 10_000), ad_hoc, line(100, 2, 10_000)]
}

pub(crate) fn place() -> PlaceOrder {
    PlaceOrder {
        order: order(),
        customer: customer(),
        items: items().into(),
        shipping_address: ShippingAddress::line("서울시 강남구 테헤란로 123"),
        payment_method: PaymentMethod::Card,
        placed_at: None,
        source: OrderSource::Web,
        reference: None,
        window: None,
    }
}

pub(crate) fn authorization() -> Authorization {
    Authorization { provider_ref: "psp-1".into(), expires_at: NOW.after(HOUR) }
}

pub(crate) fn confirm() -> ConfirmOrder {
    ConfirmOrder { order: order(), authorization: Some(authorization()) }
}

pub(crate) fn cancel() -> CancelOrder {
    CancelOrder { order: order(), code: "PAYMENT_DECLINED".into(), reason: "no money".into() }
}

pub(crate) fn refund_id(number: u128) -> Id<RefundRequest> {
    Id::new(Uuid::from_u128(0xf00 + number))
}

/// A refund of `amount`, or of all that is left with all that can come back.
pub(crate) fn request_refund(number: u128, amount: Option<i64>) -> RequestRefund {
    RequestRefund {
        order: order(),
        refund: refund_id(number),
        amount: amount.map(won),
        returns: if amount.is_some() { Returns::Nothing } else { Returns::All },
        reason: "changed my mind".into(),
        requested_at: None::<Timestamp>,
    }
}
