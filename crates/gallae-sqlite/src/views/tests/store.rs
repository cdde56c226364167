//! The file as a whole.

use super::*;
use gallae_core::{Increment, Timestamp};
use gallae_ports::{COUNTER_BUCKET, CounterBatch, CounterRange, CounterStore};
use std::fs;

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (directory, views) = opened();
    drop(views);
    let path = directory.path().join(FILE);
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let before = fs::read(&path).unwrap();
    let error = SqliteViews::open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { found: 2, known: 1, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn the_database_of_another_application_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(SqliteViews::open(directory.path()), Err(OpenError::Foreign { .. })));
}

#[test]
fn a_missing_directory_is_an_error_that_names_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let error = SqliteViews::open(directory.path().join("missing")).unwrap_err();
    assert!(error.to_string().contains("missing/views.db"), "{error}");
}

#[tokio::test]
async fn rows_and_cursor_survive_the_end_of_the_process() {
    let (directory, views) = opened();
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    apply(&views, &slot, batch(0, 5, vec![row("a", "A", "NEW", 1)])).await.unwrap();
    views.set_paused("orders", true).await.unwrap();
    let killed = as_killed(&directory);
    let again = SqliteViews::open(killed.path()).unwrap();
    let state = again.open(&ORDERS, false).await.unwrap();
    assert_eq!((state.cursor, state.paused, state.revision), (Position::new(5), true, 1));
    assert_eq!(document(&again, "orders", "a").await.as_deref(), Some("A"));
}

#[tokio::test]
async fn dropping_the_last_handle_writes_what_is_queued() {
    let (directory, views) = opened();
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    // Polled once, so it is queued or even done; nobody waits for the answer.
    let mut queued = ViewStore::apply(&views, &slot, batch(0, 5, vec![row("a", "A", "NEW", 1)]));
    let _ = futures::poll!(&mut queued);
    drop(queued);
    drop(views);
    let again = SqliteViews::open(directory.path()).unwrap();
    assert_eq!(document(&again, "orders", "a").await.as_deref(), Some("A"));
}

#[tokio::test]
async fn a_backup_is_a_store_of_its_own_and_overwrites_nothing() {
    let (_directory, views) = opened();
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    apply(&views, &slot, batch(0, 5, vec![row("a", "then", "NEW", 1)])).await.unwrap();
    let target = tempfile::tempdir().unwrap();
    let to = target.path().join("copy");
    views.backup(&to).await.unwrap();
    apply(&views, &slot, batch(5, 6, vec![row("a", "now", "NEW", 1)])).await.unwrap();
    assert!(matches!(views.backup(&to).await, Err(BackupError::Exists { .. })));

    let copy = SqliteViews::open(&to).unwrap();
    assert_eq!(copy.state("orders").await.unwrap().unwrap().cursor, Position::new(5));
    assert_eq!(document(&copy, "orders", "a").await.as_deref(), Some("then"));
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_writing_resumes_when_there_is_room() {
    let (_directory, views) = opened();
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    apply(&views, &slot, batch(0, 5, vec![row("a", "A", "NEW", 1)])).await.unwrap();
    let room = |pages: i64| {
        views.on_writer("limiting the file", move |session| {
            Ok(session.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?)
        })
    };
    room(1).await.unwrap();
    let large = "x".repeat(100_000);
    let rows = || vec![row("a", "B", "PAID", 1), row("b", &large, "NEW", 2)];
    for _ in 0..2 {
        let refused = apply(&views, &slot, batch(5, 9, rows())).await.unwrap_err();
        assert!(matches!(refused, ApplyError::Unavailable(_)), "{refused}");
    }
    assert_eq!(views.cursor(&slot).await.unwrap(), Position::new(5));
    assert_eq!(document(&views, "orders", "a").await.as_deref(), Some("A"));

    room(1 << 30).await.unwrap();
    apply(&views, &slot, batch(5, 9, rows())).await.unwrap();
    assert_eq!(document(&views, "orders", "b").await, Some(large));
}

#[tokio::test]
async fn sums_beyond_64_bits_wrap_and_do_not_turn_into_floats() {
    let (_directory, views) = opened();
    let spec = ProjectionSpec { name: "sales", revision: 1, fields: &[], text: &[] };
    let slot = views.open(&spec, false).await.unwrap().slot;
    let bucket = COUNTER_BUCKET.as_micros() as i64;
    let steps = [(0, i64::MAX), (0, 5), (bucket, i64::MAX), (bucket, i64::MAX), (0, -5), (-1, 3)];
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
    assert_eq!(sums, [(-bucket, 3), (0, i64::MAX), (bucket, -2)]);
    let total = i64::MAX.wrapping_add(3).wrapping_add(-2);
    assert_eq!(views.totals("sales").await.unwrap(), [("revenue".to_owned(), total)]);
}

#[tokio::test]
async fn hot_statements_stay_prepared() {
    let (_directory, views) = opened();
    let slot = views.open(&ORDERS, false).await.unwrap().slot;
    let use_them = async |from: u64, to: u64| {
        for number in from..to {
            let rows = vec![row("a", "A", "NEW", number as i64), row(format!("{number}"), "A", "NEW", 1)];
            apply(&views, &slot, batch(number, number + 1, rows)).await.unwrap();
            ViewStore::load(&views, &slot, &["a".into()]).await.unwrap();
            views.get("orders", &"a".into()).await.unwrap();
        }
    };
    let times = |session: &mut Session| {
        let tables = session.known("orders")?.tables;
        let statements =
            [session::PROJECTION, session::GENERATION, &tables.select, &tables.stored, &tables.insert];
        let times = statements.map(|sql| -> rusqlite::Result<i32> {
            let statement = session.connection.prepare_cached(sql)?;
            Ok(statement.get_status(rusqlite::StatementStatus::RePrepare))
        });
        Ok(times.into_iter().collect::<rusqlite::Result<Vec<_>>>()?)
    };
    let prepared = async || {
        (views.on_reader("counting", times).await.unwrap(), views.on_writer("counting", times).await.unwrap())
    };
    use_them(0, 5).await;
    let before = prepared().await;
    use_them(5, 10).await;
    assert_eq!(prepared().await, before, "each statement is prepared once and then used");
}
