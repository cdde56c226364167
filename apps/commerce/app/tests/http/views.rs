//! Reading: one's own writes, lists, search, figures, live events.

use crate::support::{Api, bearer, cart, item};
use axum::http::Method;
use serde_json::json;

const GANGNAM: &str = "%EA%B0%95%EB%82%A8";

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gets_what_it_has_seen_or_a_clear_no() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let placed = api.order(&token, cart(&[item("product-1", 1, 1_000)])).await.expect(201);
    let path = format!("/orders/{}", placed.str("/id"));
    // Without a token of its own the first look waits for a view that is on its way.
    api.get(&path, &token).await.expect(200);
    let beyond = (api.head().await + 1_000).to_string();
    let headers = [("authorization", &*bearer(&token)), ("gallae-at-least", &beyond)];
    let refused = api.send(Method::GET, &path, &headers, "").await.refused(400, "INVALID_TOKEN_POSITION");
    assert!(refused.json["head"].is_u64());

    api.node.shop.platform.projections().pause("order-views").await.unwrap();
    let second = api.order(&token, cart(&[item("product-2", 1, 1_000)])).await.expect(201);
    let at = second.position().to_string();
    let headers = [("authorization", &*bearer(&token)), ("gallae-at-least", &at), ("prefer", "wait=0")];
    let behind = api.send(Method::GET, "/orders", &headers, "").await.refused(503, "VIEW_BEHIND");
    assert!(behind.header("retry-after").is_some());
    // What is there can still be read by who asks for nothing newer.
    assert_eq!(api.get("/orders", &token).await.expect(200).json["total"], 1);
    api.node.shop.platform.projections().resume("order-views").await.unwrap();
    let read = api.get_at("/orders", &token, second.position()).await.expect(200);
    assert_eq!(read.json["total"], 2);
    assert!(read.position() >= second.position());
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_listed_filtered_and_paged() {
    let api = Api::open().await;
    let (token, operator) = (api.customer("user@example.com").await, api.operator().await);
    for product in ["PAYMENT_FAIL-1", "product-1", "product-2", "product-3"] {
        api.order(&token, cart(&[item(product, 1, 1_000)])).await.expect(201);
    }
    api.order(&operator, cart(&[item("product-1", 1, 1_000)])).await.expect(201);
    let at = api.head().await;
    let total = |path: &'static str, token: &str| {
        let (api, token) = (&api, token.to_owned());
        async move { api.get_at(path, &token, at).await.expect(200).json["total"].clone() }
    };
    assert_eq!(total("/orders", &token).await, 4);
    assert_eq!(total("/api/orders", &operator).await, 5);
    assert_eq!(total("/orders?status=CONFIRMED", &token).await, 3);
    assert_eq!(total("/orders?status=CREATED", &token).await, 0);
    assert_eq!(total("/orders?dateFrom=2020-01-01", &token).await, 4);
    assert_eq!(total("/orders?dateTo=2020-01-01", &token).await, 0);
    assert_eq!(total("/orders?dateFrom=2100-01-01T00:00:00Z", &token).await, 0);
    let first = api.get_at("/orders?limit=3", &token, at).await.expect(200);
    assert_eq!((&first.json["totalPages"], first.json["orders"].as_array().unwrap().len()), (&json!(2), 3));
    let cursor = first.str("/nextCursor");
    let rest = api.get_at(&format!("/orders?limit=3&cursor={cursor}"), &token, at).await.expect(200);
    let last = rest.json["orders"].as_array().unwrap();
    assert_eq!((last.len(), &last[0]["items"][0]["productId"]), (1, &json!("PAYMENT_FAIL-1")));
    api.get(&format!("/books?cursor={cursor}"), "").await.refused(400, "INVALID_PARAMETER");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_korean_syllables_find_an_order() {
    let api = Api::open().await;
    let (token, operator) = (api.customer("user@example.com").await, api.operator().await);
    let placed = api.order(&token, cart(&[item("product-1", 1, 1_000)])).await.expect(201);
    let at = api.head().await;
    let found = api.get_at(&format!("/api/search?q={GANGNAM}"), &token, at).await.expect(200);
    assert_eq!((&found.json["total"], found.str("/hits/0/orderId")), (&json!(1), placed.str("/id")));
    let highlight = &found.json["hits"][0]["highlights"][0];
    assert_eq!(highlight["field"], "address");
    let parts = highlight["parts"].as_array().unwrap();
    assert!(parts.contains(&json!({"text": "강남", "matched": true})), "{highlight}");
    assert_eq!(api.get_at(&format!("/api/search?q={GANGNAM}"), &operator, at).await.json["total"], 1);
    assert_eq!(api.get_at("/api/search?q=USER@example", &token, at).await.json["total"], 1);
    assert_eq!(api.get_at("/api/search?q=zebra", &token, at).await.json["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_add_up_for_the_shop_and_for_each_customer() {
    let api = Api::open().await;
    let (token, operator) = (api.customer("user@example.com").await, api.operator().await);
    api.order(&token, cart(&[item("product-1", 2, 1_000)])).await.expect(201);
    api.order(&token, cart(&[item("PAYMENT_FAIL-1", 1, 1_000)])).await.expect(201);
    api.order(&operator, cart(&[item("product-1", 1, 500)])).await.expect(201);
    let at = api.head().await;
    for (caller, scope, orders, revenue, sold) in
        [(&operator, "shop", 3, 2_500, 3), (&token, "mine", 2, 2_000, 2)]
    {
        for period in ["today", "week", "month", "year"] {
            let shown = api.get_at(&format!("/api/dashboard?period={period}"), caller, at).await.expect(200);
            assert_eq!((shown.str("/scope"), &shown.json["total"]), (scope, &json!(orders)));
            let of_period = &shown.json["period"];
            assert_eq!(of_period["total"], orders, "{period}");
            assert_eq!(of_period["revenue"][0]["amount"], revenue);
            assert_eq!(of_period["itemsSold"], sold);
            assert_eq!(of_period["byStatus"]["CANCELLED"], 1);
            let series = of_period["series"].as_array().unwrap();
            let sum: i64 = series.iter().map(|bucket| bucket["orders"].as_i64().unwrap()).sum();
            assert_eq!(sum, orders);
            assert_eq!(shown.json["trends"]["orders"]["previous"], 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_events_resume_after_a_position() {
    let api = Api::open().await;
    let (token, other) = (api.customer("user@example.com").await, api.customer("other@example.com").await);
    let first = api.order(&token, cart(&[item("product-1", 1, 1_000)])).await.expect(201);
    api.order(&other, cart(&[item("product-1", 1, 1_000)])).await.expect(201);
    api.order(&token, cart(&[item("product-2", 1, 1_000)])).await.expect(201);
    let headers = |after: u64| [("authorization", bearer(&token)), ("last-event-id", after.to_string())];
    let live = |path: &'static str, after: u64, count| {
        let headers = headers(after);
        let api = &api;
        async move {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            api.live(path, &headers, count).await
        }
    };
    let all = live("/orders/stream", 0, 4).await;
    let kinds: Vec<_> = all.iter().map(|(kind, ..)| kind.as_str()).collect();
    assert_eq!(kinds, ["OrderCreated", "OrderConfirmed", "OrderCreated", "OrderConfirmed"]);
    assert_eq!(all[0].2["orderId"], first.json["id"]);
    assert!(all.is_sorted_by_key(|(_, position, _)| *position));
    assert!(all.iter().all(|(_, position, data)| data["position"] == *position));
    let rest = live("/api/orders/stream", all[1].1, 2).await;
    assert_eq!(rest, all[2..]);
    let confirmed = live("/orders/stream?status=CONFIRMED", 0, 2).await;
    assert_eq!(confirmed, [all[1].clone(), all[3].clone()]);
    let beyond = (api.head().await + 1_000).to_string();
    let headers = [("authorization", &*bearer(&token)), ("last-event-id", &beyond)];
    api.send(Method::GET, "/orders/stream", &headers, "").await.refused(400, "INVALID_TOKEN_POSITION");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_describes_every_route_and_names_it_once() {
    let api = Api::open().await;
    let document = api.get("/api/openapi.json", "").await.expect(200).json;
    let paths = document["paths"].as_object().unwrap();
    let expected = [
        "/auth/register",
        "/auth/login",
        "/auth/refresh",
        "/auth/logout",
        "/auth/me",
        "/books",
        "/books/{id}",
        "/orders",
        "/orders/{id}",
        "/orders/{id}/confirm",
        "/orders/{id}/approve",
        "/orders/{id}/ship",
        "/orders/{id}/deliver",
        "/orders/{id}/events",
        "/orders/stream",
        "/api/dashboard",
        "/api/search",
        "/admin/invariants",
        "/health",
    ];
    for path in expected {
        assert!(paths.contains_key(path), "{path}");
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_of_the_domain_has_a_title() {
    use commerce_domain::{
        books::BookRejection, orders::OrderRejection, stock::StockRejection, users::UserRejection,
    };
    use gallae_core::Rejection;
    let known: Vec<_> = commerce_app::codes::ALL.iter().map(|code| code.code).collect();
    let mut unique = known.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), known.len(), "no code twice");
    assert!(known.iter().all(|code| gallae_http::codes::ALL.iter().all(|platform| platform.code != *code)));
    let rejections: [&dyn Rejection; 5] = [
        &OrderRejection::NotFound,
        &BookRejection::Deleted,
        &StockRejection::NotReserved,
        &UserRejection::InvalidName,
        &commerce_domain::payments::PaymentRejection::RefundPaid,
    ];
    for rejection in rejections {
        assert!(known.contains(&rejection.code()), "{}", rejection.code());
    }
}
