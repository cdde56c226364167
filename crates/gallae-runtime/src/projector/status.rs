//! How a projection is doing.

use super::{parked::ALL_LETTERS, report::OperationKind, report::Progress, running::Running};
use gallae_core::Position;
use gallae_ports::{ReadError, StoreFault};
use serde::Serialize;
use std::time::Duration;

/// What a projection maintains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectionKind {
    /// Documents that are queried.
    Views,
    /// Documents that are found by text.
    Search,
    /// Sums in buckets of time.
    Counters,
}

/// What a projection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectionState {
    /// Folding events as they come.
    Live,
    /// Being rebuilt. Its old rows are served, and kept up to date unless they are of an older revision.
    Rebuilding,
    /// Held by an operator.
    Paused,
    /// Stopped by a failure, waiting for its restart.
    Failed,
    /// Run by another node.
    Standby,
}

/// How a projection is doing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionStatus {
    /// Its name.
    pub name: &'static str,
    /// What it maintains.
    pub kind: ProjectionKind,
    /// The revision of its fold.
    pub revision: u32,
    /// The revision whose rows are served; differs from `revision` until the rebuild that follows a change is done.
    pub live_revision: Option<u32>,
    /// What it is doing.
    pub state: ProjectionState,
    /// The last event that is folded.
    pub cursor: Position,
    /// The last event of the log.
    pub head: Position,
    /// Events between the two.
    pub lag_events: u64,
    /// The age of the oldest of them.
    pub lag: Duration,
    /// Keys that wait behind a parked event.
    pub parked_keys: u64,
    /// Parked events.
    pub dead_letters: u64,
    /// What last went wrong, if anything has since the start.
    pub last_error: Option<String>,
    /// How far a running operation has come.
    pub progress: Option<Progress>,
}

/// Asks the stores how a projection is doing, and keeps the gauges up to date on the way.
pub(super) async fn status(running: &Running, head: Position) -> Result<ProjectionStatus, StoreFault> {
    let (spec, ports) = (running.fold.spec(), &running.ports);
    let stored = running.fold.store().state(spec.name).await?;
    let stored_cursor = stored.as_ref().map_or(Position::START, |stored| stored.cursor);
    let cursor = stored_cursor.max(*running.processed.borrow());
    let head = head.max(cursor);
    let lag_events = head.get() - cursor.get();
    let lag = if lag_events > 0 { age_of_next(running, cursor).await? } else { Duration::ZERO };
    let parked_keys = ports.dead_letters.parked_keys(spec.name).await?.len() as u64;
    let dead_letters = match parked_keys {
        0 => 0,
        _ => ports.dead_letters.dead_letters(Some(spec.name), None, ALL_LETTERS).await?.len() as u64,
    };
    let (trouble, progress) = (running.trouble().clone(), running.progress.borrow().clone());
    let rebuilding = progress.as_ref().is_some_and(|progress| progress.operation == OperationKind::Rebuild);
    let state = match () {
        () if trouble.failing => ProjectionState::Failed,
        () if running.epoch.borrow().is_none() => ProjectionState::Standby,
        () if rebuilding => ProjectionState::Rebuilding,
        () if stored.as_ref().is_some_and(|stored| stored.paused) => ProjectionState::Paused,
        () => ProjectionState::Live,
    };
    metrics::gauge!("gallae_projection_lag_events", "projection" => spec.name).set(lag_events as f64);
    metrics::gauge!("gallae_projection_lag_seconds", "projection" => spec.name).set(lag.as_secs_f64());
    metrics::gauge!("gallae_projection_dead_letters", "projection" => spec.name).set(dead_letters as f64);
    Ok(ProjectionStatus {
        name: spec.name,
        kind: running.fold.kind(),
        revision: spec.revision,
        live_revision: stored.map(|stored| stored.revision),
        state,
        cursor,
        head,
        lag_events,
        lag,
        parked_keys,
        dead_letters,
        last_error: trouble.last_error,
        progress,
    })
}

async fn age_of_next(running: &Running, cursor: Position) -> Result<Duration, StoreFault> {
    let next = running.ports.log.read_all(cursor, 1).await.map_err(|error| match error {
        ReadError::Unavailable(fault) => fault,
        damage => StoreFault::new("reading the oldest event not yet folded").because(damage),
    })?;
    Ok(next.first().map_or(Duration::ZERO, |event| running.ports.clock.now().since(event.time)))
}
