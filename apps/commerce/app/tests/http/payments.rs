//! Faults of the provider, and what the customer gets.

use crate::support::{Api, cart, item};
use commerce_app::{
    invariants::check,
    payments::{GatewayError, Movements, PaymentGateway, Recorded},
};
use commerce_domain::{
    money::Currency,
    payments::{Payment, gateway::*},
};
use gallae_core::{Id, saga::EffectKey};
use gallae_ports::BoxFuture;
use serde_json::json;
use std::{collections::BTreeMap, future::ready};

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
        let payment = Payment::of(Id::new(order));
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

/// A provider whose books say something else than the shop's.
struct OtherBooks {
    each: Movements,
    total: Movements,
}

impl PaymentGateway for OtherBooks {
    fn authorize<'a>(
        &'a self,
        _: &'a EffectKey,
        _: AuthorizeRequest,
    ) -> BoxFuture<'a, Result<Authorization, GatewayError>> {
        unreachable!("an audit moves nothing")
    }
    fn void<'a>(
        &'a self,
        _: &'a EffectKey,
        _: &'a EffectKey,
        _: VoidRequest,
    ) -> BoxFuture<'a, Result<Voided, GatewayError>> {
        unreachable!("an audit moves nothing")
    }
    fn capture<'a>(
        &'a self,
        _: &'a EffectKey,
        _: CaptureRequest,
    ) -> BoxFuture<'a, Result<Capture, GatewayError>> {
        unreachable!("an audit moves nothing")
    }
    fn refund<'a>(
        &'a self,
        _: &'a EffectKey,
        _: RefundRequest,
    ) -> BoxFuture<'a, Result<Refunded, GatewayError>> {
        unreachable!("an audit moves nothing")
    }
    fn query<'a>(&'a self, _: &'a EffectKey) -> BoxFuture<'a, Result<Option<Recorded>, GatewayError>> {
        unreachable!("an audit asks for sums")
    }
    fn moved(&self, _: Id<Payment>) -> BoxFuture<'_, Result<Movements, GatewayError>> {
        Box::pin(ready(Ok(self.each)))
    }
    fn moved_in_total(&self) -> BoxFuture<'_, Result<BTreeMap<Currency, Movements>, GatewayError>> {
        Box::pin(ready(Ok(BTreeMap::from([(Currency::Krw, self.total)]))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_money_that_does_not_add_up() {
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    api.order(&token, cart(&[item("product-1", 1, 1_000)])).await.expect(201);
    let moved = |captured, refunded| Movements { captured, refunded };
    let store = api.node.shop.platform.store();
    let audit = |each, total| {
        let books = OtherBooks { each, total };
        async move {
            let report = check(&**store, &books).await.unwrap();
            let mut kinds: Vec<_> = report.violations.iter().map(|violation| violation.invariant).collect();
            kinds.dedup();
            kinds
        }
    };
    assert_eq!(audit(moved(1_000, 0), moved(1_000, 0)).await, [] as [&str; 0]);
    assert_eq!(audit(moved(2_000, 0), moved(2_000, 0)).await, ["money", "money-in-total"], "charged twice");
    assert_eq!(audit(moved(0, 0), moved(1_000, 0)).await, ["money"], "recorded and never charged");
    assert_eq!(
        audit(moved(1_000, 1_000), moved(1_000, 1_000)).await,
        ["money", "money-in-total"],
        "paid back"
    );
    assert_eq!(audit(moved(1_000, 0), moved(3_000, 0)).await, ["money-in-total"], "charged for no order");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_an_order_without_a_checkout_and_copies_that_nobody_bought() {
    use commerce_domain::{orders::Order, stock::Stock};
    use gallae_core::{Actor, CorrelationId, EventId, Metadata, Timestamp};
    use gallae_ports::{AppendBatch, Expected, NewEvent};
    let api = Api::open().await;
    let token = api.customer("user@example.com").await;
    api.order(&token, cart(&[item("product-1", 1, 1_000)])).await.expect(201);
    let store = api.node.shop.platform.store();
    // Written past the dispatcher, as a fault would: a second order's event without its saga, and stock from nowhere.
    let placed = store.read_all(gallae_core::Position::START, 100).await.unwrap();
    let placed = placed.iter().find(|event| &*event.event_type == "OrderCreated").unwrap();
    let uuid = || api.node.shop.platform.entropy().uuid();
    let event = |name: &'static str, payload: bytes::Bytes| NewEvent {
        id: EventId::new(uuid()),
        event_type: name.into(),
        schema_version: 1,
        payload,
    };
    let orphan = Id::<Order>::new(uuid());
    let book = uuid::Uuid::from_u128(7);
    let levels = json!({"received": 5, "available": 1, "reserved": 1, "sold": 2});
    let changed = json!({"book": book, "change": {"kind": "received", "quantity": 5}, "levels": levels});
    let metadata = Metadata::new("t".parse::<CorrelationId>().unwrap(), Actor::Anonymous, "test");
    let batch = AppendBatch::new(Timestamp::from_micros(1), std::sync::Arc::new(metadata))
        .stream(orphan.stream(), Expected::NoStream, vec![event("OrderCreated", placed.payload.clone())])
        .stream(
            Stock::of(Id::new(book)).stream(),
            Expected::NoStream,
            vec![event("StockChanged", changed.to_string().into())],
        );
    store.append(batch).await.unwrap();
    let report = check(&**store, &*api.node.shop.gateway).await.unwrap();
    let found: Vec<_> =
        report.violations.iter().map(|found| (found.invariant, found.subject.clone())).collect();
    assert!(!report.holds);
    assert!(found.contains(&("order-and-saga", orphan.to_string())), "{found:?}");
    let stock =
        found.iter().filter(|(kind, subject)| *kind == "stock" && *subject == book.to_string()).count();
    assert_eq!(stock, 3, "does not add up, sold to nobody, promised to nobody: {found:?}");
}
