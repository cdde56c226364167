//! Faults on demand.

use crate::desk::*;
use commerce_import::payment::{self, Outcome as Table};
use commerce_psp::{Answer, Authorize, DeclineCode, Metadata, Outcome, ProviderOptions};
use std::time::Duration;
use tokio::time::{Instant, timeout};

fn asking(name: &str, id: &str) -> Authorize {
    Authorize { metadata: product(id), ..authorize(name, 1_000) }
}

#[tokio::test]
async fn fail_is_declined_and_moves_nothing() {
    let desk = Desk::new();
    let answer = desk.authorize(asking("do", "PAYMENT_FAIL_CARD")).await.unwrap();
    assert_eq!(declined(answer), DeclineCode::PaymentDeclined);
    let entry = desk.entries().unwrap().next().unwrap().unwrap();
    assert_eq!((entry.payment, entry.money), (None, Some(won(1_000))));
    let json = serde_json::to_value(&entry).unwrap();
    assert_eq!(json["decline"]["code"], "PAYMENT_DECLINED");
    assert_eq!(desk.ledger_totals().unwrap(), Default::default());
}

#[tokio::test(start_paused = true)]
async fn timeout_charges_nobody_who_hung_up_and_ends_with_a_void() {
    let desk = Desk::new();
    let ask = asking("do", "PAYMENT_TIMEOUT-1");
    assert!(timeout(Duration::from_secs(5), desk.authorize(ask.clone())).await.is_err());
    assert_eq!(desk.query(&key("do")).unwrap(), None);
    executed(desk.void(&void("undo", "do")).unwrap());
    assert_eq!(declined(desk.authorize(ask).await.unwrap()), DeclineCode::KeyVoided);
    assert_eq!(desk.ledger_totals().unwrap(), Default::default());
}

#[tokio::test(start_paused = true)]
async fn timeout_meets_the_void_that_overtook_it() {
    let desk = Desk::new();
    let overtake = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        desk.void(&void("undo", "do")).unwrap()
    };
    let (late, undone) = tokio::join!(desk.authorize(asking("do", "PAYMENT_TIMEOUT")), overtake);
    executed(undone);
    assert_eq!(declined(late.unwrap()), DeclineCode::KeyVoided);
    assert_eq!(desk.ledger_totals().unwrap(), Default::default());
}

#[tokio::test(start_paused = true)]
async fn timeout_answers_late_who_waits_and_at_once_who_asks_again() {
    let desk = Desk::new();
    let start = Instant::now();
    executed(desk.authorize(asking("do", "PAYMENT_TIMEOUT")).await.unwrap());
    assert_eq!(start.elapsed().as_secs(), 30);
    executed(desk.authorize(asking("do", "PAYMENT_TIMEOUT")).await.unwrap());
    assert_eq!(start.elapsed().as_secs(), 30);
    assert_eq!(desk.lines(), 1);
}

#[tokio::test]
async fn unknown_executes_and_drops_the_reply() {
    let desk = Desk::new();
    let ask = asking("do", "PAYMENT_UNKNOWN");
    assert_eq!(desk.authorize(ask.clone()).await.unwrap(), Answer::NoReply);
    let Some(Outcome::Executed(receipt)) = desk.query(&key("do")).unwrap() else { panic!("not executed") };
    assert_eq!(executed(desk.authorize(ask).await.unwrap()), receipt, "the same request finds it too");
    let mut take = capture("take", receipt.payment.unwrap(), 1_000);
    take.metadata = product("PAYMENT_UNKNOWN");
    assert_eq!(desk.capture(&take).unwrap(), Answer::NoReply);
    assert_eq!(desk.ledger_totals().unwrap(), totals(1, 0, 1_000, 0));
}

#[tokio::test]
async fn flaky_fails_twice_for_each_key_then_works_once() {
    let desk = Desk::new();
    for name in ["do-1", "do-2"] {
        for _ in 0..2 {
            assert_eq!(desk.authorize(asking(name, "PAYMENT_FLAKY")).await.unwrap(), Answer::Unavailable);
            assert_eq!(desk.query(&key(name)).unwrap(), None);
        }
        let first = executed(desk.authorize(asking(name, "PAYMENT_FLAKY")).await.unwrap());
        assert_eq!(executed(desk.authorize(asking(name, "PAYMENT_FLAKY")).await.unwrap()), first);
    }
    assert_eq!((desk.lines(), desk.ledger_totals().unwrap()), (2, totals(2, 2_000, 0, 0)));
}

#[tokio::test]
async fn triggers_can_be_switched_off() {
    let desk = Desk::with(ProviderOptions { honour_triggers: false, ..ProviderOptions::default() });
    for (name, id) in
        [("1", "PAYMENT_FAIL"), ("2", "PAYMENT_TIMEOUT"), ("3", "PAYMENT_UNKNOWN"), ("4", "PAYMENT_FLAKY")]
    {
        executed(desk.authorize(asking(name, id)).await.unwrap());
    }
}

#[tokio::test]
async fn a_trigger_is_the_beginning_of_a_product_id() {
    let desk = Desk::new();
    executed(desk.authorize(asking("1", "MY_PAYMENT_FAIL")).await.unwrap());
    executed(desk.authorize(asking("2", "payment_fail")).await.unwrap());
}

#[tokio::test]
async fn imported_invoices_end_as_the_fixed_table_says() {
    let desk = Desk::new();
    let mut declines = 0;
    for number in 536_365..536_665 {
        let invoice = number.to_string();
        let expected = payment::outcome(&invoice);
        let metadata = Metadata { invoice: Some(invoice.clone()), ..Metadata::default() };
        let answer = desk.authorize(Authorize { metadata, ..authorize(&invoice, 1_000) }).await.unwrap();
        match expected {
            Table::Approved => drop(executed(answer)),
            Table::Declined => {
                assert_eq!(declined(answer), DeclineCode::PaymentDeclined);
                declines += 1;
            }
        }
    }
    assert!(declines > 0, "the range holds declined invoices");
}
