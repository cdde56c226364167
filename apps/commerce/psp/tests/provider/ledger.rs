//! The file: what it holds, what is read back, and what is made of damage.

use crate::desk::*;
use commerce_psp::{LedgerError, Operation, ProviderError, ProviderOptions, TornLine};
use std::fs::{self, OpenOptions};
use std::io::Write;

fn append(path: impl AsRef<std::path::Path>, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let desk = Desk::new();
    let payment = desk.captured("do").await;
    executed(desk.refund(&refund("back", payment, 10)).unwrap());
    executed(desk.void(&void("undo", "unseen")).unwrap());
    declined(desk.refund(&refund("back-2", payment, 991)).unwrap());
    let before: Vec<_> = desk.entries().unwrap().map(Result::unwrap).collect();
    let first = desk.query(&key("do")).unwrap();

    let desk = desk.reopen(|_| {}).unwrap();
    assert_eq!(desk.entries().unwrap().map(Result::unwrap).collect::<Vec<_>>(), before);
    assert_eq!(desk.query(&key("do")).unwrap(), first);
    assert_eq!(desk.torn_line().unwrap(), None);
    executed(desk.refund(&refund("back", payment, 10)).unwrap());
    assert_eq!(desk.ledger_totals().unwrap(), totals(1, 0, 1_000, 10), "not refunded twice");
    assert_ne!(desk.authorized("do-2").await, payment, "references go on");
}

#[tokio::test]
async fn entries_say_what_was_moved_in_order() {
    let desk = Desk::new();
    let payment = desk.captured("do").await;
    desk.pass(7);
    executed(desk.refund(&refund("back", payment, 10)).unwrap());
    let entries: Vec<_> = desk.entries().unwrap().map(Result::unwrap).collect();
    let operations: Vec<_> = entries.iter().map(|entry| entry.operation).collect();
    assert_eq!(operations, [Operation::Authorize, Operation::Capture, Operation::Refund]);
    let last = &entries[2];
    assert_eq!((last.at, last.money, last.payment), (1_000_007, Some(won(10)), Some(payment)));
    assert_eq!((last.key.as_str(), last.order.as_str()), ("back", ORDER));
}

#[tokio::test]
async fn texts_cannot_break_a_line() {
    let desk = Desk::new();
    let mut ask = authorize("열쇠\n\"\\\u{0}", 1_000);
    ask.order = "주문\r\n2".into();
    executed(desk.authorize(ask.clone()).await.unwrap());
    let desk = desk.reopen(|_| {}).unwrap();
    executed(desk.authorize(ask).await.unwrap());
    assert_eq!((desk.lines(), desk.per_order("주문\r\n2").unwrap()), (1, totals(1, 1_000, 0, 0)));
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_wherever_it_broke() {
    let desk = Desk::new();
    desk.authorized("do").await;
    desk.authorized("do-2").await;
    let whole = fs::read(desk.path()).unwrap();
    let second = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut desk = desk;
    for cut in second + 1..whole.len() {
        desk = desk.reopen(|path| fs::write(path, &whole[..cut]).unwrap()).unwrap();
        let torn = TornLine { offset: second as u64, bytes: (cut - second) as u64 };
        assert_eq!(desk.torn_line().unwrap(), Some(torn));
        assert_eq!(fs::metadata(desk.path()).unwrap().len(), second as u64);
        assert_eq!(desk.ledger_totals().unwrap(), totals(1, 1_000, 0, 0));
    }
    desk.authorized("do-2").await;
    assert_eq!(fs::read(desk.path()).unwrap(), whole, "what was cut off can be sent again");
}

#[tokio::test]
async fn damage_inside_is_refused_and_left_alone() {
    let desk = Desk::new();
    desk.authorized("do").await;
    let whole = fs::read(desk.path()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for line in ["not json\n", "{}\n", "\n"] {
        let damaged = [&whole, line.as_bytes(), &whole].concat();
        let path = folder.path().join("ledger");
        fs::write(&path, &damaged).unwrap();
        let refused = commerce_psp::Provider::open(&path, || 0, ProviderOptions::default());
        let Err(LedgerError::Damaged { offset, .. }) = refused else { panic!("opened") };
        assert_eq!(offset, whole.len() as u64);
        assert_eq!(fs::read(&path).unwrap(), damaged);
    }
}

#[tokio::test]
async fn a_ledger_that_breaks_its_own_rules_is_refused() {
    let desk = Desk::new();
    let payment = desk.captured("do").await;
    executed(desk.refund(&refund("back", payment, 600)).unwrap());
    let refused = desk.reopen(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let last = text.lines().last().unwrap();
        append(path, format!("{}\n", last.replace("\"back\"", "\"back-2\"")).as_bytes());
    });
    let Err(LedgerError::Damaged { reason, .. }) = refused else { panic!("opened") };
    assert!(reason.contains("above what was captured"), "{reason}");
}

#[tokio::test]
async fn one_process_at_a_time() {
    let desk = Desk::new();
    let second = commerce_psp::Provider::open(desk.path(), || 0, ProviderOptions::default());
    assert!(matches!(second, Err(LedgerError::InUse { .. })), "{second:?}");
}

#[tokio::test]
async fn nothing_is_executed_that_cannot_be_written() {
    let desk = Desk::new();
    desk.authorized("do").await;
    let length = fs::metadata(desk.path()).unwrap().len();
    append(desk.path(), b"{\"half a li");
    let refused = desk.authorize(authorize("do-2", 1_000)).await;
    assert!(matches!(refused, Err(ProviderError::Ledger(_))), "{refused:?}");
    assert_eq!(
        (desk.query(&key("do-2")).unwrap(), desk.ledger_totals().unwrap()),
        (None, totals(1, 1_000, 0, 0))
    );

    OpenOptions::new().write(true).open(desk.path()).unwrap().set_len(length).unwrap();
    desk.authorized("do-2").await;
    assert_eq!(desk.reopen(|_| {}).unwrap().ledger_totals().unwrap(), totals(2, 2_000, 0, 0));
}
