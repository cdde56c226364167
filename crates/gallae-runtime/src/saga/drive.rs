//! Running one instance: plan, append, call, and again, until only a timer or a person can move it.

use super::{
    calls,
    engine::{Core, Tenure},
    instance::{Instance, LoadError},
    ledger,
    operator::{Intervention, InterventionError, permit},
    queue::{Entry, Letter, Mailbox, Signal},
    row,
    transition::{self, Conditions, Incoming, Outgoing, Plan, Refusal},
};
use crate::{dispatcher::TransactError, saga::observe, supervisor::error_chain};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use gallae_core::{
    Actor, Event, EventId, Position, SagaId, Timestamp,
    saga::{Direction, SagaStatus},
};
use gallae_ports::{
    AppendBatch, AppendError, BoxFuture, Expected, Fence, NewEvent, ReadError, SagaWrite, StreamAppend,
    TimerWrite,
};
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// Between attempts to append or read when the store gives no advice.
const PATIENCE: Duration = Duration::from_millis(50);

/// Why the driver lets go of an instance.
#[derive(Debug, thiserror::Error)]
enum Halt {
    /// Somebody else owns the sagas now.
    #[error("the lease is held by somebody else")]
    Fenced,
    /// Not even that it is stuck can be written.
    #[error("its transition can never be written: {0}")]
    Unwritable(String),
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Takes up an instance and runs it until it rests.
pub(super) async fn drive(core: Arc<Core>, tenure: Arc<Tenure>, entry: Entry) {
    let Entry { id, seed, mailbox } = entry;
    // Lets the instance go however this ends, a panic included.
    let seat = Seat { core: &core, id, mailbox: &mailbox };
    let loaded = match seed {
        Some(instance) => Ok(*instance),
        None => Instance::load(&*core.store, &core.registry, id).await,
    };
    let result = match loaded {
        Ok(instance) => {
            let (calls, in_flight) = (FuturesUnordered::new(), Vec::new());
            Driver { core: &core, tenure: &tenure, mailbox: &mailbox, instance, calls, in_flight }.run().await
        }
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => {}
        Err(Halt::Load(LoadError::Absent)) => turn_away(&mailbox, &InterventionError::NotFound(id)),
        Err(Halt::Fenced) => turn_away(&mailbox, &InterventionError::NotRunning),
        Err(Halt::Load(LoadError::Read(error))) => {
            tracing::warn!(saga = %id, error = error_chain(&error), "a saga could not be read; it is taken up again later");
            turn_away(&mailbox, &InterventionError::NotRunning);
        }
        Err(halt) => {
            let reason = error_chain(&halt);
            turn_away(&mailbox, &InterventionError::Unrunnable(reason.clone()));
            core.leave_alone(id, reason, tenure.epoch).await;
        }
    }
    drop(seat);
}

struct Seat<'a> {
    core: &'a Core,
    id: SagaId,
    mailbox: &'a Arc<Mailbox>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.core.queue.forget(self.id, self.mailbox);
    }
}

struct Driver<'a> {
    core: &'a Arc<Core>,
    tenure: &'a Tenure,
    mailbox: &'a Mailbox,
    instance: Instance,
    calls: FuturesUnordered<BoxFuture<'static, Incoming>>,
    in_flight: Vec<(usize, Direction)>,
}

