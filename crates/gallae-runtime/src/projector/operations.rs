//! The task that rebuilds, verifies and repairs a projection beside the live one.
//!
//! ```text
//!   log ──► fold ──► shadow rows ──┐
//!                                  ├─ at one position: compare row by row ─► rebuild: switch │ repair: rewrite what differs
//!   log ──► fold ──► live rows ────┘      (the live projector stands still)
//! ```
//!
//! Most of the comparison happens while the live projector goes on: what is found equal then is equal, what is not is
//! looked at again, together with everything that changed meanwhile, once both stand at one position.

use super::{
    error::OperationError,
    parked::Parked,
    recompute::{Recompute, Settled},
    report::{OperationKind, RebuildReport, VerifyReport},
    running::{Running, Ticket},
};
use gallae_core::{Position, ViewKey};
use std::{convert::Infallible, sync::Arc};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Something to do, and whom to tell.
#[derive(Debug)]
pub(super) struct Operation {
    ticket: Ticket,
    done: oneshot::Sender<Result<Outcome, OperationError>>,
}

/// What an operation leaves behind.
#[derive(Debug)]
pub(super) enum Outcome {
    Rebuilt(RebuildReport),
    Verified(VerifyReport),
}

/// Begins an operation. The answer may be dropped; the operation goes on.
pub(super) fn start(ticket: Ticket) -> oneshot::Receiver<Result<Outcome, OperationError>> {
    let (done, outcome) = oneshot::channel();
    let running = Arc::clone(&ticket.running);
    // There is one ticket and one place in the channel: it cannot be full. A dropped operation answers by being dropped.
    let _ = running.operations.try_send(Operation { ticket, done });
    outcome
}

/// Does one operation after the other.
pub(super) async fn run(this: Arc<Running>, stop: CancellationToken) -> Result<(), Infallible> {
    let mut waiting = this.waiting.lock().await;
    loop {
        let operation = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            operation = waiting.recv() => operation,
        };
        let Some(Operation { ticket, done }) = operation else { return Ok(()) };
        let outcome = {
            let work = perform(&ticket);
            tokio::pin!(work);
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    // It looks at this between batches, and cleans up behind itself.
                    ticket.cancel.cancel();
                    work.await
                }
                outcome = &mut work => outcome,
            }
        };
        match &outcome {
            Ok(_) => {}
            Err(OperationError::Cancelled) => {
                tracing::info!(projection = this.name(), operation = ?ticket.kind, "cancelled");
            }
            Err(error) => {
                tracing::error!(
                    projection = this.name(),
                    operation = ?ticket.kind,
                    error = crate::supervisor::error_chain(error),
                    "an operation on a projection failed; its live rows go on"
                );
                this.note(error);
            }
        }
        // The place is free again before anybody hears that the operation is over.
        drop(ticket);
        let _ = done.send(outcome);
    }
}

async fn perform(ticket: &Ticket) -> Result<Outcome, OperationError> {
    let running = &ticket.running;
    let left_out = match ticket.kind {
        OperationKind::Rebuild => Parked::default(),
        OperationKind::Verify | OperationKind::Repair => parked_now(running).await?,
    };
    let mut work = Recompute::begin(ticket, left_out).await?;
    let shadow = work.shadow.clone();
    let outcome = match ticket.kind {
        OperationKind::Rebuild => rebuild(&mut work).await.map(Outcome::Rebuilt),
        OperationKind::Verify => verify(&mut work, false).await.map(Outcome::Verified),
        OperationKind::Repair => verify(&mut work, true).await.map(Outcome::Verified),
    };
    if !matches!(outcome, Ok(Outcome::Rebuilt(_)))
        && let Err(error) = running.fold.store().drop_shadow(&shadow).await
    {
        let name = running.name();
        tracing::warn!(projection = name, error = %error, "a shadow could not be dropped; the next one replaces it");
    }
    outcome
}

/// The events that the live rows leave out, for counters, whose sums show no keys. Views leave out whole keys later.
async fn parked_now(running: &Running) -> Result<Parked, OperationError> {
    let Some(state) = running.fold.store().state(running.name()).await? else { return Ok(Parked::default()) };
    if running.fold.kind() != super::ProjectionKind::Counters {
        return Ok(Parked::default());
    }
    let parked = Parked::load(&*running.ports.dead_letters, &*running.fold, &state.slot).await?;
    Ok(parked.positions_alone())
}

async fn rebuild(work: &mut Recompute<'_>) -> Result<RebuildReport, OperationError> {
    let settled = work.settle().await?;
    let running = Arc::clone(work.running);
    let (letters, name) = (&running.ports.dead_letters, running.name());
    let parked = work.letters.len() as u64;
    // What the new rows lack is parked before they are live. If the switch fails, the letters that the live rows contain
    // are recognised and taken off when the projection is next opened.
    letters.park(std::mem::take(&mut work.letters)).await?;
    running.fold.store().switch(&work.shadow).await?;
    for key in letters.parked_keys(name).await? {
        if let Some(contained) = contained(&key, &work.parked, work.cursor) {
            letters.discard(name, &key, contained).await?;
        }
    }
    running.reach(work.cursor);
    let (position, events) = (work.cursor, work.cursor.get());
    let held = running.ports.clock.monotonic().saturating_sub(settled.held_since);
    let differing = settled.differing();
    let Settled { differences, .. } = settled;
    tracing::info!(projection = name, events, differing, "rebuilt; the new rows are live");
    let (differences, took) = (differences.listed, work.took());
    Ok(RebuildReport { position, events, differing, differences, parked, took, held })
}

/// Up to where the rebuilt rows contain the events of a parked key: to their end, unless the rebuild parked it too.
fn contained(key: &ViewKey, parked: &Parked, cursor: Position) -> Option<Position> {
    match parked.since(key) {
        None => Some(cursor),
        Some(since) => since.get().checked_sub(1).map(Position::new),
    }
}

async fn verify(work: &mut Recompute<'_>, repair: bool) -> Result<VerifyReport, OperationError> {
    let settled = work.settle().await?;
    let running = Arc::clone(work.running);
    let mut repaired = 0;
    if repair {
        if settled.beyond > 0 {
            return Err(OperationError::TooManyDifferences { limit: settled.keys().len() });
        }
        running.fold.repair(settled.held.cursor, &work.shadow, settled.keys()).await?;
        repaired = settled.keys().len() as u64;
    }
    let differing = settled.differing();
    let held = running.ports.clock.monotonic().saturating_sub(settled.held_since);
    let Settled { rows, differences, skipped, .. } = settled;
    if differing > 0 {
        tracing::error!(
            projection = running.name(),
            differing,
            repaired,
            "rows differ from what the log says"
        );
    }
    Ok(VerifyReport {
        position: work.cursor,
        events: work.cursor.get(),
        rows,
        differing,
        differences: differences.listed,
        repaired,
        parked_keys: skipped,
        took: work.took(),
        held,
    })
}
