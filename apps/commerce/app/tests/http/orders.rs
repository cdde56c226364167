//! An order's life.

use crate::support::{Api, cart, item};
use axum::http::Method;
use commerce_app::payments::Movements;
use serde_json::{Value, json};

async fn new_book(api: &Api, token: &str, price: i64, stock: u32) -> String {
    let body = json!({"title": "강남 이야기", "author": "Kim", "price": price, "stock": stock});
    api.post("/books", token, body).await.expect(201).str("/id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_placed_to_delivered() {
    let api = Api::open().await;
    let (customer, operator) = (api.customer("user@example.com").await, api.operator().await);
    let book = new_book(&api, &operator, 15_000, 10).await;
    let body = cart(&[
        json!({"productId": book, "quantity": 2, "price": 15_000}),
        item("product-123", 1, 1_500_000),
    ]);
    let placed = api.order(&customer, body).await.expect(201);
    assert_eq!((placed.str("/sagaStatus"), placed.str("/status")), ("COMPLETED", "CONFIRMED"));
    assert_eq!(placed.json["totalAmount"], 1_530_000);
    let (id, at) = (placed.str("/id"), api.head().await);
    assert_eq!(placed.header("location"), Some(&*format!("/orders/{id}")));
    assert_eq!(placed.str("/orderId"), id);

    let shown = api.get_at(&format!("/orders/{id}"), &customer, at).await.expect(200);
    assert_eq!((shown.str("/paymentStatus"), shown.str("/saga/status")), ("PAID", "COMPLETED"));
    assert_eq!((shown.str("/formattedTotal"), shown.str("/customer/name")), ("₩1,530,000", "길동 홍"));
    assert_eq!(shown.json["items"][0]["inCatalogue"], true);
    assert_eq!(shown.str("/shippingStatus"), "PENDING");
    let stock = api.get_at(&format!("/books/{book}"), "", at).await.json["stock"].clone();
    assert_eq!(stock, json!({"available": 8, "reserved": 0, "sold": 2}));

    // Also under /api, and in the order of the states alone.
    let act = |step: &str, body: Value| {
        let path = format!("/api/orders/{id}/{step}");
        let (api, operator) = (&api, &operator);
        async move { api.post(&path, operator, body).await }
    };
    let early = act("ship", json!({"trackingNumber": "T-1"})).await.refused(409, "WRONG_ORDER_STATUS");
    assert_eq!(early.str("/orderStatus"), "CONFIRMED");
    assert_eq!(act("approve", json!({})).await.expect(200).str("/status"), "APPROVED");
    act("ship", json!({"trackingNumber": " "})).await.refused(422, "INVALID_TRACKING_NUMBER");
    act("ship", json!({"trackingNumber": "T-1"})).await.expect(200);
    let late = api.json(Method::DELETE, &format!("/orders/{id}"), &customer, json!({})).await;
    late.refused(409, "WRONG_ORDER_STATUS");
    let delivered = act("deliver", json!({})).await.expect(200);
    let shown = api.get_at(&format!("/orders/{id}"), &customer, delivered.position()).await.expect(200);
    assert_eq!((shown.str("/status"), shown.str("/trackingNumber")), ("DELIVERED", "T-1"));
    assert_eq!(shown.header("etag"), delivered.header("etag"));

    let history = api.get(&format!("/orders/{id}/events"), &customer).await.expect(200);
    let kinds: Vec<_> =
        history.json["events"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["OrderCreated", "OrderConfirmed", "OrderApproved", "OrderShipped", "OrderDelivered"]);

    let sound = api.get("/admin/invariants", &operator).await.expect(200);
    assert_eq!(sound.json["ok"], true, "{}", sound.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogues_price_counts() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let book = new_book(&api, &token, 15_000, 10).await;
    let before = api.head().await;
    let line = |extra: Value| {
        let mut line = json!({"productId": book, "quantity": 1});
        line.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        cart(&[line])
    };
    let refused =
        api.post("/orders", &token, line(json!({"price": 14_000}))).await.refused(409, "PRICE_CHANGED");
    assert_eq!(refused.json["currentPrice"], json!({"amount": 15_000, "currency": "KRW"}));
    let mut pounds = line(json!({"price": 15_000}));
    pounds["currency"] = json!("GBP");
    api.post("/orders", &token, pounds).await.refused(422, "MIXED_CURRENCIES");
    assert_eq!(api.head().await, before);
    // Without a price the customer takes the catalogue's; the title is the catalogue's in any case.
    let placed = api.order(&token, line(json!({"productName": "Something else"}))).await.expect(201);
    assert_eq!(placed.json["items"][0]["productName"], "강남 이야기");
    api.json(Method::DELETE, &format!("/books/{book}"), &token, json!({})).await.expect(204);
    let gone = api.post("/orders", &token, line(json!({"price": 15_000}))).await;
    gone.refused(422, "UNKNOWN_PRODUCT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_catalogue_sells_nothing_else() {
    let api = Api::open_with(&[("catalogue.strict", "on")]).await;
    let token = api.customer("user@example.com").await;
    let before = api.head().await;
    let refused = api.post("/orders", &token, cart(&[item("product-1", 1, 1_000)])).await;
    assert_eq!(refused.refused(422, "UNKNOWN_PRODUCT").str("/productId"), "product-1");
    let unknown = uuid::Uuid::nil().to_string();
    api.post("/orders", &token, cart(&[item(&unknown, 1, 1_000)])).await.refused(422, "UNKNOWN_PRODUCT");
    assert_eq!(api.head().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_copies_cancel_the_order_and_free_its_window() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let book = new_book(&api, &token, 15_000, 1).await;
    let line = |quantity: i64| cart(&[json!({"productId": book, "quantity": quantity})]);
    let placed = api.order(&token, line(2)).await.expect(201);
    assert_eq!((placed.str("/sagaStatus"), placed.str("/status")), ("REJECTED", "CANCELLED"));
    let path = format!("/orders/{}", placed.str("/id"));
    let shown = api.get_at(&path, &token, api.head().await).await.expect(200);
    assert_eq!(shown.str("/cancellation/code"), "INSUFFICIENT_STOCK");
    api.json(Method::DELETE, &path, &token, json!({})).await.refused(409, "WRONG_ORDER_STATUS");
    let second = api.order(&token, line(1)).await.expect(201);
    assert_eq!(second.str("/status"), "CONFIRMED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_order_that_is_cancelled_is_paid_back() {
    let api = Api::open().await;
    let (customer, operator) = (api.customer("user@example.com").await, api.operator().await);
    let book = new_book(&api, &customer, 15_000, 5).await;
    let placed = api.order(&customer, cart(&[json!({"productId": book, "quantity": 2})])).await.expect(201);
    let path = format!("/orders/{}", placed.str("/id"));
    let cancelled =
        api.json(Method::DELETE, &path, &customer, json!({"reason": "주문 실수"})).await.expect(202);
    assert_eq!(cancelled.json["cancelRequested"], true);
    let refunded = api.until(&path, &customer, |order| order["status"] == "REFUNDED").await;
    assert_eq!(
        (&refunded.json["refundedAmount"], refunded.str("/refunds/0/reason")),
        (&json!(30_000), "주문 실수")
    );
    let stock = api.get_at(&format!("/books/{book}"), "", api.head().await).await.json["stock"].clone();
    assert_eq!(stock, json!({"available": 5, "reserved": 0, "sold": 0}));
    api.json(Method::DELETE, &path, &customer, json!({})).await.refused(409, "WRONG_ORDER_STATUS");
    api.until("/admin/invariants", &operator, |report| report["ok"] == true).await;
    let figures = api.get_at("/api/dashboard", &operator, api.head().await).await.expect(200);
    assert_eq!(figures.json["revenue"], json!([]), "what came went");
    assert_eq!(
        (&figures.json["refunds"][0]["amount"], &figures.json["itemsReturned"]),
        (&json!(30_000), &json!(2))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_order_is_cancelled_by_its_checkout() {
    // The provider never answers in time, so the checkout is held at the authorisation.
    let api = Api::open_with(&[("payments.deadline_ms", "300")]).await;
    let token = api.customer("user@example.com").await;
    let placed = api.post("/orders", &token, cart(&[item("PAYMENT_TIMEOUT-1", 1, 1_000)])).await.expect(201);
    let path = format!("/orders/{}", placed.str("/id"));
    let key = [("idempotency-key", "cancel-1")];
    let first = api.json_with(Method::DELETE, &path, &token, &key, json!({"reason": "x"})).await.expect(202);
    assert_eq!(first.str("/sagaId"), placed.str("/sagaId"));
    let again = api.json_with(Method::DELETE, &path, &token, &key, json!({"reason": "x"})).await.expect(202);
    assert_eq!(again.text, first.text);
    let other = api.json_with(Method::DELETE, &path, &token, &key, json!({"reason": "y"})).await;
    other.refused(422, "IDEMPOTENCY_KEY_REUSED");
    let shown = api.until(&path, &token, |order| order["status"] == "CANCELLED").await;
    assert_eq!(shown.str("/cancellation/reason"), "x");
    let order: uuid::Uuid = placed.str("/id").parse().unwrap();
    let payment = commerce_domain::payments::Payment::of(gallae_core::Id::new(order));
    assert_eq!(api.node.shop.gateway.moved(payment).await.unwrap(), Movements::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn confirming_by_hand_needs_the_orders_own_payment() {
    let api = Api::open().await;
    let (customer, operator) = (api.customer("user@example.com").await, api.operator().await);
    let placed = api.order(&customer, cart(&[item("product-1", 1, 1_000)])).await.expect(201);
    let path = format!("/orders/{}/confirm", placed.str("/id"));
    let shown = api.get_at(&format!("/orders/{}", placed.str("/id")), &customer, api.head().await).await;
    let own = json!({"paymentId": shown.str("/payment/id")});
    let foreign = json!({"paymentId": uuid::Uuid::nil()});
    api.json(Method::PUT, &path, &operator, foreign).await.refused(422, "PAYMENT_MISMATCH");
    api.json(Method::PUT, &path, &customer, own.clone()).await.refused(403, "FORBIDDEN");
    let confirmed = api.json(Method::PUT, &path, &operator, own.clone()).await.expect(200);
    assert_eq!(confirmed.str("/status"), "CONFIRMED");
    let declined = api.order(&customer, cart(&[item("PAYMENT_FAIL-1", 1, 1_000)])).await.expect(201);
    let path = format!("/orders/{}/confirm", declined.str("/id"));
    api.json(Method::PUT, &path, &operator, own).await.refused(422, "PAYMENT_MISMATCH");
    let nowhere = format!("/orders/{}/confirm", uuid::Uuid::nil());
    let any = json!({"paymentId": uuid::Uuid::nil()});
    api.json(Method::PUT, &nowhere, &operator, any).await.refused(404, "ORDER_NOT_FOUND");
}