impl Driver<'_> {
    async fn run(mut self) -> Result<(), Halt> {
        let mut letter = self.mailbox.take().unwrap_or(Letter::Woken);
        loop {
            match letter {
                Letter::Woken => {
                    let system = Actor::System(self.core.actor());
                    self.transition(Incoming::Woken, system).await?;
                }
                Letter::Signal(signal) => self.obey(signal).await?,
            }
            letter = loop {
                if let Some(letter) = self.mailbox.take() {
                    break letter;
                }
                if self.calls.is_empty() {
                    if self.core.queue.leave(self.instance.id) {
                        return Ok(());
                    }
                    continue;
                }
                let answer = tokio::select! {
                    biased;
                    answer = self.calls.next() => answer,
                    () = self.mailbox.rang() => None,
                };
                if let Some(incoming) = answer {
                    self.landed(&incoming);
                    self.transition(incoming, Actor::System(self.core.actor())).await?;
                }
            };
        }
    }

    async fn obey(&mut self, signal: Signal) -> Result<(), Halt> {
        let Signal { incoming, actor, reply } = signal;
        let outcome = match permit(&self.instance, &incoming) {
            Err(refused) => Err(refused),
            Ok(()) => {
                let position = self.transition(incoming, actor).await?;
                Ok(Intervention { status: row::shown_status(&self.instance.state), position })
            }
        };
        // Whoever asked may have gone.
        let _ = reply.send(outcome);
        Ok(())
    }

    /// Plans and appends until it is written or can never be. The position of its last event, if it has any.
    async fn transition(&mut self, incoming: Incoming, actor: Actor) -> Result<Option<Position>, Halt> {
        let (mut refusals, mut broken) = (Vec::new(), None);
        loop {
            let plan = self.plan(&incoming, &refusals, broken.as_deref());
            if plan.events.is_empty() {
                self.launch(plan.calls);
                return Ok(None);
            }
            let (batch, last_event) = match self.batch(&plan, &actor) {
                Ok(prepared) => prepared,
                Err(reason) => {
                    note_broken(&mut broken, reason)?;
                    continue;
                }
            };
            let alarm = earliest(&batch.timers);
            match self.core.dispatcher.transact(&plan.commands, batch).await {
                Ok(appended) => {
                    self.adopt(plan, last_event);
                    self.core.alarm.set(alarm);
                    return Ok(Some(appended.position));
                }
                Err(TransactError::Rejected { index, code, reason, .. }) => {
                    self.note_refusal(&plan, &mut refusals, &mut broken, Some(index), code, reason)?;
                }
                Err(TransactError::Append(AppendError::ClaimTaken { key, owner, .. })) => {
                    let reason = format!("{key} is held by {owner}");
                    self.note_refusal(
                        &plan,
                        &mut refusals,
                        &mut broken,
                        None,
                        "CLAIM_TAKEN".to_owned(),
                        reason,
                    )?;
                }
                Err(error) => self.overcome(error, &mut broken).await?,
            }
        }
    }

    /// What to do about an append that failed for a reason that lies outside the plan.
    async fn overcome(&mut self, error: TransactError, broken: &mut Option<String>) -> Result<(), Halt> {
        match error {
            TransactError::Append(AppendError::Fenced { .. }) => Err(Halt::Fenced),
            // Somebody moved it on, or the outcome is unknown: the stream tells. Of two writers the version lets one win.
            TransactError::Append(AppendError::SagaConflict { .. } | AppendError::Conflict { .. }) => {
                metrics::counter!("gallae_saga_conflicts_total").increment(1);
                self.reload().await
            }
            TransactError::Append(AppendError::Indeterminate(fault)) => {
                self.core.clock.sleep(fault.wait()).await;
                self.reload().await
            }
            TransactError::Append(AppendError::Unavailable(fault))
            | TransactError::Read(ReadError::Unavailable(fault)) => {
                self.core.clock.sleep(fault.wait()).await;
                Ok(())
            }
            other => note_broken(broken, error_chain(&other)),
        }
    }

    fn note_refusal(
        &self,
        plan: &Plan,
        refusals: &mut Vec<Refusal>,
        broken: &mut Option<String>,
        index: Option<usize>,
        code: String,
        reason: String,
    ) -> Result<(), Halt> {
        // A claim does not say whose it is; with one origin there is no doubt.
        let origin = match index {
            Some(index) => plan.origins.get(index),
            None => plan.origins.first().filter(|first| plan.origins.iter().all(|origin| origin == *first)),
        };
        match origin {
            Some(origin) if refusals.iter().all(|known: &Refusal| known.origin != *origin) => {
                refusals.push(Refusal { origin: *origin, code, reason });
                Ok(())
            }
            _ => note_broken(broken, format!("a command was refused: {code}: {reason}")),
        }
    }

    async fn reload(&mut self) -> Result<(), Halt> {
        loop {
            match Instance::load(&*self.core.store, &self.core.registry, self.instance.id).await {
                Ok(instance) => {
                    self.instance = instance;
                    return Ok(());
                }
                Err(LoadError::Read(ReadError::Unavailable(fault))) => {
                    self.core.clock.sleep(fault.wait().max(PATIENCE)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn plan(&self, incoming: &Incoming, refusals: &[Refusal], broken: Option<&str>) -> Plan {
        let core = self.core;
        let conditions = Conditions {
            now: core.clock.now(),
            epoch: self.tenure.epoch,
            store: core.store_id,
            may_call: self.tenure.may_call(&*core.clock),
            entropy: &*core.entropy,
            effects: &core.effects,
            in_flight: &self.in_flight,
            refusals,
            broken,
        };
        transition::plan(&self.instance, incoming, &conditions)
    }

    fn batch(&self, plan: &Plan, actor: &Actor) -> Result<(AppendBatch, Uuid), String> {
        let (core, instance) = (self.core, &self.instance);
        let now = core.clock.now();
        let mut last_event = instance.last_event;
        let mut events = Vec::with_capacity(plan.events.len());
        for event in &plan.events {
            let mut payload = Vec::with_capacity(192);
            event.encode(&mut payload).map_err(|error| error_chain(&error))?;
            last_event = core.entropy.uuid();
            events.push(NewEvent::new(EventId::new(last_event), event.event_type(), payload.into()));
        }
        let mut metadata = instance.metadata.caused_by(instance.last_event);
        metadata.actor = actor.clone();
        metadata.node = Arc::clone(&core.node);
        let version = instance.version.plus(events.len() as u64);
        let mut batch = AppendBatch::new(now, Arc::new(metadata));
        batch.streams.push(StreamAppend {
            stream: instance.id.stream(),
            expected: Expected::Exact(instance.version),
            events,
        });
        batch.sagas.push(SagaWrite::Update {
            row: row::row(instance, &plan.state, version, self.tenure.epoch, now),
            expected: instance.version,
        });
        batch.timers = row::timer_writes(&instance.definition, instance.id, &instance.state, &plan.state);
        batch.effects.clone_from(&plan.effects);
        batch.fence = Some(Fence { lease: super::engine::LEASE.to_owned(), epoch: self.tenure.epoch });
        Ok((batch, last_event))
    }

    /// The plan is durable: what it says is so, and what it announced may leave.
    fn adopt(&mut self, plan: Plan, last_event: Uuid) {
        observe::transition(&self.instance, &plan);
        self.instance.version = self.instance.version.plus(plan.events.len() as u64);
        self.instance.last_event = last_event;
        self.instance.state = plan.state;
        ledger::merge(&mut self.instance.ledger, plan.effects);
        if self.instance.state.status.is_some_and(SagaStatus::is_terminal) {
            // Only an abandoned saga may still be waiting for somebody.
            self.calls = FuturesUnordered::new();
            self.in_flight.clear();
        }
        self.launch(plan.calls);
    }

    fn launch(&mut self, outgoing: Vec<Outgoing>) {
        for call in outgoing {
            self.in_flight.push((call.step, call.direction));
            self.calls
                .push(calls::perform(Arc::clone(self.core), self.instance.definition.name, call).boxed());
        }
    }

    fn landed(&mut self, incoming: &Incoming) {
        if let Incoming::Answered { step, direction, .. } | Incoming::Told { step, direction, .. } = incoming
        {
            self.in_flight.retain(|flight| *flight != (*step, *direction));
        }
    }
}

fn earliest(timers: &[TimerWrite]) -> Option<Timestamp> {
    let fires = |write: &TimerWrite| match write {
        TimerWrite::Set(timer) => Some(timer.fire_at),
        _ => None,
    };
    timers.iter().filter_map(fires).min()
}

/// The first time the instance is held for this reason; if that cannot be written either, nothing can.
fn note_broken(broken: &mut Option<String>, reason: String) -> Result<(), Halt> {
    match broken {
        None => {
            *broken = Some(reason);
            Ok(())
        }
        Some(_) => Err(Halt::Unwritable(reason)),
    }
}

/// Tells everybody who waits that the instance cannot be taken up.
fn turn_away(mailbox: &Mailbox, error: &InterventionError) {
    while let Some(letter) = mailbox.take() {
        if let Letter::Signal(signal) = letter {
            let _ = signal.reply.send(Err(error.clone()));
        }
    }
}
