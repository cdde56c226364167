//! A disk without room: what was acknowledged stays, what is refused was not written, and the service comes back by itself.

mod support;

use gallae_core::{Position, Version};
use gallae_ports::{AppendError, CheckDepth, EventStore, Expected};
use support::{everything, one, open, stream};

#[tokio::test]
async fn a_full_disk_loses_nothing_and_is_recovered_from() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let payload = format!("\"{}\"", "x".repeat(20_000));
    let fill = |number: u64| log.append(one(&format!("s-{number}"), Expected::NoStream, &payload));
    fill(0).await.unwrap();
    log.limit_pages(200).await.unwrap();

    let mut acknowledged = vec![Position::new(1)];
    let mut refused = 0;
    for round in 0..20 {
        // Several at once, so that a group fails with neighbours in it.
        for outcome in futures::future::join_all((1..=8).map(|n| fill(round * 8 + n))).await {
            match outcome {
                Ok(appended) => acknowledged.push(appended.position),
                Err(AppendError::Unavailable(_)) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    assert!(refused > 0 && acknowledged.len() > 8, "{refused} refused, {} accepted", acknowledged.len());
    assert_eq!(everything(&log).await.len(), acknowledged.len());

    log.limit_pages(u32::MAX / 4).await.unwrap();
    let last = log.append(one("s-0", Expected::Exact(Version::new(1)), "{}")).await.unwrap();
    assert_eq!(last.position, Position::new(acknowledged.len() as u64 + 1));
    assert_eq!(log.stream_head(&stream("s-0")).await.unwrap(), Version::new(2));
    log.ping().await.unwrap();
    let report = log.check(CheckDepth::Full).await.unwrap();
    assert_eq!((report.events, report.damage), (last.position.get(), vec![]));
}
