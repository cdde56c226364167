//! What is PostgreSQL's own about views. What every adapter promises is in `gallae-conformance`.

mod schemas;
mod support;

use bytes::Bytes;
use gallae_core::{Field, FieldValue, Increment, Position, Timestamp};
use gallae_ports::{
    ApplyError, COUNTER_BUCKET, Comparison, Condition, CounterBatch, CounterRange, CounterStore, Order,
    Paging, ProjectionSpec, ProjectionStore, SearchBatch, SearchQuery, SearchRow, SearchStore, Slot,
    StoredView, ViewBatch, ViewQuery, ViewRow, ViewStore,
};
use gallae_postgres::views::PostgresViews;
use schemas::TestSchema;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

const FIELDS: &[Field] = &[Field::text("status"), Field::integer("placed_at")];
const ORDERS: ProjectionSpec = ProjectionSpec { name: "orders", revision: 1, fields: FIELDS, text: &[] };

fn row(key: impl AsRef<str>, document: &str, status: &str, placed_at: i64) -> ViewRow {
    ViewRow {
        key: key.into(),
        document: Bytes::copy_from_slice(document.as_bytes()),
        fields: vec![status.into(), placed_at.into()],
        changed_at: Position::new(7),
    }
}

fn batch(from: u64, to: u64, rows: Vec<ViewRow>) -> ViewBatch {
    ViewBatch { from: Position::new(from), to: Position::new(to), epoch: 1, rows, removed: Vec::new() }
}

async fn apply(views: &PostgresViews, slot: &Slot, batch: ViewBatch) -> Result<(), ApplyError> {
    ViewStore::apply(views, slot, batch).await
}

async fn document(views: &PostgresViews, projection: &str, key: &str) -> Option<String> {
    let found = views.get(projection, &key.into()).await.unwrap();
    found.map(|view| String::from_utf8(view.document.to_vec()).unwrap())
}

fn keys(rows: &[StoredView]) -> Vec<String> {
    rows.iter().map(|row| row.key.to_string()).collect()
}

