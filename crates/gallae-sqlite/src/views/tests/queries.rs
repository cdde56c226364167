//! Pages, compared with a plain filter and sort, and the indexes they are read by.

use super::*;
use crate::views::{
    filter::{Drive, Filter},
    query,
};
use gallae_ports::{Comparison, Condition, Order, PageCursor, Paging, StoredView};

/// A number from a seed, spread well enough for test data.
fn spread(seed: u64, below: u64) -> u64 {
    let mixed = (seed ^ (seed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) % below
}

fn sample(number: u64) -> ViewRow {
    let status = match spread(number, 5) {
        0 => FieldValue::Null,
        other => ["A", "B", "강남", ""][other as usize - 1].into(),
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

fn keys(rows: &[StoredView]) -> Vec<String> {
    rows.iter().map(|row| row.key.to_string()).collect()
}

fn sample_queries() -> Vec<ViewQuery> {
    let null = FieldValue::Null;
    let conditions = [
        vec![],
        vec![Condition::is("status", "A")],
        vec![Condition::is("status", null.clone())],
        vec![Condition::one_of("status", vec!["강남".into(), null.clone(), "A".into()])],
        vec![Condition::one_of("status", Vec::new())],
        vec![Condition::at_least("placed_at", -2), Condition::below("placed_at", 4)],
        vec![Condition::below("placed_at", 2)],
        vec![Condition::below("placed_at", null.clone())],
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
    let (_directory, views) = opened();
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
async fn what_is_not_declared_or_does_not_fit_is_a_fault() {
    let (_directory, views) = opened();
    views.open(&ORDERS, false).await.unwrap();
    let unknown = Some(Order { field: "colour", descending: false });
    let none = Condition { values: Vec::new(), ..Condition::is("status", "A") };
    let cursor = PageCursor::new(None, FieldValue::Null, "k").encode();
    let placed = Some(Order { field: "placed_at", descending: false });
    for query in [
        ViewQuery { conditions: vec![Condition::is("colour", "red")], ..ViewQuery::default() },
        ViewQuery { order: unknown, ..ViewQuery::default() },
        ViewQuery { conditions: vec![none], ..ViewQuery::default() },
        ViewQuery { order: placed, paging: Paging::After { cursor, limit: 5 }, ..ViewQuery::default() },
    ] {
        assert!(views.query("orders", &query).await.is_err(), "{query:?}");
    }
    assert!(views.query("unknown", &ViewQuery::default()).await.is_err());
}

/// How SQLite reads a page.
async fn plan(views: &SqliteViews, query: ViewQuery) -> (Drive, String) {
    let planned = views.on_reader("planning", move |session| {
        let tables = session.known("orders")?.tables;
        let filter = Filter::of(&tables, &query.conditions)?;
        let order = query.order.map(|order| tables.column(order.field)).transpose()?;
        let drive = filter.drive(&session.connection, &tables.documents, order)?;
        let after = match &query.paging {
            Paging::After { cursor, .. } => Some(PageCursor::decode(cursor, query.order)?),
            Paging::Page { .. } => None,
        };
        let (sql, mut values) = query::select(&tables, &filter, drive, query.order, after.as_ref())?;
        values.extend([20.into(), 0.into()]);
        let mut explain = session.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let steps = explain.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3))?;
        Ok((drive, steps.collect::<Result<Vec<_>, _>>()?.join("; ")))
    });
    planned.await.unwrap()
}

#[tokio::test]
async fn filters_and_orders_are_read_by_their_indexes() {
    let (_directory, views) = opened();
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    let rows = (0..6_000).map(|number| {
        row(format!("{number:05}"), "{}", if number % 100 == 0 { "RARE" } else { "COMMON" }, number)
    });
    apply(&views, &slot, batch(0, 1, rows.collect())).await.unwrap();

    let rare = || vec![Condition::is("status", "RARE")];
    let common = || vec![Condition::is("status", "COMMON")];
    let day = || vec![Condition::at_least("placed_at", 10), Condition::below("placed_at", 90)];
    let newest = Some(Order { field: "placed_at", descending: true });
    let after = |value: i64| Paging::After {
        cursor: PageCursor::new(newest, FieldValue::Integer(value), "05000").encode(),
        limit: 20,
    };
    let page = ViewQuery::default;
    let (status, placed) = ("_f_status (f_status=?)", "_f_placed_at (f_placed_at");
    for (query, drive, index) in [
        (ViewQuery { conditions: rare(), ..page() }, Drive::Test(0), status),
        (ViewQuery { conditions: rare(), order: newest, ..page() }, Drive::Test(0), status),
        (
            ViewQuery { conditions: rare(), order: newest, paging: after(5_000), ..page() },
            Drive::Test(0),
            status,
        ),
        (ViewQuery { conditions: common(), ..page() }, Drive::Test(0), status),
        (ViewQuery { conditions: common(), order: newest, ..page() }, Drive::Order, "_f_placed_at"),
        (
            ViewQuery { conditions: common(), order: newest, paging: after(5_000), ..page() },
            Drive::Order,
            placed,
        ),
        (ViewQuery { order: newest, paging: after(5_000), ..page() }, Drive::Order, placed),
        (ViewQuery { order: newest, ..page() }, Drive::Order, "_f_placed_at"),
        (ViewQuery { conditions: day(), order: newest, ..page() }, Drive::Order, placed),
        (ViewQuery { conditions: day(), ..page() }, Drive::Test(1), placed),
        (ViewQuery::default(), Drive::Order, "_key"),
    ] {
        let described = format!("{query:?}");
        let (chosen, steps) = plan(&views, query).await;
        assert_eq!(chosen, drive, "{described}: {steps}");
        assert!(steps.contains(index), "{described}: {steps}");
        if drive == Drive::Order {
            assert!(!steps.contains("TEMP B-TREE FOR ORDER BY"), "{described} is sorted: {steps}");
        }
    }
}
