//! What becomes of appends when the way to the server fails.

mod support;

use gallae_conformance::{AppendFault, FaultyHarness, Harness};
use gallae_ports::{AppendError, CheckDepth, EventStore, Expected};
use gallae_postgres::{PostgresLog, Settings};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use support::{
    TestSchema, everything, exact, one, open,
    proxy::{Mode, Proxy},
    server_parts, through,
};
use uuid::Uuid;

/// Stores that write by way of a proxy.
#[derive(Default)]
struct Faulty {
    stores: Mutex<HashMap<Uuid, (TestSchema, Arc<Proxy>)>>,
}

impl Faulty {
    async fn open(&self, change: impl FnOnce(Settings) -> Settings) -> (PostgresLog, Arc<Proxy>) {
        let schema = TestSchema::new();
        let proxy = Arc::new(Proxy::start(&server_parts().1));
        let settings = change(through(&proxy, schema.settings()));
        let postgres = open(settings).await;
        let log = postgres.log();
        drop(postgres);
        let log = Arc::into_inner(log).expect("the last handle");
        self.stores.lock().unwrap().insert(log.id(), (schema, Arc::clone(&proxy)));
        (log, proxy)
    }
}

impl Harness for Faulty {
    type Store = PostgresLog;

    async fn fresh(&self) -> PostgresLog {
        let patience = |settings| Settings { append_patience: Duration::from_millis(250), ..settings };
        self.open(patience).await.0
    }
}

impl FaultyHarness for Faulty {
    fn fail_next(&self, store: &PostgresLog, fault: AppendFault) {
        let stores = self.stores.lock().unwrap();
        let proxy = &stores[&store.id()].1;
        match fault {
            AppendFault::Unavailable => proxy.refuse_for(Duration::from_millis(350)),
            AppendFault::IndeterminateWritten => proxy.set(Mode::LoseAnswer),
            AppendFault::IndeterminateLost => proxy.set(Mode::LoseWrite),
        }
    }
}

gallae_conformance::event_store_fault_suite!(Faulty::default());

#[tokio::test]
async fn a_commit_that_was_not_replicated_is_not_acknowledged() {
    let stores = Faulty::default();
    let (log, proxy) = stores.open(|settings| settings).await;
    log.append(one("a-1", Expected::NoStream)).await.unwrap();
    proxy.set(Mode::WarnOfReplication);
    let doubtful = one("a-1", exact(1));
    let error = log.append(doubtful.clone()).await.unwrap_err();
    assert!(matches!(error, AppendError::Indeterminate(_)), "{error:?}");
    let resolved = log.append(doubtful).await.unwrap();
    assert!(resolved.replayed);
    assert_eq!(everything(&log).await.len(), 2);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for_for_ever() {
    let stores = Faulty::default();
    let quick = |settings| Settings { commit_timeout: Duration::from_millis(600), ..settings };
    let (log, proxy) = stores.open(quick).await;
    log.append(one("a-1", Expected::NoStream)).await.unwrap();
    proxy.set(Mode::SwallowAnswer);
    let late = one("a-1", exact(1));
    let started = Instant::now();
    let error = log.append(late.clone()).await.unwrap_err();
    assert!(matches!(error, AppendError::Indeterminate(_)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(log.append(late).await.unwrap().replayed);
}

/// Appends in the queue behind a failed group are decided on what is there, not on what was hoped for.
#[tokio::test]
async fn what_is_chained_behind_a_lost_group_conflicts() {
    let stores = Faulty::default();
    let (log, proxy) = stores.open(|settings| settings).await;
    log.append(one("a-1", Expected::NoStream)).await.unwrap();
    proxy.set(Mode::LoseWrite);
    let chain: Vec<_> = (1..20).map(|version| log.append(one("a-1", exact(version)))).collect();
    let mut written = 1;
    let mut lost = 0;
    for (version, answer) in (1..).zip(futures::future::join_all(chain).await) {
        match answer {
            Ok(appended) => {
                written += 1;
                assert_eq!(appended.versions[0].get(), version + 1);
            }
            Err(AppendError::Indeterminate(_)) => lost += 1,
            Err(AppendError::Conflict { actual, .. }) => assert!(lost > 0 && actual.get() == 1),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(lost > 0, "the fault struck nothing");
    assert_eq!(everything(&log).await.len(), written);
    assert!(log.check(CheckDepth::Full).await.unwrap().damage.is_empty());
}

/// The server takes the counter from a node that does not come back.
#[tokio::test]
async fn a_node_that_freezes_with_the_counter_loses_it() {
    let stores = Faulty::default();
    let (frozen, proxy) = stores.open(|settings| settings).await;
    let settings = stores.stores.lock().unwrap()[&frozen.id()].0.settings();
    let other = open(settings).await;
    other.log().append(one("b-1", Expected::NoStream)).await.unwrap();
    proxy.set(Mode::FreezeWithCounter);
    // An append at any version, to a stream that is not known, is decided with the counter held.
    let careful = gallae_ports::AppendBatch {
        idempotency: Some(gallae_ports::IdempotencyRecord {
            key: "k-1".to_owned(),
            fingerprint: "f".to_owned(),
            response: "{}".into(),
            expires_at: support::now().after(Duration::from_secs(60)),
        }),
        ..one("a-1", Expected::Any)
    };
    let waiting = frozen.append(careful);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    other.log().append(one("b-1", exact(1))).await.unwrap();
    let held_up = started.elapsed();
    assert!(held_up > Duration::from_secs(1), "the counter was not held: {held_up:?}");
    assert!(held_up < Duration::from_secs(8), "{held_up:?}");
    drop(waiting);
    drop(other);
}

#[tokio::test]
async fn a_counter_held_by_a_stranger_is_not_waited_for_for_ever() {
    let stores = Faulty::default();
    let quick = |settings| Settings { commit_timeout: Duration::from_millis(400), ..settings };
    let (log, _) = stores.open(quick).await;
    log.append(one("a-1", Expected::NoStream)).await.unwrap();
    let schema = stores.stores.lock().unwrap()[&log.id()].0.settings().schema;
    let (client, connection) =
        tokio_postgres::connect(&support::server(), tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(&format!("BEGIN; UPDATE {schema}.head SET epoch = epoch")).await.unwrap();
    let blocked = one("a-1", exact(1));
    let error = log.append(blocked.clone()).await.unwrap_err();
    assert!(matches!(error, AppendError::Unavailable(_)), "nothing was written: {error:?}");
    client.batch_execute("ROLLBACK").await.unwrap();
    assert!(!log.append(blocked).await.unwrap().replayed);
    driver.abort();
}

/// A primary that is gone for a moment costs nobody more than the wait.
#[tokio::test]
async fn a_short_absence_is_only_a_wait() {
    let stores = Faulty::default();
    let (log, proxy) = stores.open(|settings| settings).await;
    log.append(one("a-1", Expected::NoStream)).await.unwrap();
    proxy.refuse_for(Duration::from_millis(700));
    let patient = one("a-1", exact(1));
    match log.append(patient.clone()).await {
        Ok(_) => {}
        // It was under way just when its session ended.
        Err(AppendError::Indeterminate(_)) => drop(log.append(patient).await.unwrap()),
        Err(other) => panic!("{other:?}"),
    }
    assert_eq!(everything(&log).await.len(), 2);
}
