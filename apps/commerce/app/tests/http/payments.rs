//! Faults of the provider, and what the customer gets.

use crate::support::{Api, cart, item};
use gallae_core::Id;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_payment_cancels_the_order() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    let placed = api.order(&token, cart(&[item("PAYMENT_FAIL-1", 1, 1_000)])).await.expect(201);
    assert_eq!(placed.str("/status"), "CANCELLED");
    let path = format!("/orders/{}", placed.str("/id"));
    let shown = api.get_at(&path, &token, api.head().await).await.expect(200);
    assert_eq!(shown.str("/cancellation/code"), "PAYMENT_DECLINED");
    assert_eq!(shown.str("/payment/failureCode"), "PAYMENT_DECLINED");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_and_outages_charge_once() {
    let api = Api::open().await;
    let (token, operator) = (api.customer("user@example.com").await, api.operator().await);
    for product in ["PAYMENT_UNKNOWN-1", "PAYMENT_FLAKY-1"] {
        let placed = api.order(&token, cart(&[item(product, 1, 1_000)])).await.expect(201);
        assert_eq!(placed.str("/sagaStatus"), "COMPLETED", "{product}");
        let order: uuid::Uuid = placed.str("/id").parse().unwrap();
        let payment = commerce_domain::payments::Payment::of(Id::new(order));
        let moved = api.node.shop.gateway.moved(payment).await.unwrap();
        assert_eq!((moved.captured, moved.refunded), (1_000, 0), "{product}");
    }
    let report = api.get("/admin/invariants", &operator).await.expect(200);
    assert_eq!(report.json["ok"], true, "{}", report.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_are_for_trying_out() {
    let api = Api::open_with(&[("payments.triggers", "off")]).await;
    let token = api.customer("user@example.com").await;
    let placed = api.order(&token, cart(&[item("PAYMENT_FAIL-1", 1, 1_000)])).await.expect(201);
    assert_eq!(placed.json["status"], json!("CONFIRMED"));
}
