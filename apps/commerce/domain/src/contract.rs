//! What is stored and published for ever: names and shapes that no refactoring may change.

use crate::{
    books::BookEvent,
    orders::{OrderEvent, OrderStatus},
    payments::PaymentEvent,
    stock::StockEvent,
    users::UserEvent,
};
use gallae_core::{EventSet, EventType, decode};
use serde_json::{Value, json};

#[test]
fn events_keep_their_names() {
    let types = [
        UserEvent::types(),
        BookEvent::types(),
        StockEvent::types(),
        OrderEvent::types(),
        PaymentEvent::types(),
    ];
    let names = types.concat().iter().map(EventType::to_string).collect::<Vec<_>>();
    let expected = "UserRegistered UserRoleChanged BookCreated BookUpdated BookDeleted \
        StockChanged StockReserved StockReleased StockSold StockReturned \
        OrderCreated OrderConfirmed OrderApproved OrderShipped OrderDelivered OrderCancelled \
        OrderRefundRequested OrderRefundRejected OrderRefunded \
        PaymentAuthorized PaymentFailed PaymentCompleted PaymentVoided \
        PaymentRefundReserved PaymentRefundReleased PaymentRefunded";
    assert_eq!(names, expected.split_whitespace().map(|name| format!("{name} v1")).collect::<Vec<_>>());
}

/// Reads `payload` and writes it again: the same.
fn keeps<E: gallae_core::Event>(name: &str, payload: &Value) -> E {
    let event: E = decode(name, 1, payload.to_string().as_bytes()).unwrap();
    let mut written = Vec::new();
    event.encode(&mut written).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), *payload, "{name}");
    event
}

#[test]
fn stored_payloads_are_read_and_written_alike() {
    let id = |digit: char| "00000000-0000-0000-0000-00000000000X".replace('X', &digit.to_string());
    let won = |amount: i64| json!({ "amount": amount, "currency": "KRW" });
    keeps::<OrderEvent>(
        "OrderCreated",
        &json!({
            "customer": { "id": id('1'), "name": "김민수", "email": "kim@example.com" },
            "items": [
                { "productId": id('2'), "book": id('2'), "name": "채식주의자", "quantity": 1, "unitPrice": won(12_000) },
                { "productId": "product-123", "name": "노트북", "quantity": 2, "unitPrice": won(1_500_000) },
            ],
            "total": won(3_012_000),
            "shippingAddress": { "line1": "테헤란로 123", "city": "서울", "postalCode": "06234", "express": true },
            "paymentMethod": "BANK_TRANSFER",
            "placedAt": 1_700_000_000_000_000_i64,
            "source": "import",
            "reference": "536365",
        }),
    );
    let before = json!({
        "status": "SHIPPED", "customer": id('1'), "customerName": "김민수", "placedAt": 1, "total": won(5), "pieces": 3,
    });
    let refunded = keeps::<OrderEvent>(
        "OrderRefunded",
        &json!({
            "before": before, "refund": id('3'), "amount": won(5), "totalRefunded": won(5), "returnedPieces": 3,
            "status": "REFUNDED",
        }),
    );
    assert_eq!(refunded.status(), OrderStatus::Refunded);
    let levels = json!({ "received": 9, "available": 2, "reserved": 3, "sold": 4 });
    keeps::<StockEvent>(
        "StockReserved",
        &json!({ "book": id('2'), "order": id('4'), "quantity": 3, "reservedUntil": 7, "levels": levels }),
    );
    let change = json!({ "kind": "adjusted", "by": -1, "reason": "damaged" });
    keeps::<StockEvent>("StockChanged", &json!({ "book": id('2'), "change": change, "levels": levels }));
    keeps::<PaymentEvent>(
        "PaymentCompleted",
        &json!({
            "order": id('4'), "amount": won(5), "method": "CARD", "providerRef": "psp-1", "capturedAt": 8,
        }),
    );
    keeps::<BookEvent>("BookCreated", &json!({ "title": "흰", "author": "한강", "price": won(11_000) }));
    let profile = json!({ "email": "Kim@Example.com", "firstName": "민수", "lastName": "" });
    keeps::<UserEvent>("UserRegistered", &json!({ "profile": profile, "role": "admin" }));
}
