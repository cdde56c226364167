//! The task that folds events as they come.

use super::{
    error::{OperationError, ProjectionFailure},
    fold::{Folded, Writer},
    operations,
    parked::{self, Parked},
    report::OperationKind,
    running::{Held, Request, Running},
};
use crate::pace::Pace;
use futures::{FutureExt, StreamExt};
use gallae_core::Position;
use gallae_ports::{ApplyError, EventPage, EventStream, Slot};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Events folded at once, at most about.
const BATCH: usize = 2_000;
/// Events that may pass without any of them changing a view before the cursor is written.
const UNWRITTEN_EVENTS: u64 = 10_000;
/// How long the cursor may lag behind what was processed, and how often the store is asked whether an operator on
/// another node has paused the projection.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// Before the projection is opened again after somebody else wrote to it.
const SETTLE: Duration = Duration::from_millis(50);

/// Runs the projection for as long as this node holds its lease; stands by otherwise.
pub(super) async fn run(this: Arc<Running>, stop: CancellationToken) -> Result<(), ProjectionFailure> {
    let mut inbox = this.inbox.lock().await;
    while !stop.is_cancelled() {
        let tenure = this.lease.take().await;
        let Some(tenure) = tenure.map_err(|error| failed(&this, error.into()))? else {
            // Whoever asked something of this node learns that it is not in charge: the question is dropped.
            while inbox.try_recv().is_ok() {}
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = this.ports.clock.sleep(this.lease.interval()) => {}
            }
            continue;
        };
        this.epoch.send_replace(Some(tenure.epoch()));
        let outcome = tokio::select! {
            biased;
            () = tenure.lost() => Ok(()),
            outcome = serve(&this, tenure.epoch(), &mut inbox, &stop) => outcome,
        };
        this.epoch.send_replace(None);
        tenure.release().await;
        outcome.map_err(|error| failed(&this, error))?;
    }
    Ok(())
}

fn failed(this: &Running, error: ProjectionFailure) -> ProjectionFailure {
    this.failed(&error);
    error
}

/// What comes after a session.
enum Next {
    Reopen,
    End,
}

