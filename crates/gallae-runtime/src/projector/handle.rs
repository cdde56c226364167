//! What the rest of a platform asks of its projections.

use super::{
    error::{NotReached, OperationError},
    operations::{self, Outcome},
    report::{OperationKind, Progress, RebuildReport, SyncReport, Unparked, VerifyReport},
    running::{Request, Running},
    status::{self, ProjectionStatus},
};
use futures::FutureExt;
use gallae_core::{Position, ViewKey};
use gallae_ports::{BoxFuture, DeadLetter, StoreFault};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};
use tokio::sync::{oneshot, watch};

/// How often a reader asks the store about a projection that another node runs.
const POLL: Duration = Duration::from_millis(20);

/// The projections of this node.
#[derive(Clone)]
pub struct Projections {
    pub(super) running: Arc<BTreeMap<&'static str, Arc<Running>>>,
}

impl fmt::Debug for Projections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.running.keys()).finish()
    }
}

impl Projections {
    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.running.keys().copied()
    }

    /// How each projection is doing, by name. Reads the stores and refreshes the lag gauges.
    ///
    /// # Errors
    /// When a store could not be asked.
    pub async fn status(&self) -> Result<Vec<ProjectionStatus>, StoreFault> {
        let Some(first) = self.running.values().next() else { return Ok(Vec::new()) };
        let head = first.ports.log.head().await?;
        let mut all = Vec::with_capacity(self.running.len());
        for running in self.running.values() {
            all.push(status::status(running, head).await?);
        }
        Ok(all)
    }

    /// Waits until a projection has folded everything up to `position`, at most `within`; says how far it is. The events
    /// up to there are visible to queries, on this node or any other. While a projection of a new revision is being
    /// rebuilt its old rows stand still, and so does this.
    ///
    /// # Errors
    /// [`NotReached::Behind`] when the time is over.
    pub async fn reached(
        &self,
        name: &str,
        position: Position,
        within: Duration,
    ) -> Result<Position, NotReached> {
        let running = self.running.get(name).ok_or_else(|| NotReached::Unknown(name.to_owned()))?;
        let mut processed = running.processed.subscribe();
        let here = *processed.borrow_and_update();
        if here >= position {
            return Ok(here);
        }
        let clock = &running.ports.clock;
        let reached = async {
            loop {
                let here = *processed.borrow_and_update();
                if here >= position {
                    return Ok(here);
                }
                if running.epoch.borrow().is_some() {
                    // Its sender lives as long as `running`. The lease may go meanwhile, so the store is asked now and then.
                    tokio::select! {
                        biased;
                        _ = processed.changed() => continue,
                        () = clock.sleep(POLL * 10) => continue,
                    }
                }
                let state = running.fold.store().state(running.name()).await?;
                match state {
                    Some(state) if state.cursor >= position => return Ok(state.cursor),
                    _ => clock.sleep(POLL).await,
                }
            }
        };
        tokio::select! {
            biased;
            reached = reached => reached,
            () = clock.sleep(within) => {
                let at = *running.processed.borrow();
                Err(NotReached::Behind { projection: running.name(), wanted: position, at })
            }
        }
    }

    /// Holds a projection where it is, also across restarts, until it is resumed. Its rows are served as they stand.
    ///
    /// # Errors
    /// When it is unknown or its store cannot be written.
    pub async fn pause(&self, name: &str) -> Result<(), OperationError> {
        self.set_paused(name, true).await
    }

    /// Lets a held projection go on from where it is.
    ///
    /// # Errors
    /// When it is unknown or its store cannot be written.
    pub async fn resume(&self, name: &str) -> Result<(), OperationError> {
        self.set_paused(name, false).await
    }

    async fn set_paused(&self, name: &str, paused: bool) -> Result<(), OperationError> {
        let running = self.find(name)?;
        running.fold.store().set_paused(name, paused).await?;
        // A node that runs it elsewhere notices within a second.
        if running.epoch.borrow().is_some() {
            let _ = running.requests.send(Request::Reopen).await;
        }
        Ok(())
    }

    /// Recomputes a projection from the log beside its live rows, then switches to the result in one step. Queries are served
    /// throughout, and the live rows are kept up to date until the switch, unless they are of an older revision: the fold
    /// that made them is gone. Begins when called; goes on when the future is dropped.
    ///
    /// Events that could not be folded are tried again, also those that an operator once gave up.
    ///
    /// # Errors
    /// Without effect on the live rows; see [`OperationError`].
    pub fn rebuild(&self, name: &str) -> BoxFuture<'static, Result<RebuildReport, OperationError>> {
        let outcome = self.operate(name, OperationKind::Rebuild);
        async move {
            match finished(outcome).await? {
                Outcome::Rebuilt(report) => Ok(report),
                Outcome::Verified(_) => Err(OperationError::Interrupted),
            }
        }
        .boxed()
    }

    /// Recomputes a projection from the log beside its live rows, and compares row by row at one position. Begins when
    /// called; goes on when the future is dropped.
    ///
    /// # Errors
    /// Without effect on the live rows; see [`OperationError`].
    pub fn verify(&self, name: &str) -> BoxFuture<'static, Result<VerifyReport, OperationError>> {
        verified(self.operate(name, OperationKind::Verify))
    }

    /// Verifies, and rewrites the rows that differ and no others. Begins when called; goes on when the future is dropped.
    ///
    /// # Errors
    /// See [`OperationError`]; some rows may have been rewritten.
    pub fn repair(&self, name: &str) -> BoxFuture<'static, Result<VerifyReport, OperationError>> {
        verified(self.operate(name, OperationKind::Repair))
    }

    fn operate(&self, name: &str, kind: OperationKind) -> Result<Started, OperationError> {
        let running = self.find(name)?;
        running.led_here()?;
        Ok(operations::start(running.begin(kind)?))
    }

    /// Asks the rebuild, verification or repair of a projection to stop; `false` if there is none.
    ///
    /// # Errors
    /// When it is unknown.
    pub fn cancel(&self, name: &str) -> Result<bool, OperationError> {
        Ok(self.find(name)?.cancel())
    }

    /// How far the running operation has come, as it changes; none while there is no operation.
    ///
    /// # Errors
    /// When the projection is unknown.
    pub fn progress(&self, name: &str) -> Result<watch::Receiver<Option<Progress>>, OperationError> {
        Ok(self.find(name)?.progress.subscribe())
    }

    /// Brings a projection from its cursor to the present head of the log, at most `within`.
    ///
    /// # Errors
    /// [`OperationError::Paused`], or [`OperationError::Behind`] when the time is over.
    pub async fn sync(&self, name: &str, within: Duration) -> Result<SyncReport, OperationError> {
        let running = self.find(name)?;
        let state = running.fold.store().state(name).await?;
        if state.as_ref().is_some_and(|state| state.paused) {
            return Err(OperationError::Paused(running.name()));
        }
        let stored = state.map_or(Position::START, |state| state.cursor);
        let from = stored.max(*running.processed.borrow());
        let to = running.ports.log.head().await?.max(from);
        self.reached(name, to, within).await?;
        Ok(SyncReport { from, to, events: to.get() - from.get() })
    }

    /// Parked events in position order: of one projection or all of them, of one key or all.
    ///
    /// # Errors
    /// When the projection is unknown or the store cannot be read.
    pub async fn dead_letters(
        &self,
        name: Option<&str>,
        key: Option<&ViewKey>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, OperationError> {
        let running = match name {
            Some(name) => self.find(name)?,
            None => match self.running.values().next() {
                Some(any) => any,
                None => return Ok(Vec::new()),
            },
        };
        Ok(running.ports.dead_letters.dead_letters(name, key, limit).await?)
    }

    /// Folds the parked events of a key in order, as far as they go; the rest stays parked.
    ///
    /// # Errors
    /// [`OperationError::NotParked`], [`OperationError::Elsewhere`], or a store's failure.
    pub async fn retry(&self, name: &str, key: &ViewKey) -> Result<Unparked, OperationError> {
        let (reply, answer) = oneshot::channel();
        self.ask(name, Request::Retry(key.clone(), reply), answer).await
    }

    /// Gives up the first parked event of a key, for good, and folds those that wait behind it. The event stays in the log,
    /// and a rebuild meets it again.
    ///
    /// # Errors
    /// [`OperationError::NotParked`], [`OperationError::Elsewhere`], or a store's failure.
    pub async fn discard(&self, name: &str, key: &ViewKey) -> Result<Unparked, OperationError> {
        let (reply, answer) = oneshot::channel();
        self.ask(name, Request::Discard(key.clone(), reply), answer).await
    }

    async fn ask(
        &self,
        name: &str,
        request: Request,
        answer: oneshot::Receiver<Result<Unparked, OperationError>>,
    ) -> Result<Unparked, OperationError> {
        let running = self.find(name)?;
        running.led_here()?;
        running.requests.send(request).await.map_err(|_| OperationError::Interrupted)?;
        answer.await.map_err(|_| OperationError::Interrupted)?
    }

    fn find(&self, name: &str) -> Result<&Arc<Running>, OperationError> {
        self.running.get(name).ok_or_else(|| OperationError::Unknown(name.to_owned()))
    }
}

type Started = oneshot::Receiver<Result<Outcome, OperationError>>;

async fn finished(started: Result<Started, OperationError>) -> Result<Outcome, OperationError> {
    started?.await.map_err(|_| OperationError::Interrupted)?
}

fn verified(
    started: Result<Started, OperationError>,
) -> BoxFuture<'static, Result<VerifyReport, OperationError>> {
    async move {
        match finished(started).await? {
            Outcome::Verified(report) => Ok(report),
            Outcome::Rebuilt(_) => Err(OperationError::Interrupted),
        }
    }
    .boxed()
}
