//! What bad input gets: the documented status, a stable code, and nothing stored.

use crate::support::{Api, Reply, bearer, cart, item};
use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

async fn raw(api: &Api, token: &str, body: impl Into<axum::body::Body>) -> Reply {
    let headers = [("authorization", &*bearer(token)), ("content-type", "application/json")];
    api.send(Method::POST, "/orders", &headers, body).await
}

fn with(member: &str, value: Value) -> Value {
    let mut body = cart(&[item("product-1", 1, 1_000)]);
    body[member] = value;
    body
}

fn item_with(member: &str, value: Value) -> Value {
    let mut item = item("product-1", 1, 1_000);
    item[member] = value;
    cart(&[item])
}

fn without(member: &str) -> Value {
    let mut item = item("product-1", 1, 1_000);
    item.as_object_mut().unwrap().remove(member);
    cart(&[item])
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_cannot_be() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let before = api.head().await;
    let many: Vec<_> = (0..101).map(|number| item(&format!("product-{number}"), 1, 1_000)).collect();
    let cases = [
        (json!([]), 400, "INVALID_BODY"),
        (json!({}), 400, "INVALID_BODY"),
        (with("items", json!("all")), 400, "INVALID_BODY"),
        (with("surprise", json!(1)), 400, "INVALID_BODY"),
        (with("shippingAddress", json!(5)), 400, "INVALID_BODY"),
        (with("shippingAddress", json!({"line1": "a", "planet": "b"})), 400, "INVALID_BODY"),
        (with("paymentMethod", json!("SHELLS")), 400, "INVALID_BODY"),
        (with("currency", json!("XXX")), 400, "INVALID_BODY"),
        (with("idempotencyKey", json!("")), 400, "INVALID_HEADER"),
        (with("shippingAddress", json!(" ")), 422, "INVALID_ADDRESS"),
        (with("shippingAddress", json!("x".repeat(501))), 422, "INVALID_ADDRESS"),
        (with("items", json!([])), 422, "EMPTY_ORDER"),
        (with("items", json!(many)), 422, "TOO_MANY_ITEMS"),
        (item_with("surprise", json!(1)), 400, "INVALID_BODY"),
        (item_with("quantity", json!("two")), 400, "INVALID_BODY"),
        (item_with("quantity", json!(1.5)), 400, "INVALID_BODY"),
        (item_with("quantity", json!(0)), 422, "INVALID_ITEM"),
        (item_with("quantity", json!(-1)), 422, "INVALID_ITEM"),
        (item_with("quantity", json!(1_000_001)), 422, "INVALID_ITEM"),
        (item_with("quantity", json!(4_294_967_297_i64)), 422, "INVALID_ITEM"),
        (item_with("price", json!(0)), 422, "INVALID_ITEM"),
        (item_with("price", json!(-5)), 422, "INVALID_ITEM"),
        (item_with("price", json!("free")), 400, "INVALID_BODY"),
        (item_with("productId", json!("")), 422, "INVALID_ITEM"),
        (item_with("productId", json!("a\nb")), 422, "INVALID_ITEM"),
        (item_with("productId", json!("x".repeat(101))), 422, "INVALID_ITEM"),
        (item_with("productName", json!(" ")), 422, "INVALID_ITEM"),
        (without("price"), 422, "INVALID_ITEM"),
        (without("productName"), 422, "INVALID_ITEM"),
        (without("quantity"), 400, "INVALID_BODY"),
        (cart(&[item("a", 1_000_000, i64::MAX / 10)]), 422, "TOTAL_TOO_LARGE"),
        (cart(&[item("a", 1_000, 1_000_000_001)]), 422, "TOTAL_TOO_LARGE"),
    ];
    for (body, status, code) in cases {
        let shown = body.to_string().chars().take(200).collect::<String>();
        let reply = raw(&api, &token, body.to_string()).await;
        assert_eq!(
            (reply.status.as_u16(), reply.json["code"].as_str()),
            (status, Some(code)),
            "{shown}: {}",
            reply.text
        );
        reply.refused(status, code);
    }
    assert_eq!(api.head().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_none() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let before = api.head().await;
    for malformed in ["", "{", "{\"items\":[}", "{\"items\":1e999}"] {
        raw(&api, &token, malformed).await.refused(400, "MALFORMED_JSON");
    }
    raw(&api, &token, vec![0xff, 0xfe]).await.refused(400, "MALFORMED_JSON");
    raw(&api, &token, format!("{{\"items\":{}", "[".repeat(100_000))).await.expect(400);
    raw(&api, &token, format!("{{\"shippingAddress\":{}", "[".repeat(100_000))).await.expect(400);
    raw(&api, &token, "x".repeat(10 * 1024 * 1024)).await.refused(413, "PAYLOAD_TOO_LARGE");
    let huge = with("shippingAddress", json!("x".repeat(300 * 1024)));
    raw(&api, &token, huge.to_string()).await.refused(413, "PAYLOAD_TOO_LARGE");
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let headers = [("authorization", &*bearer(&token)), ("content-type", kind)];
        let reply = api.send(Method::POST, "/orders", &headers, "{}").await;
        reply.refused(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    assert_eq!(api.head().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_queries_that_make_no_sense() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let bad_headers = [("gallae-at-least", "soon"), ("gallae-at-least", "-1"), ("prefer", "wait=long")];
    for (name, value) in bad_headers {
        let headers = [("authorization", &*bearer(&token)), (name, value)];
        api.send(Method::GET, "/orders", &headers, "").await.refused(400, "INVALID_HEADER");
    }
    // Refused before there is a correlation id that the problem could carry.
    let unnamed =
        api.send(Method::GET, "/orders", &[("x-correlation-id", "two words")], "").await.expect(400);
    assert_eq!(unnamed.json["code"], "INVALID_HEADER");
    let bad_paths = [
        "/orders?page=0",
        "/orders?limit=101",
        "/orders?limit=x",
        "/orders?surprise=1",
        "/orders?status=LOST",
        "/orders?dateFrom=yesterday",
        "/orders?cursor=made-up",
        "/orders?userId=me",
        "/orders/not-a-uuid",
        "/orders/not-a-uuid/events",
        "/orders/stream?status=LOST",
        "/books?sort=colour",
        "/books?cursor=00000000000000005b5d",
        "/books?q=a&sort=title",
        "/books/1",
        "/api/search",
        "/api/search?q=%20",
        "/api/dashboard?period=decade",
    ];
    for path in bad_paths {
        let reply = api.get(path, &token).await;
        assert_eq!(reply.json["code"], "INVALID_PARAMETER", "{path}: {}", reply.text);
        reply.refused(400, "INVALID_PARAMETER");
    }
    api.get("/nowhere", &token).await.refused(404, "NOT_FOUND");
    let patch = api.send(Method::PATCH, "/orders", &[], "").await.refused(405, "METHOD_NOT_ALLOWED");
    assert!(patch.header("allow").is_some_and(|allow| allow.contains("POST")));
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_order_looks_like_none() {
    let api = Api::open().await;
    let (mine, other) = (api.customer("user@example.com").await, api.customer("other@example.com").await);
    let order = api.order(&mine, cart(&[item("product-1", 1, 1_000)])).await.expect(201);
    let (theirs, none) = (order.str("/id").to_owned(), Uuid::nil().to_string());
    api.get_at(&format!("/orders/{theirs}"), &mine, order.position()).await.expect(200);
    let before = api.head().await;
    for id in [&theirs, &none] {
        api.get(&format!("/orders/{id}"), &other).await.refused(404, "ORDER_NOT_FOUND");
        api.get(&format!("/orders/{id}/events"), &other).await.refused(404, "ORDER_NOT_FOUND");
        let path = format!("/orders/{id}");
        api.json(Method::DELETE, &path, &other, json!({})).await.refused(404, "ORDER_NOT_FOUND");
    }
    assert_eq!(api.head().await, before);
    let listed = api.get_at("/orders", &other, before).await.expect(200);
    assert_eq!(listed.json["total"], 0);
    let found = api.get_at("/api/search?q=%EA%B0%95%EB%82%A8", &other, before).await.expect(200);
    assert_eq!(found.json["total"], 0);
}