/// A number from a seed, spread well enough for test data.
fn spread(seed: u64, below: u64) -> u64 {
    let mixed = (seed ^ (seed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) % below
}

fn sample(number: u64) -> ViewRow {
    let status = match spread(number, 6) {
        0 => FieldValue::Null,
        other => ["A", "B", "강남", "", "A\0"][other as usize - 1].into(),
    };
    let placed_at = match spread(number + 1_000, 8) {
        0 => FieldValue::Null,
        _ => FieldValue::Integer(spread(number + 2_000, 12) as i64 - 6),
    };
    ViewRow {
        fields: vec![status, placed_at],
        ..row(format!("k{:02}", spread(number, 97) % 60), "{}", "", 0)
    }
}

fn holds(condition: &Condition, row: &ViewRow) -> bool {
    let at = FIELDS.iter().position(|field| field.name == condition.field).unwrap();
    let value = &row.fields[at];
    match condition.comparison {
        Comparison::Equal => *value == condition.values[0],
        Comparison::AtLeast => *value != FieldValue::Null && *value >= condition.values[0],
        Comparison::Below => *value != FieldValue::Null && *value < condition.values[0],
        Comparison::In => condition.values.contains(value),
    }
}

fn expected(rows: &[ViewRow], query: &ViewQuery) -> Vec<String> {
    let mut found: Vec<_> =
        rows.iter().filter(|row| query.conditions.iter().all(|condition| holds(condition, row))).collect();
    found.sort_by(|a, b| {
        let field = |order: Order| FIELDS.iter().position(|field| field.name == order.field).unwrap();
        let value = |row: &ViewRow| query.order.map(|order| row.fields[field(order)].clone());
        let ascending = value(a).cmp(&value(b));
        let descending = query.order.is_some_and(|order| order.descending);
        if descending { ascending.reverse() } else { ascending }.then_with(|| a.key.cmp(&b.key))
    });
    found.iter().map(|row| row.key.to_string()).collect()
}

fn sample_queries() -> Vec<ViewQuery> {
    let null = FieldValue::Null;
    let conditions = [
        vec![],
        vec![Condition::is("status", "A")],
        vec![Condition::is("status", "A\0")],
        vec![Condition::is("status", null.clone())],
        vec![Condition::is("status", 5)],
        vec![Condition::one_of("status", vec!["강남".into(), null.clone(), "A".into(), 5.into()])],
        vec![Condition::one_of("placed_at", vec![3.into(), null.clone(), 4.into()])],
        vec![Condition::one_of("status", Vec::new())],
        vec![Condition::at_least("placed_at", -2), Condition::below("placed_at", 4)],
        vec![Condition::below("placed_at", 2)],
        vec![Condition::below("placed_at", null.clone())],
        vec![Condition::below("placed_at", "text")],
        vec![Condition::at_least("placed_at", "text")],
        vec![Condition::at_least("status", 5)],
        vec![Condition::below("status", 5)],
        vec![Condition::at_least("status", "A\0")],
        vec![Condition::at_least("placed_at", null)],
        vec![Condition::is("status", "B"), Condition::at_least("placed_at", 0)],
        vec![Condition::is("status", "'; DROP TABLE projections; --")],
    ];
    let by = |field, descending| Some(Order { field, descending });
    let orders =
        [None, by("status", false), by("status", true), by("placed_at", false), by("placed_at", true)];
    let all = conditions.into_iter().flat_map(|conditions| orders.map(|order| (conditions.clone(), order)));
    all.map(|(conditions, order)| ViewQuery { conditions, order, ..ViewQuery::default() }).collect()
}

#[tokio::test]
async fn pages_are_what_a_plain_filter_and_sort_give() {
    let schema = TestSchema::new();
    let views = schema.views().await;
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    let mut rows: Vec<ViewRow> = Vec::new();
    for sample in (0..120).map(sample) {
        rows.retain(|row| row.key != sample.key);
        rows.push(sample);
    }
    // Each row is written twice, so that what counts was changed, not added.
    let older = rows
        .iter()
        .rev()
        .zip(&rows)
        .map(|(other, row)| ViewRow { fields: other.fields.clone(), ..row.clone() });
    apply(&views, &slot, batch(0, 1, older.collect())).await.unwrap();
    apply(&views, &slot, batch(1, 2, rows.clone())).await.unwrap();

    for query in sample_queries() {
        let expected = expected(&rows, &query);
        let part = ViewQuery { paging: Paging::Page { offset: 3, limit: 5 }, count: true, ..query.clone() };
        let page = views.query("orders", &part).await.unwrap();
        let skipped: Vec<_> = expected.iter().skip(3).take(5).cloned().collect();
        assert_eq!((keys(&page.rows), page.total), (skipped, Some(expected.len() as u64)), "{query:?}");
        assert_eq!(page.next.is_some(), expected.len() > 8, "{query:?}");

        let mut paging = Paging::Page { offset: 0, limit: 4 };
        let mut walked = Vec::new();
        loop {
            let page = views.query("orders", &ViewQuery { paging, ..query.clone() }).await.unwrap();
            walked.extend(keys(&page.rows));
            let Some(cursor) = page.next else { break };
            paging = Paging::After { cursor, limit: 4 };
        }
        assert_eq!(walked, expected, "{query:?}");
    }
}

#[tokio::test]
async fn what_does_not_fit_is_a_fault_and_changes_nothing() {
    let schema = TestSchema::new();
    let views = schema.views().await;
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    let none = Condition { values: Vec::new(), ..Condition::is("status", "A") };
    let query = ViewQuery { conditions: vec![none], ..ViewQuery::default() };
    assert!(views.query("orders", &query).await.is_err());
    let other =
        ViewQuery { order: Some(Order { field: "placed_at", descending: false }), ..ViewQuery::default() };
    apply(&views, &slot, batch(0, 1, (0..30).map(|n| row(format!("{n:02}"), "{}", "A", n)).collect()))
        .await
        .unwrap();
    let next = views.query("orders", &other).await.unwrap().next.unwrap();
    let unordered = ViewQuery { paging: Paging::After { cursor: next, limit: 5 }, ..ViewQuery::default() };
    assert!(views.query("orders", &unordered).await.is_err());

    let swapped = ViewRow { fields: vec![1.into(), "A".into()], ..row("a", "{}", "A", 1) };
    let fewer = ViewRow { fields: vec!["A".into()], ..row("a", "{}", "A", 1) };
    let long = row("k".repeat(2_000), "{}", "A", 1);
    for (wrong, says) in
        [(swapped, "holds text"), (fewer, "2 and 0 are declared"), (long, "more than 1500 bytes")]
    {
        let refused =
            apply(&views, &slot, batch(1, 2, vec![row("b", "{}", "A", 1), wrong])).await.unwrap_err();
        let ApplyError::Unavailable(fault) = refused else { panic!("{refused:?}") };
        let reason = std::error::Error::source(&fault).unwrap().to_string();
        assert!(reason.contains(says), "{reason}");
    }
    assert_eq!(views.cursor(&slot).await.unwrap(), Position::new(1));
    assert_eq!(document(&views, "orders", "b").await, None);
}

#[tokio::test]
async fn any_text_is_kept_and_told_apart() {
    let schema = TestSchema::new();
    let views = schema.views().await;
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    let texts = [
        "a\0b".to_owned(),
        "a\u{1}\u{1}b".to_owned(),
        "\0".to_owned(),
        "책".repeat(3_000),
        "책".repeat(3_001),
    ];
    let rows = texts.iter().enumerate().map(|(number, text)| row(format!("{number}\0"), text, text, 1));
    apply(&views, &slot, batch(0, 1, rows.collect())).await.unwrap();
    for (number, text) in texts.iter().enumerate() {
        let query =
            ViewQuery { conditions: vec![Condition::is("status", text.as_str())], ..ViewQuery::default() };
        let page = views.query("orders", &query).await.unwrap();
        assert_eq!(keys(&page.rows), [format!("{number}\0")]);
        assert_eq!(page.rows[0].document, text.as_bytes());
    }
}

#[tokio::test]
async fn rows_of_a_batch_are_coalesced_and_removal_wins() {
    let schema = TestSchema::new();
    let views = schema.views().await;
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    let rows =
        vec![row("b", "1", "A", 1), row("a", "1", "A", 1), row("b", "2", "B", 2), row("c", "1", "A", 1)];
    let removed = vec!["c".into(), "c".into(), "x".into()];
    apply(&views, &slot, ViewBatch { removed, ..batch(0, 1, rows) }).await.unwrap();
    assert_eq!(document(&views, "orders", "b").await.as_deref(), Some("2"));
    assert_eq!(document(&views, "orders", "c").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_open_together_make_each_projection_once() {
    let schema = TestSchema::new();
    let nodes = futures::future::join_all((0..4).map(|_| schema.views())).await;
    for revision in [1, 2] {
        let spec = ProjectionSpec { revision, ..ORDERS };
        let opened = futures::future::join_all(nodes.iter().map(|node| node.open(&spec, true))).await;
        let slots: Vec<_> = opened.into_iter().map(|opened| opened.unwrap().slot).collect();
        assert!(slots.iter().all(|slot| *slot == slots[0]), "{slots:?}");
        assert_eq!(schema.tables().await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projections_are_written_at_the_same_time_from_several_nodes() {
    const NAMES: [&str; 3] = ["one", "two", "three"];
    let schema = TestSchema::new();
    let nodes = [schema.views().await, schema.views().await];
    for name in NAMES {
        nodes[0].open(&ProjectionSpec { name, ..ORDERS }, false).await.unwrap();
    }
    // Two nodes write each projection, each believing that it is alone.
    let mut writers = tokio::task::JoinSet::new();
    for (number, node) in nodes.iter().enumerate() {
        for name in NAMES {
            let node = node.clone();
            writers.spawn(async move {
                let mut won = 0;
                while won < 15 {
                    let state = node.state(name).await.unwrap().unwrap();
                    let from = state.cursor.get();
                    let mut rows: Vec<_> = (0..40)
                        .map(|n| row(format!("{n:02}"), &format!("{from}"), "A", number as i64))
                        .collect();
                    if number == 1 {
                        rows.reverse();
                    }
                    match apply(&node, &state.slot, batch(from, from + 1, rows)).await {
                        Ok(()) => won += 1,
                        Err(ApplyError::Cursor { .. }) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                }
                won
            });
        }
    }
    let mut applied = 0;
    while let Some(won) = writers.join_next().await {
        applied += won.unwrap();
    }
    assert_eq!(applied, 90);
    for name in NAMES {
        let state = nodes[0].state(name).await.unwrap().unwrap();
        assert_eq!(state.cursor.get(), 30, "every batch counts once");
        let rows = ViewStore::scan(&nodes[1], &state.slot, None, 100).await.unwrap();
        assert_eq!(rows.len(), 40);
        assert!(rows.iter().all(|row| row.document == "29"), "rows of one batch: {rows:?}");
    }
}

const ROWS: u64 = 50;

fn rows(document: &str) -> Vec<ViewRow> {
    (0..ROWS).map(|number| row(format!("{number:03}"), document, "NEW", number as i64)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_under_readers_and_writers_shows_the_old_rows_or_the_new() {
    let schema = TestSchema::new();
    let views = schema.views().await;
    let elsewhere = schema.views().await;
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    apply(&views, &slot, batch(0, 1, rows("0"))).await.unwrap();
    let beside = views.open(&ProjectionSpec { name: "other", ..ORDERS }, false).await.unwrap().slot;
    let (done, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));

    let readers: Vec<_> = (0..4)
        .map(|number| {
            let views = if number % 2 == 0 { views.clone() } else { elsewhere.clone() };
            let (done, reads) = (Arc::clone(&done), Arc::clone(&reads));
            tokio::spawn(async move {
                let all = ViewQuery {
                    conditions: vec![Condition::is("status", "NEW")],
                    paging: Paging::Page { offset: 0, limit: 100 },
                    count: true,
                    ..ViewQuery::default()
                };
                let mut newest = 0;
                while !done.load(Ordering::Relaxed) {
                    let page = views.query("orders", &all).await.unwrap();
                    assert_eq!((page.rows.len() as u64, page.total), (ROWS, Some(ROWS)));
                    let first = &page.rows[0].document;
                    assert!(page.rows.iter().all(|row| row.document == first), "rows of two generations");
                    let number: u32 = std::str::from_utf8(first).unwrap().parse().unwrap();
                    assert!(number >= newest, "an older generation came back");
                    newest = number;
                    assert!(views.get("orders", &"007".into()).await.unwrap().is_some());
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let writer = {
        let (views, done) = (views.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut at = 0;
            while !done.load(Ordering::Relaxed) {
                apply(&views, &beside, batch(at, at + 1, rows("beside"))).await.unwrap();
                at += 1;
            }
        })
    };
    for number in 1..=12 {
        let shadow = views.create_shadow(&ORDERS).await.unwrap();
        apply(&views, &shadow, batch(0, 1, rows(&number.to_string()))).await.unwrap();
        views.switch(&shadow).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for task in readers {
        task.await.unwrap();
    }
    writer.await.unwrap();
    assert!(reads.load(Ordering::Relaxed) > 0);
    // The last one may still have been read when it was replaced.
    views.open(&ORDERS, false).await.unwrap();
    assert_eq!(schema.tables().await.len(), 2, "dropped generations leave no tables");
}

#[tokio::test]
async fn a_shadow_has_its_indexes_before_it_is_live() {
    let schema = TestSchema::new();
    let views = schema.views().await;
    let indexed = async || {
        let rows = schema
            .rows(
                "SELECT substring(indexdef from '\\((.*)\\)') FROM pg_indexes i JOIN @.projections p
                 ON i.tablename LIKE 'v' || p.id || '\\_' || p.live || '\\_%' WHERE schemaname = trim('@.', '.') ORDER BY 1",
            )
            .await;
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    views.open(&ORDERS, false).await.unwrap();
    assert_eq!(indexed().await, ["f_placed_at NULLS FIRST, key", "f_status NULLS FIRST, key", "key"]);
    let fewer = ProjectionSpec { revision: 2, fields: &FIELDS[..1], text: &["name"], ..ORDERS };
    let shadow = views.create_shadow(&fewer).await.unwrap();
    views.switch(&shadow).await.unwrap();
    assert_eq!(indexed().await, ["changed_at DESC, key", "f_status NULLS FIRST, key", "key"]);
}

#[tokio::test]
async fn changed_fields_need_a_new_revision() {
    let schema = TestSchema::new();
    let views = schema.views().await;
    views.open(&ORDERS, false).await.unwrap();
    let changed = ProjectionSpec { fields: &FIELDS[..1], ..ORDERS };
    let error = views.open(&changed, true).await.unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains("raise the revision"), "{reason}");
    let raised = ProjectionSpec { revision: 2, ..changed };
    assert_eq!(views.open(&raised, true).await.unwrap().revision, 2);
}

#[tokio::test]
async fn names_cannot_reach_into_sql_or_into_each_other() {
    let schema = TestSchema::new();
    let views = schema.views().await;
    let names =
        ["order-summaries", "order_summaries", "주문", "x\"; DROP TABLE projections; --@.x", "", "a\0b"];
    for name in names {
        let spec = ProjectionSpec { name, ..ORDERS };
        let slot = views.open(&spec, false).await.unwrap().slot;
        apply(&views, &slot, batch(0, 1, vec![row("k", name, "NEW", 1)])).await.unwrap();
    }
    for name in names {
        assert_eq!(document(&views, name, "k").await.as_deref(), Some(name));
    }
    for field in ["", "Status", "a b", "x) --", "상태", &"f".repeat(61)] {
        let fields: &'static [Field] = Box::leak(vec![Field::text(Box::leak(field.into()))].into());
        let spec = ProjectionSpec { name: "bad", fields, ..ORDERS };
        assert!(views.open(&spec, false).await.is_err(), "{field}");
    }
    assert!(views.state("bad").await.unwrap().is_none(), "a refused projection leaves no trace");
    const RESERVED: &[Field] = &[Field::text("key"), Field::integer("order"), Field::text("document")];
    assert!(views.open(&ProjectionSpec { name: "fine", fields: RESERVED, ..ORDERS }, false).await.is_ok());
}

#[tokio::test]
async fn sums_beyond_64_bits_wrap() {
    let schema = TestSchema::new();
    let views = schema.views().await;
    let spec = ProjectionSpec { name: "sales", revision: 1, fields: &[], text: &[] };
    let slot = views.open(&spec, false).await.unwrap().slot;
    let bucket = COUNTER_BUCKET.as_micros() as i64;
    let steps =
        [(0, i64::MAX), (0, 5), (bucket, i64::MAX), (bucket, i64::MAX), (0, -5), (-1, 3), (-1, i64::MIN)];
    for (number, (at, by)) in (0..).zip(steps) {
        let increments = vec![Increment::new("revenue", Timestamp::from_micros(at), by)];
        let (from, to) = (Position::new(number), Position::new(number + 1));
        CounterStore::apply(&views, &slot, CounterBatch { from, to, epoch: 1, increments }).await.unwrap();
    }
    let range = CounterRange {
        prefix: "rev".to_owned(),
        from: Timestamp::from_micros(i64::MIN),
        until: Timestamp::from_micros(i64::MAX),
    };
    let buckets = views.read("sales", &range).await.unwrap();
    let sums: Vec<_> = buckets.iter().map(|bucket| (bucket.start.as_micros(), bucket.sum)).collect();
    assert_eq!(sums, [(-bucket, i64::MIN + 3), (0, i64::MAX), (bucket, -2)]);
    let total = (i64::MIN + 3).wrapping_add(i64::MAX).wrapping_add(-2);
    assert_eq!(views.totals("sales").await.unwrap(), [("revenue".to_owned(), total)]);
}

const ADDRESSES: ProjectionSpec = ProjectionSpec {
    name: "addresses",
    revision: 1,
    fields: &[Field::text("status")],
    text: &["name", "address"],
};

fn found(key: &str, name: &str, address: &str, changed_at: u64) -> SearchRow {
    SearchRow {
        key: key.into(),
        document: Bytes::from_static(b"{}"),
        fields: vec!["NEW".into()],
        text: vec![name.to_owned(), address.to_owned()],
        changed_at: Position::new(changed_at),
    }
}

async fn searchable(views: &PostgresViews, rows: Vec<SearchRow>) -> Slot {
    let slot = views.open(&ADDRESSES, false).await.unwrap().slot;
    let (from, to) = (Position::START, Position::new(1));
    let batch = SearchBatch { from, to, epoch: 1, rows, removed: Vec::new() };
    SearchStore::apply(views, &slot, batch).await.unwrap();
    slot
}

async fn search(views: &PostgresViews, text: &str) -> Vec<String> {
    let query = SearchQuery { text: text.to_owned(), ..SearchQuery::default() };
    let page = views.search("addresses", &query).await.unwrap();
    assert_eq!(page.total, page.hits.len() as u64);
    page.hits.into_iter().map(|hit| hit.row.key.to_string()).collect()
}

#[tokio::test]
async fn fields_then_matches_then_age_then_key_decide_the_rank() {
    let schema = TestSchema::new();
    let views = schema.views().await;
    let rows = vec![
        found("b", "nothing", "harry", 5),
        found("a", "nothing", "harry", 5),
        found("newer", "nothing", "harry, and a much longer text than the others have", 6),
        found("often", "nothing", "harry harry harriet", 1),
        found("name", "harry", "nothing", 1),
        found("both", "harry", "harry", 1),
    ];
    searchable(&views, rows).await;
    assert_eq!(search(&views, "harry").await, ["both", "name", "often", "newer", "a", "b"]);
}

#[tokio::test]
async fn odd_and_long_words_are_found() {
    let schema = TestSchema::new();
    let views = schema.views().await;
    let (word, run) = ("w".repeat(5_000), "가나다라마바사아자차카타파하".repeat(1_500));
    let rows = vec![
        found("word", &word, "it's a \\ 'quoted' one\0", 1),
        found("run", &run, "", 2),
        found("pieces", "가나 나다 다라", "서울강남", 3),
    ];
    searchable(&views, rows).await;
    for (text, expected) in [
        ("wwww", &["word"][..]),
        (&"w".repeat(199), &["word"]),
        ("it's quot", &["word"]),
        ("하가나다라", &["run"]),
        ("나다라", &["run"]),
        ("울강", &["pieces"]),
        ("강", &["pieces"]),
        ("남서", &[]),
    ] {
        assert_eq!(search(&views, text).await, expected, "{text}");
    }
}
