//! Idempotency keys: once, whoever asks, however often.

use crate::desk::*;
use commerce_psp::{Answer, DeclineCode, Outcome, ProviderError, ProviderOptions};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn same_request_under_the_same_key_gets_the_same_answer() {
    let desk = Desk::new();
    let first = desk.authorize(authorize("do", 1_000)).await.unwrap();
    desk.pass(5_000_000);
    assert_eq!(desk.authorize(authorize("do", 1_000)).await.unwrap(), first, "time of the first included");
    let payment = payment(first);
    for _ in 0..3 {
        executed(desk.capture(&capture("take", payment, 1_000)).unwrap());
        executed(desk.refund(&refund("back", payment, 10)).unwrap());
        let too_much = desk.refund(&refund("back-2", payment, 991)).unwrap();
        assert_eq!(declined(too_much), DeclineCode::ExceedsRefundable);
    }
    assert_eq!(desk.ledger_totals().unwrap(), totals(1, 0, 1_000, 10));
    assert_eq!(desk.lines(), 4);
}

#[tokio::test]
async fn a_recorded_decline_stays_although_it_would_succeed_now() {
    let desk = Desk::new();
    let payment = desk.authorized("do").await;
    assert_eq!(declined(desk.refund(&refund("back", payment, 10)).unwrap()), DeclineCode::NotCaptured);
    executed(desk.capture(&capture("take", payment, 1_000)).unwrap());
    assert_eq!(declined(desk.refund(&refund("back", payment, 10)).unwrap()), DeclineCode::NotCaptured);
}

#[tokio::test]
async fn another_request_under_the_same_key_is_an_error() {
    let desk = Desk::new();
    let reference = desk.authorized("do").await;
    let reused = |answer: Result<Answer, ProviderError>| {
        assert!(matches!(&answer, Err(ProviderError::KeyReused { key: k }) if *k == key("do")), "{answer:?}");
    };
    reused(desk.authorize(authorize("do", 1_001)).await);
    reused(desk.capture(&capture("do", reference, 1_000)));
    let mut other_product = authorize("do", 1_000);
    other_product.metadata = product("book-2");
    reused(desk.authorize(other_product).await);
    assert_eq!(desk.ledger_totals().unwrap(), totals(1, 1_000, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_calls_with_one_key_execute_once() {
    let desk = Arc::new(Desk::new());
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..64 {
        let desk = Arc::clone(&desk);
        callers.spawn(async move {
            desk.authorize(authorize(&format!("do-{}", caller % 4), 1_000)).await.unwrap()
        });
    }
    let mut payments: Vec<_> = callers.join_all().await.into_iter().map(payment).collect();
    payments.sort_unstable();
    payments.dedup();
    assert_eq!(payments.len(), 4);
    assert_eq!((desk.lines(), desk.ledger_totals().unwrap()), (4, totals(4, 4_000, 0, 0)));
}

#[tokio::test]
async fn query_finds_what_was_executed_and_what_was_declined() {
    let desk = Desk::new();
    let payment = desk.authorized("do").await;
    declined(desk.refund(&refund("back", payment, 1)).unwrap());
    let Some(Outcome::Executed(receipt)) = desk.query(&key("do")).unwrap() else { panic!("not found") };
    assert_eq!((receipt.payment, receipt.order.as_str()), (Some(payment), ORDER));
    let Some(Outcome::Declined(decline)) = desk.query(&key("back")).unwrap() else { panic!("not found") };
    assert_eq!(decline.code, DeclineCode::NotCaptured);
    assert_eq!(desk.query(&key("never")).unwrap(), None);
}

#[tokio::test]
async fn voiding_what_was_never_seen_closes_its_key_for_ever() {
    let mut desk = Desk::new();
    let receipt = executed(desk.void(&void("undo", "do")).unwrap());
    assert_eq!((receipt.payment, receipt.money), (None, None));
    assert_eq!(executed(desk.void(&void("undo-2", "do")).unwrap()).payment, None, "still nothing to release");
    for _ in 0..2 {
        let late = desk.authorize(authorize("do", 1_000)).await.unwrap();
        assert_eq!(declined(late), DeclineCode::KeyVoided);
        let found = desk.query(&key("do")).unwrap();
        assert!(matches!(found, Some(Outcome::Declined(decline)) if decline.code == DeclineCode::KeyVoided));
        // Far beyond any retention, and after a restart.
        desk.pass(400 * 24 * 3_600 * 1_000_000);
        desk = desk.reopen(|_| {}).unwrap();
    }
    assert_eq!(desk.ledger_totals().unwrap(), Default::default());
}

#[tokio::test]
async fn voiding_a_declined_authorisation_has_nothing_to_release() {
    let desk = Desk::new();
    let mut ask = authorize("do", 1_000);
    ask.metadata = product("PAYMENT_FAIL");
    assert_eq!(declined(desk.authorize(ask.clone()).await.unwrap()), DeclineCode::PaymentDeclined);
    assert_eq!(executed(desk.void(&void("undo", "do")).unwrap()).payment, None);
    assert_eq!(
        declined(desk.authorize(ask).await.unwrap()),
        DeclineCode::PaymentDeclined,
        "same answer as before"
    );
}

#[tokio::test]
async fn keys_are_forgotten_after_their_retention_but_money_is_not() {
    let options = ProviderOptions { key_retention: Duration::from_secs(10), ..ProviderOptions::default() };
    let desk = Desk::with(options);
    let first = desk.authorized("do").await;
    desk.pass(10_000_000);
    assert_eq!(desk.authorized("do").await, first, "still kept");
    desk.pass(1);
    assert_eq!(desk.query(&key("do")).unwrap(), None);
    let receipt = executed(desk.void(&void("undo", "do")).unwrap());
    assert_eq!(receipt.payment, Some(first), "what is reserved can still be released");
    assert_ne!(desk.authorized("do").await, first, "a forgotten key executes again");
    assert_eq!(desk.ledger_totals().unwrap(), totals(2, 1_000, 0, 0));
}
