//! Real orders through the dispatcher: every line counted once, twice is once, interrupted is resumed.

use commerce_app::{
    Configuration, Node,
    imports::{BOOKS, BooksReport, Count, OrdersReport, RETAIL_WEEK},
};
use gallae_cli::Client;
use gallae_core::Position;
use gallae_runtime::Roles;
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};

async fn open(directory: &Path) -> Node {
    let layers = Configuration::layers().unwrap();
    let layers = layers.flag("--data-dir", "data.dir", directory.to_str().unwrap()).unwrap();
    Node::open(&Configuration::read(&layers).unwrap(), Roles::ALL, None).await.unwrap()
}

fn client(node: &Node) -> Client {
    Client::in_process(node.router.clone(), node.operator_token.reveal())
}

/// Imports until the end, or until so many orders are placed.
async fn import(node: &Node, kind: &str, file: &[u8], until: u64) -> Option<Value> {
    let file = file.to_vec().into();
    let mut lines = client(node).upload(&format!("/admin/import/{kind}"), "text/csv", file).await.unwrap();
    while let Some(line) = lines.next().await.unwrap() {
        let mut said: Value = serde_json::from_str(&line).unwrap();
        assert!(said["error"].is_null(), "{said}");
        if said["report"].is_object() {
            return Some(said["report"].take());
        }
        if said["progress"]["phase"] == "orders" && said["progress"]["done"].as_u64().unwrap() >= until {
            return None;
        }
    }
    panic!("the import ended without a report");
}

async fn orders(node: &Node, file: &[u8]) -> OrdersReport {
    serde_json::from_value(import(node, "orders", file, u64::MAX).await.unwrap()).unwrap()
}

async fn head(node: &Node) -> Position {
    node.shop.platform.store().head().await.unwrap()
}

async fn check(node: &Node) {
    let found = client(node).get("/admin/invariants").await.unwrap();
    assert_eq!(found["ok"], true, "{found:#}");
}

/// What happened, without the sagas' own notes: those tell how often something was tried.
async fn happened(node: &Node) -> BTreeMap<String, u64> {
    let (mut counts, mut at) = (BTreeMap::new(), Position::START);
    loop {
        let page = node.shop.platform.store().read_all(at, 500).await.unwrap();
        let Some(last) = page.last() else { return counts };
        at = last.position;
        for event in page.iter().filter(|event| event.stream.category() != "saga") {
            *counts.entry(event.event_type.to_string()).or_default() += 1;
        }
    }
}

/// The first lines of the week, header included.
fn first_lines(count: usize) -> Vec<u8> {
    let end = RETAIL_WEEK.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(count).unwrap().0;
    RETAIL_WEEK[..=end].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_week_adds_up_and_a_second_import_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let node = open(directory.path()).await;
    let first = orders(&node, RETAIL_WEEK).await;
    // The counts are those of the file, taken apart from this program; see the tests of commerce-import.
    assert_eq!((first.lines_in, first.ordered, first.refunded, first.adjusted), (16_985, 16_617, 30, 36));
    assert_eq!((first.rejected.len(), first.adds_up), (302, true));
    let new = |new| Count { new, already: 0 };
    assert_eq!((first.orders, first.products, first.adjustments), (new(608), new(2_259), new(36)));
    let checkouts = BTreeMap::from([("COMPENSATED".to_owned(), 14), ("COMPLETED".to_owned(), 594)]);
    assert_eq!(first.checkouts, checkouts);
    let amounts = &first.amounts;
    assert_eq!((amounts.ordered, amounts.cancelled, amounts.refunded), (31_488_745, 331_855, 84_457));
    assert!(first.rejected.is_sorted_by_key(|rejected| rejected.line));
    check(&node).await;

    let before = head(&node).await;
    let second = orders(&node, RETAIL_WEEK).await;
    assert_eq!(head(&node).await, before, "a second import wrote something");
    let already = |count: Count| Count { new: 0, already: count.all() };
    let expected = OrdersReport {
        customers: already(first.customers),
        products: already(first.products),
        orders: already(first.orders),
        refunds: already(first.refunds),
        adjustments: already(first.adjustments),
        ..first
    };
    assert_eq!(second, expected);
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_import_ends_as_if_it_had_not_been() {
    let file = first_lines(3_000);
    let straight = tempfile::tempdir().unwrap();
    let node = open(straight.path()).await;
    let expected = orders(&node, &file).await;
    let events = happened(&node).await;
    node.close().await;

    let interrupted = tempfile::tempdir().unwrap();
    for until in [3, 40] {
        let node = open(interrupted.path()).await;
        assert_eq!(import(&node, "orders", &file, until).await, None, "it was to be interrupted");
        node.close().await;
    }
    let node = open(interrupted.path()).await;
    let resumed = orders(&node, &file).await;
    assert!(resumed.orders.already >= 40 && resumed.orders.new > 0, "{:?}", resumed.orders);
    assert_eq!(happened(&node).await, events);
    check(&node).await;
    let all = |report: &OrdersReport| {
        [report.customers, report.products, report.orders, report.refunds, report.adjustments]
            .map(|count| count.all())
    };
    assert_eq!(all(&resumed), all(&expected));
    assert_eq!((&resumed.amounts, &resumed.rejected), (&expected.amounts, &expected.rejected));
    assert_eq!(resumed.checkouts, expected.checkouts);
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn books_are_brought_once_and_an_operators_change_stays() {
    let directory = tempfile::tempdir().unwrap();
    let node = open(directory.path()).await;
    let first: BooksReport = serde_json::from_value(import(&node, "books", BOOKS, 0).await.unwrap()).unwrap();
    assert_eq!(
        (first.lines_in, first.books, first.rejected.len()),
        (1_000, Count { new: 1_000, already: 0 }, 0)
    );
    assert!(first.adds_up() && first.copies > 20_000);

    let client = client(&node);
    let found = client.get("/books?limit=1").await.unwrap();
    let path = format!("/books/{}", found["books"][0]["id"].as_str().unwrap());
    let patch = json!({"title": "채식주의자"});
    client.send("PATCH".parse().unwrap(), &path, Some(&patch)).await.unwrap();
    let before = head(&node).await;
    let second: BooksReport =
        serde_json::from_value(import(&node, "books", BOOKS, 0).await.unwrap()).unwrap();
    assert_eq!((second.books, second.copies), (Count { new: 0, already: 1_000 }, 0));
    assert_eq!(head(&node).await, before, "a second import wrote something");
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_expected_file_brings_nothing_in() {
    let directory = tempfile::tempdir().unwrap();
    let node = open(directory.path()).await;
    let client = client(&node);
    let mut lines = client.upload("/admin/import/orders", "text/csv", BOOKS.into()).await.unwrap();
    let mut last = Value::Null;
    while let Some(line) = lines.next().await.unwrap() {
        last = serde_json::from_str(&line).unwrap();
    }
    let told = last["error"].as_str().unwrap();
    assert!(told.contains("InvoiceNo"), "{told}");
    assert_eq!(head(&node).await, Position::START);
    let refused = client.upload("/admin/import/orders", "application/json", "[]".into()).await.unwrap_err();
    assert!(refused.to_string().contains("UNSUPPORTED_MEDIA_TYPE"), "{refused}");
    let stranger = Client::in_process(node.router.clone(), "not-a-token");
    let refused = stranger.upload("/admin/import/orders", "text/csv", RETAIL_WEEK.into()).await.unwrap_err();
    assert!(refused.to_string().contains("UNAUTHENTICATED"), "{refused}");
    node.close().await;
}
