//! What the shop itself says: checkouts that have not ended yet.

use super::load::Course;
use gallae_cli::{Client, Failure};
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::Instant;

/// How often it is asked.
const LOOK: Duration = Duration::from_secs(1);
/// How long the last checkouts are waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Checkouts under way, as time went by.
pub(super) struct Backlog {
    /// While orders were placed, once a second.
    pub(super) during: Vec<u64>,
    /// From the last order until none was left; absent if some were left after two minutes.
    pub(super) drained_in: Option<Duration>,
    /// What was left then.
    pub(super) left: u64,
}

/// Watches the backlog until it is gone; nothing without an operator's token.
pub(super) async fn watch(operator: Option<&Client>, course: &Course) -> Result<Option<Backlog>, Failure> {
    let Some(client) = operator else { return Ok(None) };
    let mut backlog = Backlog { during: Vec::new(), drained_in: None, left: 0 };
    while !course.over.load(Ordering::Acquire) {
        tokio::time::sleep(LOOK).await;
        if Instant::now() >= course.measure_from && !course.over.load(Ordering::Acquire) {
            backlog.during.push(active(client).await?);
        }
    }
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        backlog.left = active(client).await?;
        if backlog.left == 0 {
            backlog.drained_in = Some(since.elapsed());
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(Some(backlog))
}

async fn active(client: &Client) -> Result<u64, Failure> {
    Ok(client.get("/sagas/active?limit=1").await?["total"].as_u64().unwrap_or(0))
}
