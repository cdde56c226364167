//! What may be moved, and what it adds up to.

use crate::desk::*;
use commerce_psp::{Currency, DeclineCode, MAX_AMOUNT, Money, ProviderError, Totals};
use std::collections::BTreeMap;

#[tokio::test]
async fn money_goes_from_reserved_to_taken_to_returned() {
    let desk = Desk::new();
    let payment = desk.authorized("do").await;
    assert_eq!(desk.ledger_totals().unwrap(), totals(1, 1_000, 0, 0));
    let receipt = executed(desk.capture(&capture("take", payment, 900)).unwrap());
    assert_eq!((receipt.payment, receipt.money, receipt.at), (Some(payment), Some(won(900)), 1_000_000));
    assert_eq!(desk.ledger_totals().unwrap(), totals(1, 0, 900, 0), "the rest is released");
    executed(desk.refund(&refund("back-1", payment, 400)).unwrap());
    executed(desk.refund(&refund("back-2", payment, 500)).unwrap());
    assert_eq!(desk.ledger_totals().unwrap(), totals(1, 0, 900, 900));
    assert_eq!(desk.per_order(ORDER).unwrap(), totals(1, 0, 900, 900));
}

#[tokio::test]
async fn never_more_than_there_is() {
    let desk = Desk::new();
    let payment = desk.authorized("do").await;
    assert_eq!(declined(desk.refund(&refund("r0", payment, 1)).unwrap()), DeclineCode::NotCaptured);
    assert_eq!(
        declined(desk.capture(&capture("c1", payment, 1_001)).unwrap()),
        DeclineCode::ExceedsAuthorized
    );
    executed(desk.capture(&capture("c2", payment, 1_000)).unwrap());
    assert_eq!(declined(desk.capture(&capture("c3", payment, 1)).unwrap()), DeclineCode::AlreadyCaptured);
    executed(desk.refund(&refund("r1", payment, 600)).unwrap());
    assert_eq!(declined(desk.refund(&refund("r2", payment, 401)).unwrap()), DeclineCode::ExceedsRefundable);
    executed(desk.refund(&refund("r3", payment, 400)).unwrap());
    assert_eq!(declined(desk.refund(&refund("r4", payment, 1)).unwrap()), DeclineCode::ExceedsRefundable);
    assert_eq!(desk.ledger_totals().unwrap(), totals(1, 0, 1_000, 1_000));
}

#[tokio::test]
async fn void_releases_once_and_never_after_a_capture() {
    let desk = Desk::new();
    let payment = desk.authorized("do").await;
    let receipt = executed(desk.void(&void("undo", "do")).unwrap());
    assert_eq!((receipt.payment, receipt.money), (Some(payment), Some(won(1_000))));
    assert_eq!(desk.ledger_totals().unwrap(), totals(1, 0, 0, 0));
    assert_eq!(declined(desk.void(&void("undo-2", "do")).unwrap()), DeclineCode::AlreadyVoided);
    assert_eq!(declined(desk.capture(&capture("take", payment, 1)).unwrap()), DeclineCode::AlreadyVoided);

    desk.captured("do-2").await;
    assert_eq!(declined(desk.void(&void("undo-3", "do-2")).unwrap()), DeclineCode::AlreadyCaptured);
    assert_eq!(
        declined(desk.void(&void("undo-4", "do-2-capture")).unwrap()),
        DeclineCode::NotAnAuthorization
    );
    assert_eq!(desk.ledger_totals().unwrap(), totals(2, 0, 1_000, 0));
}

