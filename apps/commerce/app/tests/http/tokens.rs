//! Tokens that are not good.

use crate::support::{Api, bearer, cart, item};
use axum::http::Method;
use gallae_http::auth::{AccessClaims, AccessTokens, Secret};
use gallae_runtime::SystemClock;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

fn claims(user: Uuid, exp: i64) -> AccessClaims {
    AccessClaims { sub: user, role: "admin".into(), iss: "gallae".into(), iat: 0, exp }
}

/// Signed with the shop's own secret, so that nothing but the named fault is wrong with it.
fn signed(api: &Api, claims: &AccessClaims, algorithm: Algorithm) -> String {
    let key = EncodingKey::from_secret(api.node.shop.secret.reveal().as_bytes());
    encode(&Header::new(algorithm), claims, &key).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_token_that_is_not_good_is_refused_and_nothing_is_stored() {
    let api = Api::open().await;
    let good = api.customer("user@example.com").await;
    let user = api.node.shop.tokens.verify(&good).unwrap().sub;
    let far = 4_000_000_000;
    let before = api.head().await;

    let clock = Arc::new(SystemClock::new());
    let elsewhere =
        AccessTokens::new(&Secret::new("x".repeat(32)), "gallae", Duration::from_secs(60), clock.clone());
    let other_issuer = AccessTokens::new(&api.node.shop.secret, "somebody", Duration::from_secs(60), clock);
    let (head, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"; // {"alg":"none","typ":"JWT"}
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let cases = [
        ("expired", signed(&api, &claims(user, 1), Algorithm::HS256), "TOKEN_EXPIRED"),
        ("another algorithm", signed(&api, &claims(user, far), Algorithm::HS512), "UNAUTHENTICATED"),
        ("wrong key", elsewhere.issue(user, "admin").unwrap(), "UNAUTHENTICATED"),
        ("wrong issuer", other_issuer.issue(user, "admin").unwrap(), "UNAUTHENTICATED"),
        ("alg none", format!("{none}.{payload}."), "UNAUTHENTICATED"),
        ("alg none, signed", format!("{none}.{payload}.{signature}"), "UNAUTHENTICATED"),
        ("forged", format!("{head}.{payload}.{flipped}{}", &signature[1..]), "UNAUTHENTICATED"),
        ("unsigned", format!("{head}.{payload}."), "UNAUTHENTICATED"),
        ("no token", String::new(), "UNAUTHENTICATED"),
        ("nonsense", "강남".to_owned(), "UNAUTHENTICATED"),
    ];
    // The helper itself makes good tokens.
    assert!(api.node.shop.tokens.verify(&signed(&api, &claims(user, far), Algorithm::HS256)).is_ok());
    for (what, token, code) in cases {
        let headers = [("authorization", &*bearer(&token)), ("content-type", "application/json")];
        let body = cart(&[item("product-1", 1, 1_000)]).to_string();
        let reply = api.send(Method::POST, "/orders", &headers, body).await;
        assert_eq!(reply.json["code"], code, "{what}: {}", reply.text);
        assert_eq!(reply.refused(401, code).header("www-authenticate"), Some("Bearer"), "{what}");
    }
    assert_eq!(api.head().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_operators_is_for_operators() {
    let api = Api::open().await;
    let customer = api.customer("user@example.com").await;
    let order = Uuid::nil();
    for path in ["approve", "deliver"] {
        api.post(&format!("/orders/{order}/{path}"), &customer, serde_json::json!({}))
            .await
            .refused(403, "FORBIDDEN");
    }
    let ship = serde_json::json!({"trackingNumber": "T-1"});
    api.post(&format!("/orders/{order}/ship"), &customer, ship).await.refused(403, "FORBIDDEN");
    let confirm = serde_json::json!({"paymentId": order});
    let path = format!("/orders/{order}/confirm");
    api.json(Method::PUT, &path, &customer, confirm).await.refused(403, "FORBIDDEN");
    api.get("/admin/invariants", &customer).await.refused(403, "FORBIDDEN");
    api.get(&format!("/orders?userId={order}"), &customer).await.refused(403, "FORBIDDEN");
    api.get(&format!("/orders/stream?userId={order}"), &customer).await.refused(403, "FORBIDDEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_user_is_gone_orders_nothing() {
    let api = Api::open().await;
    let token = api.node.shop.tokens.issue(Uuid::nil(), "user").unwrap();
    api.post("/orders", &token, cart(&[item("product-1", 1, 1_000)])).await.refused(401, "UNAUTHENTICATED");
    assert_eq!(api.head().await, 0);
}
