//! The same request twice, and the same wish twice.

use crate::support::{Api, cart, item};
use axum::http::Method;
use gallae_core::Actor;
use gallae_http::IdempotencyKey;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_the_same_order() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let body = || cart(&[item("product-1", 1, 1_000)]);
    let keyed = |key: &str, body| {
        let (api, token, key) = (&api, &token, key.to_owned());
        async move { api.json_with(Method::POST, "/orders", token, &[("idempotency-key", &key)], body).await }
    };
    let first = keyed("k-1", body()).await.expect(201);
    let again = keyed("\"k-1\"", body()).await.expect(201);
    assert_eq!((&again.text, again.header("location")), (&first.text, first.header("location")));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert!(again.position() >= first.position());
    keyed("k-1", cart(&[item("product-1", 2, 1_000)])).await.refused(422, "IDEMPOTENCY_KEY_REUSED");
    keyed("", body()).await.refused(400, "INVALID_HEADER");
    // In the body it is the same key.
    let mut inside = body();
    inside["idempotencyKey"] = json!("k-1");
    assert_eq!(api.post("/orders", &token, inside.clone()).await.expect(201).text, first.text);
    keyed("k-2", inside).await.refused(400, "INVALID_HEADER");
    // Another's key is another key.
    let other = api.customer("other@example.com").await;
    let theirs = api.json_with(Method::POST, "/orders", &other, &[("idempotency-key", "k-1")], body()).await;
    assert_ne!(theirs.expect(201).text, first.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_with_one_key_are_one_order() {
    let api = Api::open_with(&[("orders.window_seconds", "0")]).await;
    let token = api.customer("user@example.com").await;
    let body = cart(&[item("product-1", 1, 1_000)]);
    let place =
        || api.json_with(Method::POST, "/orders", &token, &[("idempotency-key", "k-1")], body.clone());
    let replies = futures::future::join_all((0..16).map(|_| place())).await;
    let first = place().await.expect(201);
    for reply in replies {
        if reply.status == 201 {
            assert_eq!(reply.text, first.text);
        } else {
            // Sent while the first was under way: it is told to come again, and stores nothing.
            assert_eq!(reply.refused(409, "IDEMPOTENCY_IN_FLIGHT").header("retry-after"), Some("1"));
        }
    }
    let listed = api.get_at("/orders", &token, api.head().await).await.expect(200);
    assert_eq!(listed.json["total"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_request_is_under_way_is_told_to_wait_and_then_gets_the_answer() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let body = || cart(&[item("product-1", 1, 1_000)]);
    let key = [("idempotency-key", "k-1")];
    // As the first request does from its first look at the store to its answer.
    let first = api.node.shop.in_flight.begin(&keyed(&token, &api, "POST /orders", "k-1")).unwrap();
    let second = api.json_with(Method::POST, "/orders", &token, &key, body()).await;
    assert_eq!(second.refused(409, "IDEMPOTENCY_IN_FLIGHT").header("retry-after"), Some("1"));
    assert_eq!(api.get("/orders", &token).await.expect(200).json["total"], 0);
    // Another key, another route and another user are not held up.
    let other = api.customer("other@example.com").await;
    api.json_with(Method::POST, "/orders", &other, &key, body()).await.expect(201);
    let book = json!({"title": "One", "author": "Kim", "price": 1_000});
    api.json_with(Method::POST, "/books", &token, &key, book).await.expect(201);

    drop(first);
    let placed = api.json_with(Method::POST, "/orders", &token, &key, body()).await.expect(201);
    let again = api.json_with(Method::POST, "/orders", &token, &key, body()).await.expect(201);
    assert_eq!((again.text.as_str(), again.header("idempotent-replayed")), (&*placed.text, Some("true")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_checkout_holds_up_no_repetition() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    // Its provider answers long after this test: the first reply waits until its time is over.
    let body = || cart(&[item("PAYMENT_TIMEOUT-1", 1, 1_000)]);
    let key = [("idempotency-key", "k-1")];
    let waiting = [("idempotency-key", "k-1"), ("prefer", "wait=2")];
    let first = api.json_with(Method::POST, "/orders", &token, &waiting, body());
    let second = async {
        api.until("/orders", &token, |orders| orders["total"] == 1).await;
        api.json_with(Method::POST, "/orders", &token, &key, body()).await.expect(201)
    };
    let (first, second) = futures::future::join(first, second).await;
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.expect(201).str("/id"), second.str("/id"));
}

/// The key under which a request of this user is known.
fn keyed(token: &str, api: &Api, operation: &str, key: &str) -> String {
    let user = api.node.shop.tokens.verify(token).unwrap().sub;
    IdempotencyKey::scoped(key, &Actor::User(user).to_string(), operation)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_once_is_not_refused_later() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let book = json!({"title": "One", "author": "Kim", "price": 1_000, "stock": 5});
    let book = api.post("/books", &token, book).await.expect(201).str("/id").to_owned();
    let body = || cart(&[json!({"productId": book, "quantity": 1, "price": 1_000})]);
    let key = [("idempotency-key", "k-1")];
    let first = api.json_with(Method::POST, "/orders", &token, &key, body()).await.expect(201);
    api.json(Method::PATCH, &format!("/books/{book}"), &token, json!({"price": 2_000})).await.expect(200);
    let again = api.json_with(Method::POST, "/orders", &token, &key, body()).await.expect(201);
    assert_eq!(again.text, first.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_products_again_are_questioned_and_confirmed_once() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let body = |quantity: i64| cart(&[item("product-1", quantity, 1_000), item("product-2", 1, 500)]);
    let first = api.order(&token, body(1)).await.expect(201);
    let before = api.head().await;
    // Another quantity, another order of lines: still the same products.
    let mut swapped = body(3);
    swapped["items"].as_array_mut().unwrap().reverse();
    let asked = api.post("/orders", &token, swapped).await.refused(409, "DUPLICATE_ORDER");
    assert_eq!(asked.str("/existingOrderId"), first.str("/id"));
    assert_eq!(api.head().await, before);
    let confirm = |token: &str| {
        let mut body = body(3);
        body["confirmToken"] = json!(token);
        body
    };
    let confirm_token = asked.str("/confirmToken");
    let forged = format!("{}0", &confirm_token[..confirm_token.len() - 1]);
    if forged != confirm_token {
        api.post("/orders", &token, confirm(&forged)).await.refused(422, "INVALID_CONFIRM_TOKEN");
    }
    let other = api.customer("other@example.com").await;
    api.post("/orders", &other, body(1)).await.expect(201);
    api.post("/orders", &other, confirm(confirm_token)).await.refused(422, "INVALID_CONFIRM_TOKEN");
    let second = api.post("/orders", &token, confirm(confirm_token)).await.expect(201);
    assert_ne!(second.str("/id"), first.str("/id"));
    api.post("/orders", &token, confirm(confirm_token)).await.refused(422, "INVALID_CONFIRM_TOKEN");
    let asked = api.post("/orders", &token, body(1)).await.refused(409, "DUPLICATE_ORDER");
    assert_eq!(asked.str("/existingOrderId"), second.str("/id"));
    // Other products are another order.
    api.post("/orders", &token, cart(&[item("product-1", 1, 1_000)])).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_clicks_at_once_one_is_an_order() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let body = cart(&[item("product-1", 1, 1_000)]);
    let replies = futures::future::join_all((0..8).map(|_| api.post("/orders", &token, body.clone()))).await;
    let placed = replies.iter().filter(|reply| reply.status == 201).count();
    let asked = replies.iter().filter(|reply| reply.json["code"] == "DUPLICATE_ORDER").count();
    assert_eq!((placed, asked), (1, 7));
}
