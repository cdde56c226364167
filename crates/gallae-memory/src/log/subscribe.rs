//! Following the log.

use super::State;
use futures::{StreamExt, stream};
use gallae_core::Position;
use gallae_ports::{EventStream, ReadError};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The events that one page holds at most.
const PAGE: usize = 512;

struct Follower {
    state: Arc<Mutex<State>>,
    head: watch::Receiver<Position>,
    after: Position,
}

pub(super) fn stream(
    state: Arc<Mutex<State>>,
    head: watch::Receiver<Position>,
    after: Position,
) -> EventStream {
    let follower = Follower { state, head, after };
    stream::unfold(Some(follower), async |follower| {
        let mut follower = follower?;
        loop {
            // Marked as seen before the log is read: what is appended in between wakes the wait below.
            let head = *follower.head.borrow_and_update();
            if head < follower.after {
                return Some((Err(ReadError::Regressed { after: follower.after, head }), None));
            }
            let page = {
                let state = follower.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.events_after(follower.after, PAGE)
            };
            if let Some(last) = page.last() {
                follower.after = last.position;
                return Some((Ok(page), Some(follower)));
            }
            if follower.head.changed().await.is_err() {
                // Every handle is gone, so nothing will ever be appended; a subscription ends only after an error.
                std::future::pending::<()>().await;
            }
        }
    })
    .boxed()
}
