//! Several applies in one transaction.

use super::*;
use futures::future::join_all;
use std::sync::mpsc;

/// Holds the writer until the sender is dropped, so that what is queued meanwhile becomes one group.
fn hold(views: &SqliteViews) -> (mpsc::Sender<std::convert::Infallible>, tokio::task::JoinHandle<()>) {
    let (release, held) = mpsc::channel();
    let views = views.clone();
    let task = tokio::spawn(async move {
        let holding = views.on_writer("holding the writer", move |_| {
            let _ = held.recv();
            Ok(())
        });
        holding.await.unwrap();
    });
    (release, task)
}

async fn slots(views: &SqliteViews, names: &[&'static str]) -> Vec<Slot> {
    let specs = names.iter().map(|&name| ProjectionSpec { name, ..ORDERS });
    join_all(specs.map(|spec| async move { views.open(&spec, false).await.unwrap().slot })).await
}

async fn together(views: &SqliteViews, batches: Vec<(&Slot, ViewBatch)>) -> Vec<Result<(), ApplyError>> {
    let (release, holding) = hold(views);
    tokio::task::yield_now().await;
    let mut calls: Vec<_> =
        batches.into_iter().map(|(slot, batch)| ViewStore::apply(views, slot, batch)).collect();
    for call in &mut calls {
        assert!(futures::poll!(call).is_pending());
    }
    drop(release);
    holding.await.unwrap();
    join_all(calls).await
}

#[tokio::test]
async fn what_waits_is_one_transaction() {
    let (_directory, views) = opened();
    let slots = slots(&views, &["a", "b", "c"]).await;
    let commits = || {
        views.on_writer("counting commits", |session| {
            Ok(session.connection.query_row("PRAGMA data_version", (), |row| row.get::<_, i64>(0))?)
        })
    };
    // The version that another connection sees counts commits.
    let versions = || {
        views.inner.readers.run(|session| {
            Ok(session.connection.query_row("PRAGMA data_version", (), |row| row.get::<_, i64>(0))?)
        })
    };
    commits().await.unwrap();
    let before = versions().await.unwrap();
    let batches = slots.iter().map(|slot| (slot, batch(0, 1, vec![row("k", "K", "NEW", 1)]))).collect();
    assert!(together(&views, batches).await.iter().all(Result::is_ok));
    let after = versions().await.unwrap();
    assert!(after - before <= 2, "{before} {after}");
}

#[tokio::test]
async fn a_refused_apply_fails_alone() {
    let (_directory, views) = opened();
    let slots = slots(&views, &["a", "b", "c", "d"]).await;
    let gone = Slot { projection: "a".to_owned(), generation: gallae_ports::Generation(99) };
    let good = || vec![row("k", "K", "NEW", 1)];
    let results = together(
        &views,
        vec![
            (&slots[0], batch(0, 1, good())),
            (&slots[1], batch(4, 5, good())),
            (&gone, batch(0, 1, good())),
            (&slots[2], ViewBatch { epoch: 0, ..batch(0, 1, good()) }),
            (&slots[2], batch(0, 1, good())),
            (&slots[2], ViewBatch { epoch: 0, ..batch(1, 2, good()) }),
            (&slots[3], batch(0, 1, good())),
            (&slots[3], batch(1, 3, vec![row("k", "L", "PAID", 2)])),
        ],
    )
    .await;
    assert!(matches!(results[1], Err(ApplyError::Cursor { expected, actual })
        if expected == Position::new(4) && actual == Position::START));
    assert!(matches!(results[2], Err(ApplyError::Gone)));
    assert!(matches!(results[3], Ok(())) && matches!(results[4], Err(ApplyError::Cursor { .. })));
    assert!(matches!(results[5], Ok(())), "no newer epoch was applied");
    assert!([0, 6, 7].iter().all(|&at| results[at].is_ok()), "{results:?}");
    assert_eq!(document(&views, "b", "k").await, None);
    assert_eq!(document(&views, "d", "k").await.as_deref(), Some("L"));
}

#[tokio::test]
async fn an_apply_that_fails_half_way_is_undone_alone() {
    let (_directory, views) = opened();
    let slots = slots(&views, &["a", "b", "c"]).await;
    let mut short = row("second", "S", "NEW", 1);
    short.fields.pop();
    let good = || vec![row("k", "K", "NEW", 1)];
    let results = together(
        &views,
        vec![
            (&slots[0], batch(0, 1, good())),
            (&slots[1], batch(0, 1, vec![row("first", "F", "NEW", 1), short])),
            (&slots[2], batch(0, 1, good())),
        ],
    )
    .await;
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    assert!(matches!(results[1], Err(ApplyError::Unavailable(_))));
    assert_eq!(document(&views, "b", "first").await, None);
    assert_eq!(views.cursor(&slots[1]).await.unwrap(), Position::START);
    assert_eq!(document(&views, "c", "k").await.as_deref(), Some("K"));
}

#[tokio::test]
async fn an_older_epoch_cannot_write() {
    let (_directory, views) = opened();
    let slots = slots(&views, &["a"]).await;
    let with = |epoch, from| ViewBatch { epoch, ..batch(from, from + 1, vec![row("k", "K", "NEW", 1)]) };
    apply(&views, &slots[0], with(2, 0)).await.unwrap();
    assert!(matches!(apply(&views, &slots[0], with(1, 1)).await, Err(ApplyError::StaleEpoch)));
    apply(&views, &slots[0], with(2, 1)).await.unwrap();
}
