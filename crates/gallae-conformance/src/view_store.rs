//! The suite of [`ViewStore`].

use crate::Harness;
use bytes::Bytes;
use gallae_core::{Field, FieldValue, Position, ViewKey};
use gallae_ports::{
    Condition, Order, Paging, ProjectionSpec, ProjectionStore, Slot, StoredView, ViewBatch, ViewPage,
    ViewQuery, ViewRow, ViewStore,
};

/// Every case of views, and the cases of cursors and generations for views.
#[macro_export]
macro_rules! view_store_suite {
    ($harness:expr) => {
        $crate::__suite! { view_store, $harness, [
            documents_come_in_the_order_of_the_keys,
            documents_are_replaced_and_removed,
            conditions_compare_fields,
            absent_values_equal_only_null,
            values_are_compared_as_they_are,
            fields_that_are_not_declared_are_faults,
            documents_are_ordered_by_a_field_then_by_key,
            pages_are_counted_from_an_offset,
            pages_follow_each_other_while_documents_come_and_go,
            pages_follow_each_other_through_equal_and_absent_values,
            documents_are_scanned_in_key_order,
            a_repair_replaces_and_removes,
        ] }
        $crate::__generations_suite! { view_generations, Views, $harness }
    };
}

const SPEC: ProjectionSpec = ProjectionSpec {
    name: "orders",
    revision: 1,
    fields: &[Field::text("status"), Field::integer("amount")],
    text: &[],
};

/// What is missing is `None` in its place.
pub async fn documents_come_in_the_order_of_the_keys<H: Harness<Store: ViewStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[("a", "new", 1), ("b", "new", 2), ("한글", "new", 3)]).await;
    let keys = ["한글", "x", "a", "한글"].map(ViewKey::from);
    let loaded = store.load(&slot, &keys).await.unwrap();
    let loaded: Vec<_> = loaded.iter().map(|view| view.as_ref().map(|view| view.key.as_str())).collect();
    assert_eq!(loaded, [Some("한글"), None, Some("a"), Some("한글")]);
    assert!(store.load(&slot, &[]).await.unwrap().is_empty());
    let expected =
        StoredView { key: "b".into(), document: document("b", "new"), changed_at: Position::new(1) };
    assert_eq!(store.get("orders", &"b".into()).await.unwrap(), Some(expected));
    assert_eq!(store.get("orders", &"x".into()).await.unwrap(), None);
}

/// The newest state of a key is the only one.
pub async fn documents_are_replaced_and_removed<H: Harness<Store: ViewStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[("a", "new", 1), ("b", "new", 2), ("c", "new", 3)]).await;
    let batch = ViewBatch {
        from: Position::new(1),
        to: Position::new(7),
        epoch: 1,
        rows: vec![row("a", "paid".into(), 9.into(), 6)],
        removed: vec!["b".into(), "unknown".into()],
    };
    store.apply(&slot, batch).await.unwrap();
    let expected =
        StoredView { key: "a".into(), document: document("a", "paid"), changed_at: Position::new(6) };
    assert_eq!(store.get("orders", &"a".into()).await.unwrap(), Some(expected));
    assert_eq!(found(&store, vec![]).await, ["a", "c"]);
    assert_eq!(found(&store, vec![Condition::is("status", "new")]).await, ["c"]);
    assert_eq!(found(&store, vec![Condition::is("amount", 1)]).await, [""; 0], "the old value is forgotten");
}

