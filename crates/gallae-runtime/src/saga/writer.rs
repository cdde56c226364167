//! Moving one instance on: plan, append, and what to do when the append is refused.

use super::{
    calls,
    engine::Core,
    gate::Gate,
    instance::{Instance, LoadError},
    ledger, observe,
    ownership::Tenure,
    row,
    transition::{self, Conditions, Incoming, Outgoing, Plan, Refusal},
};
use crate::{dispatcher::TransactError, supervisor::error_chain};
use futures::{FutureExt, stream::FuturesUnordered};
use gallae_core::{
    Actor, Event, EventId, Position, Timestamp,
    saga::{Direction, SagaStatus},
};
use gallae_ports::{
    AppendBatch, AppendError, BoxFuture, Expected, Fence, NewEvent, ReadError, SagaWrite, StoreFault,
    StreamAppend, TimerWrite,
};
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// Between attempts to append or read when the store gives no advice.
const PATIENCE: Duration = Duration::from_millis(50);

/// Why an instance cannot be moved on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Halt {
    /// Somebody else owns the partition now.
    #[error("the lease is held by somebody else")]
    Fenced,
    /// Not even that it is stuck can be written.
    #[error("its transition can never be written: {0}")]
    Unwritable(String),
    /// Nothing was written, and whoever asked does not wait.
    #[error("the store is unavailable")]
    Unavailable(#[source] StoreFault),
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// By which right an instance is moved on.
pub(super) enum Right<'a> {
    /// This node holds its partition.
    Owner(&'a Tenure),
    /// Somebody else may hold it. A visitor writes what was asked for and all that follows from it without a call; calls under way
    /// are the owner's business. Its epoch is the newest of the partition's lease, its fence that of the holder, if there is one.
    Visitor { epoch: u64, fence: Option<Fence> },
}

/// One instance, and the calls under way for it.
pub(super) struct Writer<'a> {
    pub(super) core: &'a Arc<Core>,
    pub(super) right: Right<'a>,
    pub(super) instance: Instance,
    pub(super) calls: FuturesUnordered<BoxFuture<'static, Incoming>>,
    in_flight: Vec<(usize, Direction)>,
    gate: Gate,
}

impl<'a> Writer<'a> {
    pub(super) fn new(core: &'a Arc<Core>, right: Right<'a>, instance: Instance) -> Self {
        let gate = Gate::new(Arc::clone(&core.dependencies), Arc::clone(&core.clock));
        Self { core, right, instance, calls: FuturesUnordered::new(), in_flight: Vec::new(), gate }
    }

    /// Plans and appends until it is written or can never be. The position of its last event, if it has any.
    pub(super) async fn transition(
        &mut self,
        incoming: Incoming,
        actor: Actor,
    ) -> Result<Option<Position>, Halt> {
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
                if matches!(self.right, Right::Visitor { .. }) {
                    return Err(Halt::Unavailable(fault));
                }
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
                    self.drop_calls_of_an_end();
                    return Ok(());
                }
                Err(LoadError::Read(ReadError::Unavailable(fault)))
                    if matches!(self.right, Right::Owner(_)) =>
                {
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
            epoch: self.epoch(),
            store: core.store_id,
            may_call: self.may_call(),
            visiting: matches!(self.right, Right::Visitor { .. }),
            entropy: &*core.entropy,
            effects: &core.effects,
            gate: &self.gate,
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
            row: row::row(instance, &plan.state, version, self.epoch(), now),
            expected: instance.version,
        });
        batch.timers = row::timer_writes(&instance.definition, instance.id, &instance.state, &plan.state);
        batch.effects.clone_from(&plan.effects);
        batch.fence = self.fence();
        Ok((batch, last_event))
    }

    /// The plan is durable: what it says is so, and what it announced may leave.
    fn adopt(&mut self, plan: Plan, last_event: Uuid) {
        observe::transition(&self.core.dependencies, &self.instance, &plan);
        self.instance.version = self.instance.version.plus(plan.events.len() as u64);
        self.instance.last_event = last_event;
        self.instance.state = plan.state;
        ledger::merge(&mut self.instance.ledger, plan.effects);
        self.drop_calls_of_an_end();
        self.launch(plan.calls);
    }

    /// Only an abandoned saga may still be waiting for somebody.
    fn drop_calls_of_an_end(&mut self) {
        if self.instance.state.status.is_some_and(SagaStatus::is_terminal) {
            self.calls = FuturesUnordered::new();
            self.in_flight.clear();
        }
    }

    fn epoch(&self) -> u64 {
        match &self.right {
            Right::Owner(tenure) => tenure.epoch(),
            Right::Visitor { epoch, .. } => *epoch,
        }
    }

    fn fence(&self) -> Option<Fence> {
        match &self.right {
            Right::Owner(tenure) => Some(tenure.fence.clone()),
            Right::Visitor { fence, .. } => fence.clone(),
        }
    }

    fn may_call(&self) -> bool {
        match &self.right {
            Right::Owner(tenure) => self.core.holdings.may_call(tenure, &*self.core.clock),
            Right::Visitor { .. } => false,
        }
    }

    fn launch(&mut self, outgoing: Vec<Outgoing>) {
        for call in outgoing {
            let ticket = self.gate.take(call.step, call.direction);
            self.in_flight.push((call.step, call.direction));
            let core = Arc::clone(self.core);
            self.calls.push(calls::perform(core, self.instance.definition.name, call, ticket).boxed());
        }
        self.gate.give_back();
    }

    pub(super) fn landed(&mut self, incoming: &Incoming) {
        if let Incoming::Answered { step, direction, .. }
        | Incoming::Told { step, direction, .. }
        | Incoming::Turn { step, direction } = incoming
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
