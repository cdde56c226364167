//! How busy the connections are said to be.

use super::*;
use gallae_ports::{Pool, PoolRole, Pools};
use std::{
    sync::{Mutex, mpsc},
    time::Duration,
};

async fn until(views: &SqliteViews, writing: (usize, usize), reading: (usize, usize)) {
    let wanted = [
        Pool::new("views", PoolRole::Write, 1, writing.0, writing.1),
        Pool::new("views", PoolRole::Read, 2, reading.0, reading.1),
    ];
    for _ in 0..500 {
        if views.pools() == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(views.pools(), wanted);
}

#[tokio::test]
async fn figures_say_who_works_and_who_waits() {
    let (_directory, views) = opened();
    let (release, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let wait = move || assert!(held.lock().unwrap().recv().is_err());
    let mut calls = Vec::new();
    let mut start = |writes: bool| {
        let (views, wait) = (views.clone(), wait.clone());
        calls.push(tokio::spawn(async move {
            let work = move |_: &mut Session| {
                wait();
                Ok(())
            };
            if writes {
                views.on_writer("waiting", work).await
            } else {
                views.on_reader("waiting", work).await
            }
        }));
    };
    until(&views, (0, 0), (0, 0)).await;
    (0..5).for_each(|_| start(false));
    until(&views, (0, 0), (2, 3)).await;
    start(true);
    until(&views, (1, 0), (2, 3)).await;
    (0..2).for_each(|_| start(true));
    until(&views, (1, 2), (2, 3)).await;

    drop(release);
    until(&views, (0, 0), (0, 0)).await;
    for call in calls {
        call.await.unwrap().unwrap();
    }
}
