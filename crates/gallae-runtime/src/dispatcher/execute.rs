//! The loop behind every command: lock, load, decide, append; again on conflict.

use super::{Dispatcher, Idempotency, Receipt, cache::Loaded, starts::Starting};
use crate::supervisor::error_chain;
use gallae_core::{
    AnyCommand, AnyRejection, ClaimChange, DecisionContext, EncodedEvent, EventId, Metadata, SagaId,
    StreamId, Timestamp, Version,
};
use gallae_ports::{
    AppendBatch, AppendError, Appended, Claim, Entropy, Expected, Guard, IdempotencyRecord, NewEvent,
    ReadError, SagaWrite, Snapshot, StreamAppend, TimerWrite,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::OwnedMutexGuard;

/// How often a command is decided again before the conflict is the caller's.
const ATTEMPTS: usize = 16;
/// How often a batch whose outcome is unknown is sent again, and the first wait between.
const RESOLVE_ATTEMPTS: u32 = 4;
const RESOLVE_WAIT: Duration = Duration::from_millis(50);
const READ_PAGE: usize = 500;

/// Commands to decide, and what commits with them.
pub(super) struct Work<'a> {
    pub(super) commands: &'a [&'a dyn AnyCommand],
    pub(super) base: AppendBatch,
    pub(super) idempotency: Option<Idempotency>,
}

