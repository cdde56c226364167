//! What a data directory must be like to be opened, and what is said when it is not.

mod support;

use gallae_core::{Position, Version};
use gallae_ports::{CheckDepth, EventStore, Expected, ReadError};
use gallae_sqlite::{OpenError, log::check_directory};
use rusqlite::Connection;
use std::path::Path;
use support::{one, open, stream, try_open};

fn foreign(directory: &Path) -> Connection {
    Connection::open(directory.join("log.db")).unwrap()
}

async fn with_five_events(directory: &Path) {
    let log = open(directory);
    for version in 0..5 {
        log.append(one("a-1", Expected::Exact(Version::new(version)), "{}")).await.unwrap();
    }
}

#[test]
fn a_second_process_is_told_who_holds_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let message = match try_open(directory.path()) {
        Err(error @ OpenError::Locked { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    for part in [&format!("process {}", std::process::id()), "node node-1", "since 20"] {
        assert!(message.contains(part), "{message}");
    }
    drop(log);
    open(directory.path());
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    foreign(directory.path()).pragma_update(None, "user_version", 99).unwrap();
    let error = try_open(directory.path()).unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { found: 99, known: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("start the release that wrote it"), "{error}");
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let lock = directory.path().join("data").join("gallae.lock");
    std::fs::create_dir_all(&lock).unwrap();
    for (data, named) in [(file.join("data"), file.join("data")), (directory.path().join("data"), lock)] {
        match try_open(&data) {
            Err(OpenError::Directory { path, .. }) => assert_eq!(path, named),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_file_that_is_not_a_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("log.db"), "x".repeat(10_000)).unwrap();
    assert!(matches!(try_open(directory.path()), Err(OpenError::Failed { .. })));
}

#[tokio::test]
async fn a_damaged_tail_is_found_at_the_start_and_by_the_full_check() {
    let cases = [
        ("DELETE FROM events WHERE position = 3", "after position 2 comes 4"),
        ("UPDATE events SET version = 9 WHERE position = 5", "position 5 has version 9"),
        ("DELETE FROM event_types", "the type of the event at position 1 is not known"),
        ("DELETE FROM streams", "the stream of the event at position 1 is not known"),
    ];
    for (damage, sentence) in cases {
        let directory = tempfile::tempdir().unwrap();
        with_five_events(directory.path()).await;
        foreign(directory.path()).execute(damage, []).unwrap();
        match try_open(directory.path()) {
            Err(OpenError::Damaged { damage, .. }) => {
                assert!(damage.iter().any(|found| found.starts_with(sentence)), "{damage:?}");
            }
            other => panic!("{damage}: {other:?}"),
        }
        let report = check_directory(directory.path(), CheckDepth::Full).unwrap();
        assert!(report.damage.iter().any(|found| found.starts_with(sentence)), "{:?}", report.damage);
    }
}

#[tokio::test]
async fn the_full_check_finds_an_event_that_its_flow_would_miss() {
    let directory = tempfile::tempdir().unwrap();
    with_five_events(directory.path()).await;
    foreign(directory.path()).execute("UPDATE events SET begins_flow = 0 WHERE version = 1", []).unwrap();
    let report = check_directory(directory.path(), CheckDepth::Full).unwrap();
    assert_eq!(report.damage, ["the event at position 1 cannot be found by its flow"]);
}

#[tokio::test]
async fn the_full_check_finds_an_index_that_differs_from_its_table() {
    let directory = tempfile::tempdir().unwrap();
    with_five_events(directory.path()).await;
    let connection = foreign(directory.path());
    connection
        .execute_batch(
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = replace(sql, '(correlation)', '(time)') WHERE name = 'events_by_flow';",
        )
        .unwrap();
    drop(connection);
    let report = check_directory(directory.path(), CheckDepth::Full).unwrap();
    assert!(report.damage.iter().any(|found| found.contains("events_by_flow")), "{:?}", report.damage);
}

#[tokio::test]
async fn readers_stop_at_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    with_five_events(directory.path()).await;
    let log = open(directory.path());
    foreign(directory.path()).execute("DELETE FROM events WHERE position = 3", []).unwrap();
    let expected = (Position::new(2), Position::new(4));
    for page in
        [log.read_all(Position::START, 10).await, log.read_stream(&stream("a-1"), Version::NONE, 10).await]
    {
        match page {
            Err(ReadError::Gap { after, found }) => assert_eq!((after, found), expected),
            other => panic!("{other:?}"),
        }
    }
}