/// All conditions must hold.
pub async fn conditions_compare_fields<H: Harness<Store: ViewStore>>(harness: &H) {
    let rows =
        [("a", "new", -5), ("b", "paid", 10), ("c", "paid", 20), ("d", "대기", 30), ("e", "PAID", i64::MAX)];
    let (store, _) = filled(harness, &rows).await;
    let cases: [(Vec<Condition>, &[&str]); 9] = [
        (vec![Condition::is("status", "paid")], &["b", "c"]),
        (vec![Condition::is("status", "대기")], &["d"]),
        (vec![Condition::is("amount", 20)], &["c"]),
        (vec![Condition::at_least("amount", 20)], &["c", "d", "e"]),
        (vec![Condition::below("amount", 20)], &["a", "b"]),
        (vec![Condition::at_least("amount", 10), Condition::below("amount", 30)], &["b", "c"]),
        (vec![Condition::one_of("status", vec!["new".into(), "대기".into(), "x".into()])], &["a", "d"]),
        (vec![Condition::one_of("status", vec![])], &[]),
        (vec![Condition::is("status", "paid"), Condition::at_least("amount", 11)], &["c"]),
    ];
    for (conditions, expected) in cases {
        assert_eq!(found(&store, conditions.clone()).await, expected, "{conditions:?}");
    }
}

/// A document without a value is in no range.
pub async fn absent_values_equal_only_null<H: Harness<Store: ViewStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[("a", "new", 1)]).await;
    let absent = row("b", FieldValue::Null, FieldValue::Null, 2);
    store.apply(&slot, ViewBatch { rows: vec![absent], ..step(1, 2) }).await.unwrap();
    assert_eq!(found(&store, vec![Condition::is("amount", None::<i64>)]).await, ["b"]);
    assert_eq!(
        found(&store, vec![Condition::one_of("status", vec![FieldValue::Null, "x".into()])]).await,
        ["b"]
    );
    assert_eq!(found(&store, vec![Condition::is("amount", 1)]).await, ["a"]);
    assert_eq!(found(&store, vec![Condition::below("amount", 100)]).await, ["a"]);
    assert_eq!(found(&store, vec![Condition::at_least("amount", -100)]).await, ["a"]);
}

/// Quotes, patterns and case mean nothing special.
pub async fn values_are_compared_as_they_are<H: Harness<Store: ViewStore>>(harness: &H) {
    let odd = ["'; DROP TABLE rows; --", "%", "_", "\"", "\\", "a%b", "A%B", ""];
    let rows: Vec<_> = odd.iter().map(|text| (*text, *text, 1)).collect();
    let (store, _) = filled(harness, &rows).await;
    for text in odd {
        assert_eq!(found(&store, vec![Condition::is("status", text)]).await, [text]);
        assert_eq!(store.get("orders", &text.into()).await.unwrap().unwrap().key.as_str(), text);
    }
}

/// A typing error must not look like an empty result.
pub async fn fields_that_are_not_declared_are_faults<H: Harness<Store: ViewStore>>(harness: &H) {
    let (store, _) = filled(harness, &[("a", "new", 1)]).await;
    let condition = ViewQuery { conditions: vec![Condition::is("colour", "red")], ..all() };
    assert!(store.query("orders", &condition).await.is_err());
    let order = ViewQuery { order: Some(Order { field: "colour", descending: false }), ..all() };
    assert!(store.query("orders", &order).await.is_err());
    assert!(store.query("unknown", &all()).await.is_err());
}

/// Equal values are in the order of their keys, whichever way the order goes; absent values are the smallest.
pub async fn documents_are_ordered_by_a_field_then_by_key<H: Harness<Store: ViewStore>>(harness: &H) {
    let (store, slot) =
        filled(harness, &[("c", "x", 10), ("a", "y", 10), ("d", "x", 9), ("b", "z", 100)]).await;
    let absent = row("e", FieldValue::Null, FieldValue::Null, 2);
    store.apply(&slot, ViewBatch { rows: vec![absent], ..step(1, 2) }).await.unwrap();
    let by = async |field, descending| {
        let query = ViewQuery { order: Some(Order { field, descending }), ..all() };
        keys(&store.query("orders", &query).await.unwrap())
    };
    assert_eq!(by("amount", false).await, ["e", "d", "a", "c", "b"]);
    assert_eq!(by("amount", true).await, ["b", "a", "c", "d", "e"]);
    assert_eq!(by("status", false).await, ["e", "c", "d", "a", "b"]);
    assert_eq!(keys(&store.query("orders", &all()).await.unwrap()), ["a", "b", "c", "d", "e"]);
}