/// Everything that can go wrong, before it is told by consequence.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{rejection}")]
    Decided { index: usize, rejection: AnyRejection },
    #[error(transparent)]
    Append(AppendError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("a stored event or snapshot of {stream} cannot be understood: {reason}")]
    Undecodable { stream: StreamId, reason: String },
    #[error("aggregate {aggregate:?} is not registered with the platform")]
    Unregistered { aggregate: &'static str },
    #[error("the idempotency key was used for a different request")]
    KeyReused,
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Starts sagas in the transaction of the events that cause them.
pub(crate) trait StartSagas: Send + Sync {
    /// The sagas that `event`, about to be appended to `stream`, starts.
    ///
    /// # Errors
    /// When a definition's start function fails: the event must not be appended without its saga.
    fn starting(
        &self,
        stream: &StreamId,
        event: &EncodedEvent,
        now: Timestamp,
        metadata: &Arc<Metadata>,
        entropy: &dyn Entropy,
    ) -> Result<Vec<SagaStart>, StartError>;

    /// Called after the commit. A hint: what is durable is found without it.
    fn started(&self, saga: SagaId);
}

/// Whether an event starts a saga could not be decided: a bug of the definition. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[error("saga {saga} cannot tell whether an event starts it: {reason}")]
pub(crate) struct StartError {
    pub(crate) saga: &'static str,
    pub(crate) reason: String,
}

/// A saga's first transition.
pub(crate) struct SagaStart {
    pub(crate) saga: SagaId,
    pub(crate) append: StreamAppend,
    pub(crate) row: SagaWrite,
    pub(crate) timers: Vec<TimerWrite>,
}

/// One stream that takes part, locked.
pub(super) struct Part {
    pub(super) stream: StreamId,
    pub(super) aggregate: &'static str,
    pub(super) slot: OwnedMutexGuard<Option<Loaded>>,
    /// Where it stood before this attempt.
    before: Version,
    /// Whether it was read from the store in this attempt, so that a refusal needs no second look.
    fresh: bool,
    pub(super) events: Vec<EncodedEvent>,
}

enum Attempt {
    Done(Receipt),
    Again(AppendError),
}

impl Dispatcher {
    pub(super) async fn execute(&self, work: Work<'_>) -> Result<Receipt, Failure> {
        let (mut last, mut existing) = (None, Vec::new());
        for _ in 0..ATTEMPTS {
            match self.attempt(&work, &mut existing).await? {
                Attempt::Done(receipt) if receipt.replayed.is_some() => return self.at_head(receipt).await,
                Attempt::Done(receipt) => return Ok(receipt),
                Attempt::Again(conflict) => last = Some(conflict),
            }
        }
        Err(Failure::Append(last.unwrap_or(AppendError::Invalid { reason: "no attempt was made" })))
    }

    /// The first answer came at or before the present head: reading from there on sees its effect.
    async fn at_head(&self, receipt: Receipt) -> Result<Receipt, Failure> {
        let head = self.inner.store.head().await;
        let position = head.map_err(|fault| Failure::Append(AppendError::Unavailable(fault)))?;
        Ok(Receipt { position, ..receipt })
    }

    async fn attempt(&self, work: &Work<'_>, existing: &mut Vec<SagaId>) -> Result<Attempt, Failure> {
        let mut parts = self.lock_parts(work.commands).await?;
        let now = self.inner.clock.now();
        let cx = DecisionContext { now, metadata: &work.base.metadata };
        let mut claims = Vec::new();
        for (index, command) in work.commands.iter().enumerate() {
            match decide(&mut parts, *command, &cx) {
                Ok(changes) => claims.extend(changes.into_iter().map(|change| absolute(change, now))),
                Err(rejection) => {
                    return self.refuse(work, parts, Failure::Decided { index, rejection }).await;
                }
            }
        }
        self.commit(work, parts, claims, now, existing).await
    }

    /// Locks and loads every stream the commands address, in name order so that two transactions cannot wait for each other.
    async fn lock_parts(&self, commands: &[&dyn AnyCommand]) -> Result<Vec<Part>, Failure> {
        let mut wanted: Vec<_> =
            commands.iter().map(|command| (command.stream(), command.aggregate_type())).collect();
        wanted.sort();
        wanted.dedup();
        let mut parts = Vec::with_capacity(wanted.len());
        for (stream, aggregate) in wanted {
            let mut slot = self.inner.cache.slot(&stream).lock_owned().await;
            let fresh = slot.is_none();
            let before = self.loaded(&mut slot, aggregate, &stream).await?.version;
            parts.push(Part { stream, aggregate, slot, before, fresh, events: Vec::new() });
        }
        Ok(parts)
    }

    /// The aggregate in a slot, read from the store if it is not there.
    pub(super) async fn loaded<'a>(
        &self,
        slot: &'a mut Option<Loaded>,
        aggregate: &'static str,
        stream: &StreamId,
    ) -> Result<&'a mut Loaded, Failure> {
        if slot.is_none() {
            *slot = Some(self.load(aggregate, stream).await?);
        }
        slot.as_mut().ok_or(Failure::Unregistered { aggregate })
    }

    async fn load(&self, aggregate: &'static str, stream: &StreamId) -> Result<Loaded, Failure> {
        let Some(kind) = self.inner.types.get(aggregate) else {
            return Err(Failure::Unregistered { aggregate });
        };
        let mut loaded =
            Loaded { state: (kind.fresh)(), version: Version::NONE, snapshot_version: Version::NONE };
        let mut page = self.inner.store.read_stream(stream, Version::NONE, READ_PAGE).await?;
        if page.len() == READ_PAGE {
            // A long stream: a snapshot may save most of it. One that is missing or unreadable only costs time.
            if let Ok(Some(Snapshot { version, state })) =
                self.inner.snapshots.snapshot(stream, kind.snapshot_revision).await
                && let Ok(state) = (kind.restore)(&state)
            {
                loaded = Loaded { state, version, snapshot_version: version };
                page = self.inner.store.read_stream(stream, version, READ_PAGE).await?;
            }
        }
        loop {
            for event in &page {
                loaded.state.evolve_recorded(event).map_err(|error| Failure::Undecodable {
                    stream: stream.clone(),
                    reason: error_chain(&error),
                })?;
                loaded.version = event.version;
            }
            if page.len() < READ_PAGE {
                return Ok(loaded);
            }
            page = self.inner.store.read_stream(stream, loaded.version, READ_PAGE).await?;
        }
    }

    /// A refusal counts once the store has confirmed that the streams stand where it was decided; until then it is only an
    /// opinion of the cache.
    async fn refuse(&self, work: &Work<'_>, parts: Vec<Part>, refusal: Failure) -> Result<Attempt, Failure> {
        let unchanged = parts.iter().all(|part| part.fresh);
        let guards = parts.iter().map(Part::guard).collect();
        forget_changed(parts);
        if let Some(replay) = self.replay(work).await? {
            return Ok(Attempt::Done(replay));
        }
        if !unchanged && let Err(conflict) = self.confirm(work, guards).await? {
            return Ok(Attempt::Again(conflict));
        }
        Err(refusal)
    }

    /// Asks the store, behind everything submitted before, whether streams stand where they were believed.
    async fn confirm(
        &self,
        work: &Work<'_>,
        guards: Vec<Guard>,
    ) -> Result<Result<Appended, AppendError>, Failure> {
        let mut batch = AppendBatch::new(work.base.time, Arc::clone(&work.base.metadata));
        let streams: Vec<_> = guards.iter().map(|guard: &Guard| guard.stream.clone()).collect();
        batch.guards = guards;
        match self.inner.store.append(batch).await {
            Ok(appended) => Ok(Ok(appended)),
            Err(conflict @ AppendError::Conflict { .. }) => {
                self.forget(&streams).await;
                Ok(Err(conflict))
            }
            Err(error) => Err(Failure::Append(error)),
        }
    }

    async fn commit(
        &self,
        work: &Work<'_>,
        mut parts: Vec<Part>,
        claims: Vec<Claim>,
        now: Timestamp,
        existing: &mut Vec<SagaId>,
    ) -> Result<Attempt, Failure> {
        let (batch, sagas) = match self.batch(work, &parts, claims, now, existing) {
            Ok(built) => built,
            Err(broken) => {
                forget_changed(parts);
                return Err(broken.into());
            }
        };
        let events = parts.iter().map(|part| part.events.len()).sum();
        let version = parts.last().map_or(Version::NONE, |part| part.before.plus(part.events.len() as u64));
        let streams: Vec<_> = parts.iter().map(|part| part.stream.clone()).collect();
        let snapshots = self.due_snapshots(&mut parts);
        // Queued before the locks are given up: the order of decisions is the order of submission.
        let pending = self.inner.store.append(batch.clone());
        let starting = Starting::new(sagas, &*self.inner.sagas);
        drop(parts);
        let result = match pending.await {
            Err(AppendError::Indeterminate(_)) => self.resolve(batch).await,
            result => result,
        };
        match result {
            Ok(appended) => {
                let sagas = starting.started();
                self.save_snapshots(snapshots);
                Ok(Attempt::Done(Receipt {
                    position: appended.position,
                    version,
                    events,
                    sagas,
                    replayed: None,
                    appended,
                }))
            }
            Err(error) => {
                let sagas = starting.refused();
                self.forget(&streams).await;
                if let Some(saga) = sagas.into_iter().find(|saga| is_about(&error, *saga)) {
                    existing.push(saga);
                    return Ok(Attempt::Again(error));
                }
                self.refused_append(work, error, &streams).await
            }
        }
    }

    async fn refused_append(
        &self,
        work: &Work<'_>,
        error: AppendError,
        streams: &[StreamId],
    ) -> Result<Attempt, Failure> {
        match error {
            AppendError::Conflict { ref stream, .. } if streams.contains(stream) => Ok(Attempt::Again(error)),
            AppendError::Duplicate(record) => replayed(work, record).map(Attempt::Done),
            // A repetition may meet its own first effect as a claim; the record tells them apart.
            error @ AppendError::ClaimTaken { .. } => match self.replay(work).await? {
                Some(receipt) => Ok(Attempt::Done(receipt)),
                None => Err(Failure::Append(error)),
            },
            error => Err(Failure::Append(error)),
        }
    }

    fn batch(
        &self,
        work: &Work<'_>,
        parts: &[Part],
        claims: Vec<Claim>,
        now: Timestamp,
        existing: &[SagaId],
    ) -> Result<(AppendBatch, Vec<SagaId>), StartError> {
        let mut batch = work.base.clone();
        batch.time = now;
        batch.claims.extend(claims);
        batch.idempotency = work.idempotency.as_ref().map(|once| IdempotencyRecord {
            key: once.key.clone(),
            fingerprint: once.fingerprint.clone(),
            response: once.response.clone(),
            expires_at: once.expires_at,
        });
        let mut sagas = Vec::new();
        for part in parts {
            if part.events.is_empty() {
                batch.guards.push(part.guard());
                continue;
            }
            let new_event = |event: &EncodedEvent| {
                NewEvent::new(
                    EventId::new(self.inner.entropy.uuid()),
                    event.event_type,
                    event.payload.clone(),
                )
            };
            let events = part.events.iter().map(new_event).collect();
            batch.streams.push(StreamAppend {
                stream: part.stream.clone(),
                expected: part.guard().expected,
                events,
            });
            // A saga stands behind the event that starts it.
            for event in &part.events {
                let entropy = &*self.inner.entropy;
                let starts = self.inner.sagas.starting(&part.stream, event, now, &batch.metadata, entropy)?;
                for start in starts {
                    // Two starts with one business key are one instance.
                    if sagas.contains(&start.saga) || existing.contains(&start.saga) {
                        continue;
                    }
                    sagas.push(start.saga);
                    batch.streams.push(start.append);
                    batch.sagas.push(start.row);
                    batch.timers.extend(start.timers);
                }
            }
        }
        Ok((batch, sagas))
    }

    /// Sends the same batch again until its outcome is known, or patience runs out.
    async fn resolve(&self, batch: AppendBatch) -> Result<Appended, AppendError> {
        let mut wait = RESOLVE_WAIT;
        for _ in 1..RESOLVE_ATTEMPTS {
            self.inner.clock.sleep(wait).await;
            match self.inner.store.append(batch.clone()).await {
                Err(AppendError::Indeterminate(_) | AppendError::Unavailable(_)) => wait *= 3,
                known => return known,
            }
        }
        match self.inner.store.append(batch).await {
            // It was sent before: that nothing was written now says nothing about then.
            Err(AppendError::Unavailable(fault)) => Err(AppendError::Indeterminate(fault)),
            result => result,
        }
    }

    /// The first answer, when this request is a repetition.
    async fn replay(&self, work: &Work<'_>) -> Result<Option<Receipt>, Failure> {
        let Some(once) = &work.idempotency else { return Ok(None) };
        let now = self.inner.clock.now();
        let record = self.inner.store.idempotency(&once.key, now).await;
        match record.map_err(|fault| Failure::Append(AppendError::Unavailable(fault)))? {
            Some(record) => replayed(work, record).map(Some),
            None => Ok(None),
        }
    }

    /// Drops cached states that no longer agree with the store.
    async fn forget(&self, streams: &[StreamId]) {
        for stream in streams {
            *self.inner.cache.slot(stream).lock().await = None;
        }
    }
}