/// Opens the projection and folds, again and again, until the node stops or the lease has gone to another.
async fn serve(
    this: &Arc<Running>,
    epoch: u64,
    inbox: &mut mpsc::Receiver<Request>,
    stop: &CancellationToken,
) -> Result<(), ProjectionFailure> {
    loop {
        match session(this, epoch, inbox, stop).await {
            Ok(Next::Reopen) => {}
            Ok(Next::End) => return Ok(()),
            Err(ProjectionFailure::Apply(error @ (ApplyError::Cursor { .. } | ApplyError::Gone))) => {
                tracing::warn!(projection = this.name(), error = %error, "reading the cursor again");
                this.ports.clock.sleep(SETTLE).await;
            }
            Err(ProjectionFailure::Apply(error @ ApplyError::StaleEpoch)) => {
                tracing::warn!(projection = this.name(), epoch, error = %error, "standing by");
                this.ports.clock.sleep(SETTLE).await;
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
}

async fn session(
    this: &Arc<Running>,
    epoch: u64,
    inbox: &mut mpsc::Receiver<Request>,
    stop: &CancellationToken,
) -> Result<Next, ProjectionFailure> {
    let mut live = Live::open(this, epoch).await?;
    this.running_well();
    this.reach(live.cursor);
    let mut events = this.ports.log.subscribe(live.cursor);
    let mut housekeeping = this.ports.clock.sleep(HOUSEKEEPING);
    let mut pace = Pace::new(&this.ports.clock, this.ports.pace);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => {
                live.flush().await?;
                return Ok(Next::End);
            }
            Some(request) = inbox.recv() => {
                live.flush().await?;
                if !live.answer(request, stop).await? {
                    return Ok(Next::Reopen);
                }
            }
            // Before the events: a log that never pauses must not keep it from its turn.
            () = &mut housekeeping => {
                live.flush().await?;
                live.rebuild_if_outdated();
                if live.paused_elsewhere().await? {
                    return Ok(Next::Reopen);
                }
                housekeeping = this.ports.clock.sleep(HOUSEKEEPING);
            }
            () = pace.due(), if !pace.is_due() => {}
            page = events.next(), if live.flowing() && pace.is_due() => {
                pace.begin();
                let page = page.ok_or(ProjectionFailure::Ended)??;
                let batch = gather(&mut events, page)?;
                live.take(&batch).await?;
                if batch.len() >= BATCH {
                    // Far behind, with a store that never waits: let the lease be renewed.
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

/// Adds what is there already, up to a batch. Never waits.
fn gather(events: &mut EventStream, mut batch: EventPage) -> Result<EventPage, ProjectionFailure> {
    while batch.len() < BATCH {
        match events.next().now_or_never() {
            Some(Some(page)) => batch.extend(page?),
            Some(None) | None => break,
        }
    }
    Ok(batch)
}

/// The live generation, open for writing.
pub(super) struct Live<'a> {
    pub(super) this: &'a Arc<Running>,
    pub(super) epoch: u64,
    pub(super) slot: Slot,
    pub(super) writer: Box<dyn Writer>,
    /// What the store has.
    pub(super) cursor: Position,
    /// What was folded; later than the cursor while no event changed a view.
    processed: Position,
    pub(super) parked: Parked,
    /// Whether its rows were made by the fold that runs now.
    current: bool,
    paused: bool,
}

impl<'a> Live<'a> {
    async fn open(this: &'a Arc<Running>, epoch: u64) -> Result<Self, ProjectionFailure> {
        let store = this.fold.store();
        let state = store.open(this.fold.spec(), false).await?;
        let parked = Parked::load(&*this.ports.dead_letters, &*this.fold, &state.slot).await?;
        let live = Self {
            this,
            epoch,
            writer: this.fold.writer(state.slot.clone()),
            slot: state.slot,
            cursor: state.cursor,
            processed: state.cursor,
            parked,
            current: state.revision == this.fold.spec().revision,
            paused: state.paused,
        };
        live.rebuild_if_outdated();
        Ok(live)
    }

    fn flowing(&self) -> bool {
        self.current && !self.paused
    }

    /// Rows of another revision are served as they stand until a rebuild replaces them.
    fn rebuild_if_outdated(&self) {
        if self.current || self.paused {
            return;
        }
        if let Ok(ticket) = self.this.begin(OperationKind::Rebuild) {
            tracing::info!(projection = self.this.name(), "its revision has changed: rebuilding");
            drop(operations::start(ticket));
        }
    }

    async fn paused_elsewhere(&self) -> Result<bool, ProjectionFailure> {
        let state = self.this.fold.store().state(self.this.name()).await?;
        Ok(state.is_none_or(|state| state.paused != self.paused || state.slot != self.slot))
    }

    /// Folds a batch and commits what it changed together with the cursor.
    async fn take(&mut self, batch: &EventPage) -> Result<(), ProjectionFailure> {
        let Some(last) = batch.last() else { return Ok(()) };
        let (clock, name) = (&*self.this.ports.clock, self.this.name());
        let began = clock.monotonic();
        let Folded { changed, refused } = self.writer.fold(batch, &self.parked, None).await?;
        // Parked before the cursor moves: after a crash in between, the same events are parked again.
        if !refused.is_empty() {
            let first = &refused[0];
            tracing::error!(
                projection = name,
                key = %first.key,
                position = first.event.position.get(),
                error = first.error,
                events = refused.len(),
                "events cannot be folded; they are parked"
            );
            let letters = parked::letters(name, &refused, clock);
            metrics::counter!("gallae_projection_parked_total", "projection" => name)
                .increment(letters.len() as u64);
            self.this.ports.dead_letters.park(letters).await?;
            self.parked.add(&refused);
        }
        self.processed = last.position;
        let unwritten = self.processed.get() - self.cursor.get();
        if changed || !refused.is_empty() || unwritten >= UNWRITTEN_EVENTS {
            self.commit().await?;
        }
        self.this.reach(self.processed);
        let took = clock.monotonic().saturating_sub(began);
        metrics::gauge!("gallae_projection_position", "projection" => name).set(last.position.get() as f64);
        metrics::gauge!("gallae_projection_lag_seconds", "projection" => name)
            .set(clock.now().since(last.time).as_secs_f64());
        metrics::histogram!("gallae_projection_batch_events", "projection" => name)
            .record(batch.len() as f64);
        metrics::histogram!("gallae_projection_batch_seconds", "projection" => name).record(took);
        Ok(())
    }

    /// Writes the prepared change and the cursor.
    pub(super) async fn commit(&mut self) -> Result<(), ProjectionFailure> {
        self.writer.apply(self.cursor, self.processed, self.epoch).await?;
        self.cursor = self.processed;
        Ok(())
    }

    /// Writes the cursor if it lags behind.
    async fn flush(&mut self) -> Result<(), ProjectionFailure> {
        if self.cursor != self.processed { self.commit().await } else { Ok(()) }
    }

    /// Answers between two batches, the cursor written. `false`: the store has to be read again.
    async fn answer(
        &mut self,
        request: Request,
        stop: &CancellationToken,
    ) -> Result<bool, ProjectionFailure> {
        match request {
            Request::Reopen => return Ok(false),
            Request::Hold(reply) => {
                let (until_dropped, dropped) = oneshot::channel();
                let (cursor, slot, epoch) = (self.cursor, self.slot.clone(), self.epoch);
                if reply.send(Held { cursor, slot, epoch, _until_dropped: until_dropped }).is_ok() {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => {}
                        _ = dropped => {}
                    }
                }
                return Ok(false);
            }
            // Whoever asked may have gone; the work is done all the same.
            Request::Retry(_, reply) | Request::Discard(_, reply) if !self.current => {
                let _ = reply.send(Err(OperationError::Busy(self.this.name())));
            }
            Request::Retry(key, reply) => drop(reply.send(self.retry(&key).await)),
            Request::Discard(key, reply) => drop(reply.send(self.discard(&key).await)),
        }
        Ok(true)
    }
}
