//! Rebuilds beside the live rows.

use super::*;
use gallae_ports::{Condition, Paging};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const ROWS: u64 = 50;

fn rows(document: &str) -> Vec<ViewRow> {
    (0..ROWS).map(|number| row(format!("{number:03}"), document, "NEW", number as i64)).collect()
}

async fn rebuild(views: &SqliteViews, spec: &ProjectionSpec, document: &str) -> Slot {
    let cursor = views.state(spec.name).await.unwrap().unwrap().cursor;
    let shadow = views.create_shadow(spec).await.unwrap();
    apply(views, &shadow, batch(0, cursor.get(), rows(document))).await.unwrap();
    shadow
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_switch_under_readers_and_writers_shows_the_old_rows_or_the_new() {
    let (directory, views) = opened();
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    apply(&views, &slot, batch(0, 1, rows("0"))).await.unwrap();
    let other = ProjectionSpec { name: "other", ..ORDERS };
    let beside = views.open(&other, false).await.unwrap().slot;
    let (done, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));

    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (views, done, reads) = (views.clone(), Arc::clone(&done), Arc::clone(&reads));
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
    for number in 1..=30 {
        let shadow = rebuild(&views, &ORDERS, &number.to_string()).await;
        views.switch(&shadow).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for task in readers {
        task.await.unwrap();
    }
    writer.await.unwrap();
    assert!(reads.load(Ordering::Relaxed) > 0);
    settled(&views).await;
    drop(views);
    assert_eq!(tables(&directory).len(), 2, "dropped generations leave no tables");
}

#[tokio::test]
async fn a_crash_between_the_steps_of_a_rebuild_leaves_the_live_rows_and_no_litter() {
    let (directory, views) = opened();
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    apply(&views, &slot, batch(0, 9, rows("old"))).await.unwrap();
    let shadow = views.create_shadow(&ORDERS).await.unwrap();
    let created = as_killed(&directory);
    apply(&views, &shadow, batch(0, 4, rows("new"))).await.unwrap();
    let half_way = as_killed(&directory);
    apply(&views, &shadow, batch(4, 9, rows("new"))).await.unwrap();
    views.switch(&shadow).await.unwrap();
    let switched = as_killed(&directory);

    for (killed, expected, live, at) in
        [(created, "old", &slot, 0), (half_way, "old", &slot, 4), (switched, "new", &shadow, 9)]
    {
        let again = SqliteViews::open(killed.path()).unwrap();
        let state = again.open(&ORDERS, false).await.unwrap();
        assert_eq!((&state.slot, state.cursor), (live, Position::new(9)));
        assert_eq!(document(&again, "orders", "000").await.as_deref(), Some(expected));
        assert_eq!(
            again.cursor(&shadow).await.unwrap(),
            Position::new(at),
            "rows and cursor are as they were"
        );
        let next = again.create_shadow(&ORDERS).await.unwrap();
        assert!(next.generation > shadow.generation, "a generation is never used twice");
        for dead in [&slot, &shadow].into_iter().filter(|slot| *slot != live) {
            assert!(matches!(
                apply(&again, dead, batch(at, at + 1, Vec::new())).await,
                Err(ApplyError::Gone)
            ));
            assert!(matches!(again.switch(dead).await, Err(ApplyError::Gone)));
        }
        again.drop_shadow(&next).await.unwrap();
        again.drop_shadow(live).await.unwrap();
        assert_eq!(document(&again, "orders", "000").await.as_deref(), Some(expected), "the live one stays");
        settled(&again).await;
        drop(again);
        assert_eq!(tables(&killed).len(), 1);
    }
}

#[tokio::test]
async fn a_large_generation_is_dropped_in_slices() {
    let (directory, views) = opened();
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    let many = (0..4_500).map(|number| row(format!("{number}"), "x", "NEW", number)).collect();
    apply(&views, &slot, batch(0, 1, many)).await.unwrap();
    let spec = ProjectionSpec { revision: 2, ..ORDERS };
    assert_eq!(views.open(&spec, false).await.unwrap().revision, 1, "reported, not touched");
    let state = views.open(&spec, true).await.unwrap();
    assert_eq!((state.revision, state.cursor), (2, Position::START));
    assert_eq!(document(&views, "orders", "7").await, None);
    drop(views);
    // What the end of the handle left half dropped, the next start finishes.
    let again = SqliteViews::open(directory.path()).unwrap();
    settled(&again).await;
    drop(again);
    assert_eq!(tables(&directory).len(), 1);
}

#[tokio::test]
async fn a_switch_behind_the_live_cursor_is_refused() {
    let (_directory, views) = opened();
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    apply(&views, &slot, batch(0, 9, rows("old"))).await.unwrap();
    let shadow = rebuild(&views, &ORDERS, "new").await;
    apply(&views, &slot, batch(9, 10, Vec::new())).await.unwrap();
    match views.switch(&shadow).await {
        Err(ApplyError::Cursor { expected, actual }) => {
            assert_eq!((expected, actual), (Position::new(9), Position::new(10)));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(document(&views, "orders", "000").await.as_deref(), Some("old"));
}

#[tokio::test]
async fn a_shadow_has_its_indexes_before_it_is_live() {
    let (_directory, views) = opened();
    let indexes = async || {
        let names = views.on_reader("listing indexes", |session| {
            let documents = session.known("orders")?.tables.documents.clone();
            let sql = "SELECT substr(name, length(?1) + 2) FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 ORDER BY 1";
            let mut select = session.connection.prepare(sql)?;
            Ok(select.query_map([documents], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?)
        });
        names.await.unwrap()
    };
    views.open(&ORDERS, false).await.unwrap();
    assert_eq!(indexes().await, ["f_placed_at", "f_status", "key"]);
    let fewer = ProjectionSpec { revision: 2, fields: &FIELDS[..1], ..ORDERS };
    let shadow = views.create_shadow(&fewer).await.unwrap();
    views.switch(&shadow).await.unwrap();
    assert_eq!(indexes().await, ["f_status", "key"]);
}

#[tokio::test]
async fn changed_fields_need_a_new_revision() {
    let (_directory, views) = opened();
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
    let (_directory, views) = opened();
    let names = ["order-summaries", "order_summaries", "주문", "x\"; DROP TABLE projections; --", ""];
    for name in names {
        let spec = ProjectionSpec { name, ..ORDERS };
        let slot = views.open(&spec, false).await.unwrap().slot;
        apply(&views, &slot, batch(0, 1, vec![row("k", name, "NEW", 1)])).await.unwrap();
    }
    for name in names {
        assert_eq!(document(&views, name, "k").await.as_deref(), Some(name));
    }
    for field in ["", "Status", "a b", "x) --", "상태"] {
        let fields: &'static [Field] = Box::leak(vec![Field::text(field)].into());
        assert!(
            views.open(&ProjectionSpec { name: "bad", fields, ..ORDERS }, false).await.is_err(),
            "{field}"
        );
    }
    const TWICE: &[Field] = &[Field::text("a"), Field::integer("a")];
    assert!(views.open(&ProjectionSpec { name: "bad", fields: TWICE, ..ORDERS }, false).await.is_err());
    assert!(views.state("bad").await.unwrap().is_none(), "a refused projection leaves no trace");
    const RESERVED: &[Field] = &[Field::text("key"), Field::integer("order"), Field::text("document")];
    assert!(views.open(&ProjectionSpec { name: "fine", fields: RESERVED, ..ORDERS }, false).await.is_ok());
}
