//! Several nodes on one store.

mod support;

use futures::{StreamExt, future::join_all};
use gallae_core::{Position, SagaId, Version, saga::SagaStatus};
use gallae_ports::{
    AppendBatch, AppendError, CheckDepth, Claim, EventPage, EventStore, EventStream, Expected, Fence,
    IdempotencyRecord, LeaseStore, SagaRow, SagaStore, SagaWrite,
};
use gallae_postgres::PostgresLog;
use std::{collections::HashSet, sync::Arc, time::Duration};
use support::{TestSchema, batch, everything, exact, new_uuid, now, one, open};

/// So many nodes on a schema of their own.
struct Nodes {
    // Dropped in this order.
    logs: Vec<Arc<PostgresLog>>,
    schema: TestSchema,
}

async fn nodes(count: usize) -> Nodes {
    let schema = TestSchema::new();
    let mut logs = Vec::new();
    for _ in 0..count {
        logs.push(open(schema.settings()).await.log());
    }
    Nodes { logs, schema }
}

/// The next `count` events.
async fn take(subscription: &mut EventStream, count: usize) -> EventPage {
    let mut taken = EventPage::new();
    while taken.len() < count {
        let page = tokio::time::timeout(Duration::from_secs(30), subscription.next()).await;
        taken.extend(page.expect("nothing came for 30 seconds").unwrap().unwrap());
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_stay_dense_and_in_order_whoever_writes() {
    const WRITERS: usize = 8;
    const APPENDS: u64 = 40;
    let nodes = nodes(3).await;
    let mut readers: Vec<_> = nodes.logs.iter().map(|log| log.subscribe(Position::START)).collect();
    let writers = nodes.logs.iter().enumerate().flat_map(|(node, log)| {
        (0..WRITERS).map(move |writer| {
            let log = Arc::clone(log);
            async move {
                let name = format!("a-{node}x{writer}");
                let mut positions = Vec::new();
                for version in 0..APPENDS {
                    let appended = log.append(one(&name, exact(version))).await.unwrap();
                    assert_eq!(appended.versions[0].get(), version + 1);
                    positions.push(appended.position);
                }
                positions
            }
        })
    });
    let writers: Vec<_> = writers.map(tokio::spawn).collect();
    let mut acknowledged = HashSet::new();
    for positions in join_all(writers).await {
        acknowledged.extend(positions.unwrap());
    }
    let all = 3 * WRITERS * APPENDS as usize;
    assert_eq!(acknowledged.len(), all, "a position was given twice");
    let mut seen = Vec::new();
    for reader in &mut readers {
        let events = take(reader, all).await;
        let positions: Vec<u64> = events.iter().map(|event| event.position.get()).collect();
        assert_eq!(positions, (1..=all as u64).collect::<Vec<_>>());
        seen.push(events.iter().map(|event| event.id).collect::<Vec<_>>());
    }
    assert!(seen.iter().all(|ids| *ids == seen[0]), "readers on different nodes saw different logs");
    let report = nodes.logs[0].check(CheckDepth::Full).await.unwrap();
    assert_eq!((report.events, report.damage), (all as u64, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_hot_stream_takes_every_success_once() {
    const EACH: u64 = 30;
    let nodes = nodes(2).await;
    let writers = nodes.logs.iter().map(|log| {
        let log = Arc::clone(log);
        tokio::spawn(async move {
            let mut wins = 0;
            let mut version = 0;
            while wins < EACH {
                match log.append(one("hot-1", exact(version))).await {
                    Ok(appended) => (wins, version) = (wins + 1, appended.versions[0].get()),
                    Err(AppendError::Conflict { actual, .. }) => {
                        assert_ne!(actual.get(), version, "a conflict with what was expected");
                        version = actual.get();
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    let versions: Vec<u64> =
        everything(&*nodes.logs[0]).await.iter().map(|event| event.version.get()).collect();
    assert_eq!(versions, (1..=2 * EACH).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_another_node_has_written_is_seen_by_every_record() {
    let nodes = nodes(2).await;
    let [a, b] = [&nodes.logs[0], &nodes.logs[1]];
    let record = |key: &str| IdempotencyRecord {
        key: key.to_owned(),
        fingerprint: "f".to_owned(),
        response: "{}".into(),
        expires_at: now().after(Duration::from_secs(60)),
    };
    let claim =
        |owner: &str| vec![Claim::Take { key: "email".into(), owner: owner.into(), expires_at: None }];
    // Both nodes believe that nothing is there.
    for log in [a, b] {
        log.append(one(&format!("warm-{}", new_uuid().simple()), Expected::NoStream)).await.unwrap();
    }
    let first = AppendBatch {
        idempotency: Some(record("k-1")),
        claims: claim("kim"),
        sagas: vec![SagaWrite::Insert(saga("order-1"))],
        ..one("a-1", Expected::NoStream)
    };
    a.append(first).await.unwrap();
    let error =
        b.append(AppendBatch { idempotency: Some(record("k-1")), ..one("a-2", Expected::NoStream) }).await;
    assert!(matches!(error, Err(AppendError::Duplicate(_))), "{error:?}");
    let error = b.append(AppendBatch { claims: claim("lee"), ..one("a-2", Expected::NoStream) }).await;
    assert!(matches!(&error, Err(AppendError::ClaimTaken { owner, .. }) if owner == "kim"), "{error:?}");
    let error = b.append(AppendBatch { sagas: vec![SagaWrite::Insert(saga("order-1"))], ..batch() }).await;
    assert!(matches!(error, Err(AppendError::SagaConflict { .. })), "{error:?}");
    let moved = SagaRow { version: Version::new(2), ..saga("order-1") };
    let update = |row: SagaRow, expected: u64| AppendBatch {
        sagas: vec![SagaWrite::Update { row, expected: Version::new(expected) }],
        ..batch()
    };
    b.append(update(moved.clone(), 1)).await.unwrap();
    let error = a.append(update(SagaRow { status: SagaStatus::Completed, ..moved }, 1)).await;
    assert!(matches!(error, Err(AppendError::SagaConflict { .. })), "{error:?}");
    assert_eq!(a.saga(SagaId::of("order", "order-1")).await.unwrap().unwrap().version.get(), 2);
}

/// The old owner's process still believes in its lease, and has everything else right.
#[tokio::test]
async fn a_lease_taken_over_by_another_node_fences_the_old_owner() {
    let nodes = nodes(2).await;
    let [a, b] = [&nodes.logs[0], &nodes.logs[1]];
    let lease = a.acquire("relay", "a", Duration::from_millis(50)).await.unwrap().unwrap();
    let fenced = |version| AppendBatch {
        fence: Some(Fence { lease: "relay".into(), epoch: lease.epoch }),
        ..one("a-1", exact(version))
    };
    a.append(fenced(0)).await.unwrap();
    let taken = loop {
        if let Some(taken) = b.acquire("relay", "b", Duration::from_secs(60)).await.unwrap() {
            break taken;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(taken.epoch > lease.epoch);
    let error = a.append(fenced(1)).await;
    assert!(matches!(error, Err(AppendError::Fenced { .. })), "{error:?}");
}

#[tokio::test]
async fn one_refusal_in_a_group_fails_alone() {
    let nodes = nodes(2).await;
    let [a, b] = [&nodes.logs[0], &nodes.logs[1]];
    a.append(one("warm-1", Expected::NoStream)).await.unwrap();
    // Known to the other node only, so the group finds out when it is written.
    b.append(one("a-7", Expected::NoStream)).await.unwrap();
    let group: Vec<_> = (0..20).map(|n| a.append(one(&format!("a-{n}"), Expected::NoStream))).collect();
    for (n, answer) in join_all(group).await.into_iter().enumerate() {
        match answer {
            Ok(_) => assert_ne!(n, 7),
            Err(AppendError::Conflict { actual, .. }) => assert_eq!((n, actual.get()), (7, 1)),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(everything(&**a).await.len(), 21);
}

#[tokio::test]
async fn a_subscription_follows_what_only_others_write() {
    let nodes = nodes(2).await;
    let [a, b] = [&nodes.logs[0], &nodes.logs[1]];
    let mut reader = a.subscribe(Position::START);
    for version in 0..50 {
        b.append(one("a-1", exact(version))).await.unwrap();
        assert_eq!(take(&mut reader, 1).await[0].position.get(), version + 1);
    }
    // Another node's cursor may be ahead of what this one has heard.
    let mut ahead = a.subscribe(Position::new(50));
    b.append(one("a-1", exact(50))).await.unwrap();
    assert_eq!(take(&mut ahead, 1).await[0].position.get(), 51);
}

/// What a lossy failover does, done by hand.
#[tokio::test]
async fn a_log_that_has_lost_its_end_is_told_to_readers() {
    let nodes = nodes(1).await;
    let log = &nodes.logs[0];
    let mut reader = log.subscribe(Position::START);
    for version in 0..5 {
        log.append(one("a-1", exact(version))).await.unwrap();
    }
    assert_eq!(take(&mut reader, 5).await.len(), 5);
    let lose = "DELETE FROM @.events WHERE position > 3; UPDATE @.head SET position = 3, batch = batch + 1";
    nodes.schema.execute(lose).await;
    nodes.schema.end_sessions().await;
    let end = tokio::time::timeout(Duration::from_secs(10), reader.next()).await.expect("nothing came");
    let error = end.unwrap().unwrap_err();
    assert!(
        matches!(error, gallae_ports::ReadError::Regressed { after, head } if (after.get(), head.get()) == (5, 3)),
        "{error:?}"
    );
    let mut again = log.subscribe(Position::new(3));
    log.append(one("a-1", exact(3))).await.unwrap();
    assert_eq!(take(&mut again, 1).await[0].position.get(), 4);
}

fn saga(key: &str) -> SagaRow {
    SagaRow {
        id: SagaId::of("order", key),
        definition: "order".to_owned(),
        definition_version: 1,
        definition_hash: "h".to_owned(),
        business_key: key.to_owned(),
        status: SagaStatus::Running,
        cause: None,
        step: None,
        reason: None,
        version: Version::new(1),
        partition: 0,
        epoch: 1,
        next_due: None,
        deadline: None,
        correlation_id: "flow-1".parse().unwrap(),
        user: None,
        started_at: now(),
        updated_at: now(),
    }
}
