//! Folding the log from its beginning into a shadow: what rebuild, verification and repair share.

use super::{
    error::OperationError,
    fold::{Differences, RowKey, Suspects, Writer},
    parked::{self, Parked},
    report::{OperationKind, Phase, Progress},
    running::{Held, Request, Running, Ticket},
};
use gallae_core::{Position, ViewKey};
use gallae_ports::{DeadLetter, EventPage, ReadError, Slot};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// Events read and folded at once. Large, so that the changes of a view within it become one write.
const BATCH: usize = 5_000;
/// Near enough to the live cursor to let the live projector stand still for the rest.
const NEAR: u64 = 500;
/// Events that may fail before a recomputation is given up.
const MAX_PARKED: usize = 100_000;

pub(super) struct Recompute<'a> {
    pub(super) running: &'a Arc<Running>,
    ticket: &'a Ticket,
    pub(super) shadow: Slot,
    writer: Box<dyn Writer>,
    pub(super) cursor: Position,
    epoch: u64,
    pub(super) parked: Parked,
    /// What the recomputation parked; stored only if it becomes live.
    pub(super) letters: Vec<DeadLetter>,
    began: Duration,
    /// Keys written since the survey.
    touched: Option<BTreeSet<ViewKey>>,
}

/// Recomputed rows and live rows at one position, with what differs; the live projector stands still.
pub(super) struct Settled {
    pub(super) held: Held,
    pub(super) held_since: Duration,
    pub(super) rows: u64,
    /// Rows that differ beyond those in `differences`.
    pub(super) beyond: u64,
    pub(super) differences: Differences,
    /// Keys left out of the comparison.
    pub(super) skipped: u64,
}

impl<'a> Recompute<'a> {
    /// An empty shadow. `parked` are events to leave out.
    pub(super) async fn begin(ticket: &'a Ticket, parked: Parked) -> Result<Self, OperationError> {
        let running = &ticket.running;
        let epoch = running.led_here()?;
        let shadow = running.fold.store().create_shadow(running.fold.spec()).await?;
        Ok(Self {
            running,
            ticket,
            writer: running.fold.writer(shadow.clone()),
            shadow,
            cursor: Position::START,
            epoch,
            parked,
            letters: Vec::new(),
            began: running.ports.clock.monotonic(),
            touched: None,
        })
    }

    /// Folds the log, compares with the live rows, and brings both to one position.
    pub(super) async fn settle(&mut self) -> Result<Settled, OperationError> {
        let running = self.running;
        let (store, clock) = (running.fold.store(), &running.ports.clock);
        let state = store.state(running.name()).await?;
        let comparable = state.as_ref().is_some_and(|state| state.revision == running.fold.spec().revision);
        if let Some(state) = state.as_ref().filter(|_| comparable) {
            // The live projector may not have opened its rows yet.
            running.reach(state.cursor);
        }
        self.follow(comparable).await?;
        self.show(Phase::Comparing, self.cursor);
        self.touched = Some(BTreeSet::new());
        let live = state.map_or_else(|| self.shadow.clone(), |state| state.slot);
        let Suspects { mut keys, beyond, rows } = running.fold.survey(&live, &self.shadow).await?;
        self.follow(comparable).await?;
        self.show(Phase::Settling, self.cursor);
        let held = self.hold().await?;
        let held_since = clock.monotonic();
        if held.slot != live || held.epoch != self.epoch {
            return Err(OperationError::Interrupted);
        }
        let target = if comparable { held.cursor } else { self.target(false).await? };
        self.advance(target).await?;
        keys.extend(self.touched.take().unwrap_or_default());
        let skipped = self.leave_out_parked(&mut keys).await?;
        let mut differences = running.fold.compare(&live, &self.shadow, &keys).await?;
        let rows = rows.max(std::mem::take(&mut differences.rows));
        Ok(Settled { held, held_since, rows, beyond, differences, skipped })
    }

    /// Parked keys are known to differ from the log, by the parked events: comparing them would say nothing.
    async fn leave_out_parked(&self, keys: &mut BTreeSet<ViewKey>) -> Result<u64, OperationError> {
        if self.ticket.kind == OperationKind::Rebuild {
            return Ok(0);
        }
        let letters = &self.running.ports.dead_letters;
        let mut parked: BTreeSet<ViewKey> =
            letters.parked_keys(self.running.name()).await?.into_iter().collect();
        parked.extend(self.parked.keys().cloned());
        keys.retain(|key| !parked.contains(key));
        Ok(parked.len() as u64)
    }

