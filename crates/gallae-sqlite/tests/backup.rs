//! A backup made while the log is written is a log.

mod support;

use gallae_core::Version;
use gallae_ports::{CheckDepth, EventStore, Expected};
use gallae_sqlite::log::{BackupError, BackupProgress};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};
use support::{everything, one, open, told};

#[tokio::test]
async fn a_backup_of_a_busy_log_is_identical_up_to_where_it_was_made() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(&directory.path().join("data"));
    let payload = format!("\"{}\"", "x".repeat(4_000));
    let fill = |number: u64| log.append(one(&format!("s-{number}"), Expected::NoStream, &payload));
    futures::future::join_all((0..4_000).map(fill)).await;

    let stop = Arc::new(AtomicBool::new(false));
    let (busy, stopped) = (log.clone(), Arc::clone(&stop));
    let appending = tokio::spawn(async move {
        let mut version = 0;
        while !stopped.load(Ordering::Relaxed) {
            let batch = one("busy-1", Expected::Exact(Version::new(version)), "{}");
            busy.append(batch).await.unwrap();
            version += 1;
        }
        version
    });
    while log.stream_head(&support::stream("busy-1")).await.unwrap() < Version::new(3) {}
    let reports = Arc::new(Mutex::new(Vec::new()));
    let (copy, seen) = (directory.path().join("copy"), Arc::clone(&reports));
    log.backup(&copy, move |progress| seen.lock().unwrap().push(progress)).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    let busy = appending.await.unwrap();
    assert!(busy > 3);

    let reports: Vec<BackupProgress> = std::mem::take(&mut *reports.lock().unwrap());
    assert!(reports.len() > 1 && reports.iter().is_sorted_by_key(|report| report.done), "{reports:?}");
    assert!(reports.last().is_some_and(|last| last.done == last.total));

    let restored = open(&copy);
    assert_eq!(restored.id(), log.id());
    let report = restored.check(CheckDepth::Full).await.unwrap();
    assert_eq!(report.damage, Vec::<String>::new());
    let (copied, original) = (everything(&restored).await, everything(&log).await);
    assert!(copied.len() >= 4_003 && copied.len() <= original.len());
    for (ours, theirs) in original.iter().zip(&copied) {
        assert_eq!(told(ours), told(theirs));
    }
    restored.append(one("after-1", Expected::NoStream, "{}")).await.unwrap();

    let again = log.backup(&copy, |_| {}).await.unwrap_err();
    assert!(matches!(again, BackupError::Exists { .. }), "{again:?}");
}
