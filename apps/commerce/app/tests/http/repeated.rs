//! The same request twice, and the same wish twice.

use crate::support::{Api, cart, item};
use axum::http::Method;
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
    let all = (0..16)
        .map(|_| api.json_with(Method::POST, "/orders", &token, &[("idempotency-key", "k-1")], body.clone()));
    let replies = futures::future::join_all(all).await;
    for reply in &replies {
        assert_eq!((reply.status.as_u16(), &reply.text), (201, &replies[0].text));
    }
    let listed = api.get_at("/orders", &token, api.head().await).await.expect(200);
    assert_eq!(listed.json["total"], 1);
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