#[tokio::test]
async fn payments_belong_to_one_order_and_one_currency() {
    let desk = Desk::new();
    let payment = desk.captured("do").await;
    let mut other = refund("r1", payment, 1);
    other.order = "order-2".into();
    assert_eq!(declined(desk.refund(&other).unwrap()), DeclineCode::WrongOrder);
    let mut pounds = refund("r2", payment, 1);
    pounds.money.currency = Currency::new("GBP").unwrap();
    assert_eq!(declined(desk.refund(&pounds).unwrap()), DeclineCode::WrongCurrency);
    let mut undo = void("u1", "do");
    undo.order = "order-2".into();
    assert_eq!(declined(desk.void(&undo).unwrap()), DeclineCode::WrongOrder);
    let unknown = commerce_psp::PaymentRef::try_from("pay_0000000002".to_owned()).unwrap();
    assert_eq!(declined(desk.capture(&capture("c1", unknown, 1)).unwrap()), DeclineCode::UnknownPayment);
}

#[tokio::test]
async fn totals_are_kept_apart_by_currency_and_order_and_equal_the_ledger() {
    let desk = Desk::new();
    let currencies = ["KRW", "GBP", "USD"].map(|code| Currency::new(code).unwrap());
    for index in 0..60_i64 {
        let money = Money { amount: 100 + index, currency: currencies[index as usize % 3] };
        let mut ask = authorize(&format!("do-{index}"), 1);
        ask.money = money;
        ask.order = format!("order-{}", index / 2);
        let reference = payment(desk.authorize(ask.clone()).await.unwrap());
        let mut take = capture(&format!("take-{index}"), reference, 1);
        (take.money, take.order) = (money, ask.order.clone());
        let mut undo = void(&format!("undo-{index}"), &format!("do-{index}"));
        undo.order = ask.order.clone();
        match index % 4 {
            0 => drop(executed(desk.void(&undo).unwrap())),
            1 => {}
            _ => drop(executed(desk.capture(&take).unwrap())),
        }
        if index % 4 == 3 {
            let mut back = refund(&format!("back-{index}"), reference, 1);
            (back.money.currency, back.order) = (money.currency, ask.order);
            executed(desk.refund(&back).unwrap());
        }
    }
    let totals = desk.ledger_totals().unwrap();
    let mut by_order: BTreeMap<Currency, Totals> = BTreeMap::new();
    for order in 0..30 {
        for (currency, sums) in desk.per_order(&format!("order-{order}")).unwrap() {
            let into = by_order.entry(currency).or_default();
            into.payments += sums.payments;
            into.authorized_open += sums.authorized_open;
            into.captured += sums.captured;
            into.refunded += sums.refunded;
        }
    }
    assert_eq!(totals, by_order);
    assert_eq!(totals.values().map(|sums| sums.refunded).sum::<i128>(), 15);
    assert_eq!(totals.values().map(|sums| sums.payments).sum::<u64>(), 60);
    // 100 + index over the indices with index % 4 == 1, and over those with 2 or 3.
    assert_eq!(totals.values().map(|sums| sums.authorized_open).sum::<i128>(), 15 * 100 + 435);
    assert_eq!(totals.values().map(|sums| sums.captured).sum::<i128>(), 30 * 100 + 450 + 465);

    let reopened = desk.reopen(|_| {}).unwrap();
    assert_eq!(reopened.ledger_totals().unwrap(), totals);
    assert!(reopened.per_order("order-99").unwrap().is_empty());
}

#[tokio::test]
async fn senseless_requests_leave_no_trace() {
    let desk = Desk::new();
    for amount in [0, -1, i64::MIN, MAX_AMOUNT + 1] {
        let refused = desk.authorize(authorize("do", amount)).await;
        assert!(matches!(refused, Err(ProviderError::InvalidRequest { .. })), "{amount}: {refused:?}");
    }
    for order in [String::new(), "x".repeat(256)] {
        let ask = commerce_psp::Authorize { order, ..authorize("do", 1) };
        assert!(matches!(desk.authorize(ask).await, Err(ProviderError::InvalidRequest { .. })));
    }
    assert!(matches!(desk.void(&void("do", "do")), Err(ProviderError::InvalidRequest { .. })));
    assert_eq!((desk.lines(), desk.query(&key("do")).unwrap()), (0, None));
    executed(desk.authorize(authorize("do", MAX_AMOUNT)).await.unwrap());
}