impl Part {
    fn guard(&self) -> Guard {
        let expected =
            if self.before == Version::NONE { Expected::NoStream } else { Expected::Exact(self.before) };
        Guard { stream: self.stream.clone(), expected }
    }
}

fn decide(
    parts: &mut [Part],
    command: &dyn AnyCommand,
    cx: &DecisionContext<'_>,
) -> Result<Vec<ClaimChange>, AnyRejection> {
    let stream = command.stream();
    let wrong = AnyRejection::WrongState { command: command.name() };
    let Some(part) = parts.iter_mut().find(|part| part.stream == stream) else { return Err(wrong) };
    // Out of the slot while the domain's code runs: should it panic, no half-changed state stays behind.
    let Some(mut loaded) = part.slot.take() else { return Err(wrong) };
    let decision = command.decide_and_evolve(&mut *loaded.state, cx);
    if let Ok((events, _)) = &decision {
        loaded.version = loaded.version.plus(events.len() as u64);
    }
    *part.slot = Some(loaded);
    let (events, claims) = decision?;
    part.events.extend(events);
    Ok(claims)
}

/// States that took events which will not be appended are of no use.
fn forget_changed(parts: Vec<Part>) {
    for mut part in parts {
        if !part.events.is_empty() {
            *part.slot = None;
        }
    }
}

fn replayed(work: &Work<'_>, record: IdempotencyRecord) -> Result<Receipt, Failure> {
    match &work.idempotency {
        Some(once) if once.fingerprint == record.fingerprint => Ok(Receipt {
            position: gallae_core::Position::START,
            version: Version::NONE,
            events: 0,
            sagas: Vec::new(),
            replayed: Some(record.response),
            appended: Appended {
                position: gallae_core::Position::START,
                versions: Vec::new(),
                replayed: true,
            },
        }),
        _ => Err(Failure::KeyReused),
    }
}

/// Whether a saga could not be started because it exists.
fn is_about(error: &AppendError, started: SagaId) -> bool {
    match error {
        AppendError::SagaConflict { saga } => *saga == started,
        AppendError::Conflict { stream, .. } => *stream == started.stream(),
        _ => false,
    }
}

fn absolute(change: ClaimChange, now: Timestamp) -> Claim {
    match change {
        ClaimChange::Take { key, owner, expires_after } => {
            Claim::Take { key, owner, expires_at: expires_after.map(|after| now.after(after)) }
        }
        ClaimChange::Release { key, owner } => Claim::Release { key, owner },
    }
}