/// The total counts all that match, and only if it is asked for.
pub async fn pages_are_counted_from_an_offset<H: Harness<Store: ViewStore>>(harness: &H) {
    let rows: Vec<(String, &str, i64)> =
        (0..7).map(|n| (format!("k{n}"), if n == 3 { "odd" } else { "new" }, n)).collect();
    let rows: Vec<_> = rows.iter().map(|(key, status, amount)| (key.as_str(), *status, *amount)).collect();
    let (store, _) = filled(harness, &rows).await;
    let page = async |offset, limit, count| {
        let query = ViewQuery {
            conditions: vec![Condition::is("status", "new")],
            paging: Paging::Page { offset, limit },
            count,
            ..ViewQuery::default()
        };
        let page = store.query("orders", &query).await.unwrap();
        (keys(&page), page.total)
    };
    let owned = |keys: &[&str]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(page(0, 2, true).await, (owned(&["k0", "k1"]), Some(6)));
    assert_eq!(page(2, 3, true).await, (owned(&["k2", "k4", "k5"]), Some(6)));
    assert_eq!(page(5, 3, false).await, (owned(&["k6"]), None));
    assert_eq!(page(6, 3, true).await, (vec![], Some(6)));
    assert_eq!(page(0, 0, true).await, (vec![], Some(6)));
}

/// A page goes on where the earlier one ended, not after so and so many documents.
pub async fn pages_follow_each_other_while_documents_come_and_go<H: Harness<Store: ViewStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[("b", "new", 10), ("d", "new", 20), ("f", "new", 30)]).await;
    let order = Some(Order { field: "amount", descending: true });
    let query = |paging| ViewQuery { order, paging, ..ViewQuery::default() };
    let first = store.query("orders", &query(Paging::Page { offset: 0, limit: 2 })).await.unwrap();
    assert_eq!(keys(&first), ["f", "d"]);
    let change = ViewBatch {
        rows: vec![row("a", "new".into(), 99.into(), 2), row("c", "new".into(), 15.into(), 2)],
        removed: vec!["f".into()],
        ..step(1, 2)
    };
    store.apply(&slot, change).await.unwrap();
    let cursor = first.next.expect("there may be more");
    let second = store.query("orders", &query(Paging::After { cursor, limit: 2 })).await.unwrap();
    assert_eq!(keys(&second), ["c", "b"]);
    if let Some(cursor) = second.next {
        let third = store.query("orders", &query(Paging::After { cursor, limit: 2 })).await.unwrap();
        assert_eq!((keys(&third), third.next), (vec![], None));
    }
    let broken = query(Paging::After { cursor: "not a cursor".into(), limit: 2 });
    assert!(store.query("orders", &broken).await.is_err());
}

/// Every document once, in the order of the unpaged query.
pub async fn pages_follow_each_other_through_equal_and_absent_values<H: Harness<Store: ViewStore>>(
    harness: &H,
) {
    let (store, slot) = filled(harness, &[]).await;
    let rows = (0..23_i64).map(|n| {
        let amount = if n % 4 == 0 { FieldValue::Null } else { FieldValue::Integer(n % 3) };
        row(&format!("k{:02}", n * 7 % 23), "상태'\"".into(), amount, 2)
    });
    store.apply(&slot, ViewBatch { rows: rows.collect(), ..step(1, 2) }).await.unwrap();
    let orders = [
        None,
        Some(Order { field: "amount", descending: false }),
        Some(Order { field: "amount", descending: true }),
        Some(Order { field: "status", descending: true }),
    ];
    for order in orders {
        let whole = keys(&store.query("orders", &ViewQuery { order, ..all() }).await.unwrap());
        let mut paged = Vec::new();
        let mut paging = Paging::Page { offset: 0, limit: 4 };
        loop {
            let page =
                store.query("orders", &ViewQuery { order, paging, ..ViewQuery::default() }).await.unwrap();
            paged.extend(keys(&page));
            let Some(cursor) = page.next else { break };
            paging = Paging::After { cursor, limit: 4 };
        }
        assert_eq!((paged.len(), &paged), (23, &whole), "{order:?}");
    }
}

