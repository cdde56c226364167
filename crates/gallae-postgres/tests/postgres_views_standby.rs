//! Reads from a standby that is behind: what a store has said once it does not take back.
//!
//! The standby is another database, which the test brings up to date by hand and with rows of its own, so that an answer
//! shows where it comes from.

mod schemas;
mod support;

use bytes::Bytes;
use gallae_core::{Position, ViewKey};
use gallae_ports::{Generation, ProjectionSpec, ProjectionStore, Slot, ViewBatch, ViewRow, ViewStore};
use gallae_postgres::{
    Settings,
    views::{Behind, PostgresViews, Then},
};
use schemas::TestSchema;
use std::time::Duration;
use support::TestDatabase;

const ORDERS: ProjectionSpec = ProjectionSpec { name: "orders", revision: 1, fields: &[], text: &[] };
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(30);

struct Pair {
    schema: TestSchema,
    standby_database: TestDatabase,
    /// Writes to the standby.
    standby: PostgresViews,
}

impl Pair {
    async fn new() -> Self {
        let (schema, standby_database) = (TestSchema::new(), TestDatabase::create().await);
        let settings = Settings { write_url: standby_database.url(), ..schema.settings() };
        let standby = PostgresViews::new(&support::open(settings).await, Behind::default());
        Self { schema, standby_database, standby }
    }

    /// A node that writes to the primary and reads from the standby.
    async fn node(&self, wait: Duration, then: Then) -> PostgresViews {
        self.node_that_reads(self.standby_database.url(), wait, then).await
    }

    async fn node_that_reads(&self, url: String, wait: Duration, then: Then) -> PostgresViews {
        let settings = Settings { read_url: Some(url), ..self.schema.settings() };
        PostgresViews::new(&support::open(settings).await, Behind { wait, then })
    }
}

fn slot(generation: u64) -> Slot {
    Slot { projection: "orders".to_owned(), generation: Generation(generation) }
}

fn row(document: &str) -> ViewRow {
    let document = Bytes::copy_from_slice(document.as_bytes());
    ViewRow { key: "k".into(), document, fields: Vec::new(), changed_at: Position::new(1) }
}

async fn write(views: &PostgresViews, generation: u64, from: u64, document: &str) {
    let (from, to) = (Position::new(from), Position::new(from + 1));
    let batch = ViewBatch { from, to, epoch: 1, rows: vec![row(document)], removed: Vec::new() };
    views.apply(&slot(generation), batch).await.unwrap();
}

async fn read(views: &PostgresViews) -> String {
    let found = views.get("orders", &ViewKey::from("k")).await.unwrap().unwrap();
    String::from_utf8(found.document.to_vec()).unwrap()
}

/// Both with one row, the standby with another document.
async fn opened(pair: &Pair, node: &PostgresViews) {
    for (views, document) in [(node, "primary 1"), (&pair.standby, "standby 1")] {
        views.open(&ORDERS, false).await.unwrap();
        write(views, 1, 0, document).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_comes_in_time_is_waited_for() {
    let pair = Pair::new().await;
    let node = pair.node(LONG, Then::AnswerBehind).await;
    opened(&pair, &node).await;
    assert_eq!(read(&node).await, "standby 1", "queries go to the standby");
    write(&node, 1, 1, "primary 2").await;
    let late = async {
        tokio::time::sleep(SHORT).await;
        write(&pair.standby, 1, 1, "standby 2").await;
    };
    let (answer, ()) = futures::join!(read(&node), late);
    assert_eq!(answer, "standby 2");
}

#[tokio::test]
async fn a_standby_that_stays_behind_is_passed_over_or_not_as_was_chosen() {
    let pair = Pair::new().await;
    let node = pair.node(SHORT, Then::AskPrimary).await;
    opened(&pair, &node).await;
    write(&node, 1, 1, "primary 2").await;
    assert_eq!(read(&node).await, "primary 2");

    let eventual = pair.node(SHORT, Then::AnswerBehind).await;
    eventual.state("orders").await.unwrap();
    assert_eq!(read(&eventual).await, "standby 1");
}

#[tokio::test]
async fn whoever_was_told_a_cursor_reads_what_it_stands_for() {
    let pair = Pair::new().await;
    let (writer, other) = (pair.node(LONG, Then::AskPrimary).await, pair.node(SHORT, Then::AskPrimary).await);
    opened(&pair, &writer).await;
    write(&writer, 1, 1, "primary 2").await;
    assert_eq!(read(&other).await, "standby 1", "nobody has told this node of more");
    assert_eq!(other.state("orders").await.unwrap().unwrap().cursor, Position::new(2));
    assert_eq!(read(&other).await, "primary 2");
}

#[tokio::test]
async fn a_repair_and_a_switch_are_seen_by_whoever_made_them() {
    let pair = Pair::new().await;
    let node = pair.node(SHORT, Then::AskPrimary).await;
    opened(&pair, &node).await;
    node.repair("orders", Position::new(1), vec![("k".into(), Some(row("repaired")))]).await.unwrap();
    assert_eq!(read(&node).await, "repaired");
    pair.standby
        .repair("orders", Position::new(1), vec![("k".into(), Some(row("repaired there")))])
        .await
        .unwrap();
    assert_eq!(read(&node).await, "repaired there");

    let shadow = node.create_shadow(&ORDERS).await.unwrap();
    write(&node, shadow.generation.0, 0, "rebuilt").await;
    assert_eq!(read(&node).await, "repaired there", "a shadow is nothing to wait for");
    node.switch(&shadow).await.unwrap();
    assert_eq!(read(&node).await, "rebuilt", "the standby lacks the tables");
    let shadow = pair.standby.create_shadow(&ORDERS).await.unwrap();
    write(&pair.standby, shadow.generation.0, 0, "rebuilt there").await;
    pair.standby.switch(&shadow).await.unwrap();
    assert_eq!(read(&node).await, "rebuilt there");
}

#[tokio::test]
async fn a_projection_or_a_standby_that_is_not_there_is_asked_of_the_primary() {
    let pair = Pair::new().await;
    let node = pair.node(SHORT, Then::AskPrimary).await;
    node.open(&ORDERS, false).await.unwrap();
    write(&node, 1, 0, "primary 1").await;
    assert_eq!(read(&node).await, "primary 1", "the standby does not know the projection");
    assert!(node.get("unknown", &"k".into()).await.is_err());

    let nowhere = "postgres://postgres@127.0.0.1:1/postgres".to_owned();
    let alone = pair.node_that_reads(nowhere, SHORT, Then::AnswerBehind).await;
    assert_eq!(read(&alone).await, "primary 1");
}

#[tokio::test]
async fn what_a_failover_has_lost_is_waited_for_once() {
    let pair = Pair::new().await;
    let node = pair.node(SHORT, Then::AskPrimary).await;
    opened(&pair, &node).await;
    write(&node, 1, 1, "lost").await;
    pair.schema.rows("UPDATE @.generations SET changes = 1, cursor = 1").await;
    // The first answer comes from the primary, which has less than was said.
    read(&node).await;
    assert_eq!(read(&node).await, "standby 1", "the standby has as much as the primary");
}