    /// Folds until near where the live projector stands, or near the head when the live rows stand still.
    async fn follow(&mut self, comparable: bool) -> Result<(), OperationError> {
        loop {
            let target = self.target(comparable).await?;
            self.advance(target).await?;
            let moved = self.target(comparable).await?.get().saturating_sub(target.get());
            if moved <= NEAR {
                return Ok(());
            }
        }
    }

    async fn target(&self, comparable: bool) -> Result<Position, OperationError> {
        // Never past the live rows, so that both can be brought to one position.
        if comparable {
            Ok(*self.running.processed.borrow())
        } else {
            Ok(self.running.ports.log.head().await?)
        }
    }

    /// Folds up to `target` exactly, reading one batch ahead.
    async fn advance(&mut self, target: Position) -> Result<(), OperationError> {
        if self.cursor >= target {
            return Ok(());
        }
        let log = Arc::clone(&self.running.ports.log);
        let mut page = log.read_all(self.cursor, BATCH).await?;
        loop {
            page.retain(|event| event.position <= target);
            let last = page.last().map(|event| event.position);
            let last = last.ok_or(ReadError::Regressed { after: target, head: self.cursor })?;
            let ahead =
                async { if last < target { log.read_all(last, BATCH).await.map(Some) } else { Ok(None) } };
            // The read comes first: it is on its way while this batch is folded.
            let (ahead, written) = futures::join!(ahead, self.write(page, target));
            written?;
            match ahead? {
                Some(ahead) => page = ahead,
                None => return Ok(()),
            }
        }
    }

    async fn write(&mut self, page: EventPage, target: Position) -> Result<(), OperationError> {
        if self.ticket.cancel.is_cancelled() {
            return Err(OperationError::Cancelled);
        }
        let Some(last) = page.last() else { return Ok(()) };
        let folded = self.writer.fold(&page, &self.parked, None).await?;
        if !folded.refused.is_empty() {
            let (name, clock) = (self.running.name(), &*self.running.ports.clock);
            self.letters.extend(parked::letters(name, &folded.refused, clock));
            self.parked.add(&folded.refused);
            if self.letters.len() > MAX_PARKED {
                return Err(OperationError::TooManyParked { limit: MAX_PARKED });
            }
        }
        if let Some(touched) = &mut self.touched {
            touched.extend(self.writer.touched());
        }
        self.writer.apply(self.cursor, last.position, self.epoch).await?;
        self.cursor = last.position;
        self.show(if self.touched.is_some() { Phase::Settling } else { Phase::Reading }, target);
        tokio::task::yield_now().await;
        Ok(())
    }

    fn show(&self, phase: Phase, target: Position) {
        let (done, total) = (self.cursor.get(), target.get());
        let took = self.took().as_secs_f64();
        let rate = if took > 0.0 { done as f64 / took } else { 0.0 };
        let left = total.saturating_sub(done) as f64;
        let eta = (rate > 0.0).then(|| Duration::try_from_secs_f64(left / rate).unwrap_or(Duration::MAX));
        let operation = self.ticket.kind;
        self.running.progress.send_replace(Some(Progress { operation, phase, done, total, rate, eta }));
    }

    pub(super) fn took(&self) -> Duration {
        self.running.ports.clock.monotonic().saturating_sub(self.began)
    }

    /// Asks the live projector to stand still.
    async fn hold(&self) -> Result<Held, OperationError> {
        let (reply, answer) = oneshot::channel();
        let ask = async {
            let asked = self.running.requests.send(Request::Hold(reply)).await;
            asked.map_err(|_| OperationError::Interrupted)?;
            answer.await.map_err(|_| OperationError::Interrupted)
        };
        tokio::select! {
            biased;
            () = self.ticket.cancel.cancelled() => Err(OperationError::Cancelled),
            held = ask => held,
        }
    }
}

impl Settled {
    pub(super) fn differing(&self) -> u64 {
        self.differences.keys.len() as u64 + self.beyond
    }

    pub(super) fn keys(&self) -> &[RowKey] {
        &self.differences.keys
    }
}