/// Verification walks a generation page by page.
pub async fn documents_are_scanned_in_key_order<H: Harness<Store: ViewStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[("b", "x", 1), ("Z", "x", 1), ("가", "x", 1), ("a", "x", 1)]).await;
    let scan = async |after: Option<&str>, limit| {
        let after = after.map(ViewKey::from);
        let rows = store.scan(&slot, after.as_ref(), limit).await.unwrap();
        rows.into_iter().map(|row| row.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(scan(None, 3).await, ["Z", "a", "b"]);
    assert_eq!(scan(Some("b"), 3).await, ["가"]);
    assert!(scan(Some("가"), 3).await.is_empty());
}

/// What verification found is put right, fields included.
pub async fn a_repair_replaces_and_removes<H: Harness<Store: ViewStore>>(harness: &H) {
    let (store, slot) = filled(harness, &[("a", "wrong", 1), ("b", "stray", 2)]).await;
    let right = row("a", "right".into(), 7.into(), 1);
    let missing = row("c", "missing".into(), 8.into(), 1);
    let repairs = vec![("a".into(), Some(right)), ("b".into(), None), ("c".into(), Some(missing))];
    store.repair("orders", Position::new(1), repairs).await.unwrap();
    assert_eq!(found(&store, vec![]).await, ["a", "c"]);
    assert_eq!(
        found(&store, vec![Condition::is("status", "right"), Condition::is("amount", 7)]).await,
        ["a"]
    );
    assert_eq!(found(&store, vec![Condition::is("status", "wrong")]).await, [""; 0]);
    assert_eq!(store.cursor(&slot).await.unwrap(), Position::new(1));
}

async fn filled<H: Harness<Store: ViewStore>>(harness: &H, rows: &[(&str, &str, i64)]) -> (H::Store, Slot) {
    let store = harness.fresh().await;
    let slot = store.open(&SPEC, false).await.unwrap().slot;
    let rows = rows.iter().map(|(key, status, amount)| row(key, (*status).into(), (*amount).into(), 1));
    store.apply(&slot, ViewBatch { rows: rows.collect(), ..step(0, 1) }).await.unwrap();
    (store, slot)
}

fn step(from: u64, to: u64) -> ViewBatch {
    ViewBatch { from: Position::new(from), to: Position::new(to), epoch: 1, rows: vec![], removed: vec![] }
}

fn row(key: &str, status: FieldValue, amount: FieldValue, changed_at: u64) -> ViewRow {
    let document = match &status {
        FieldValue::Text(status) => document(key, status),
        _ => Bytes::from_static(b"{}"),
    };
    ViewRow { key: key.into(), document, fields: vec![status, amount], changed_at: Position::new(changed_at) }
}

fn document(key: &str, status: &str) -> Bytes {
    serde_json::json!({ "key": key, "status": status }).to_string().into()
}

fn all() -> ViewQuery {
    ViewQuery { paging: Paging::Page { offset: 0, limit: 100 }, ..ViewQuery::default() }
}

async fn found(store: &impl ViewStore, conditions: Vec<Condition>) -> Vec<String> {
    keys(&store.query("orders", &ViewQuery { conditions, ..all() }).await.unwrap())
}

fn keys(page: &ViewPage) -> Vec<String> {
    page.rows.iter().map(|row| row.key.to_string()).collect()
}
