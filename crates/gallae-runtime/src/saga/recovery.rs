//! Finding instances that have something to do: after a crash, a lost hint, or when a timer is due.
//!
//! What each costs, and why nothing is forgotten:
//!
//! * A **running** row is moved within moments by whoever holds it in memory. One that has rested for a sweep is nobody's: its
//!   process died, or the hint of its start was lost. The sweep, also the first thing a new owner does, takes it up.
//!   So neither a start nor a call needs a timer row.
//! * A **waiting** instance (back-off, unknown outcome, deadline meanwhile) has a timer row, written with the transition that made
//!   it wait. It is not kept in memory.
//! * A call under way is timed in memory; if the process dies, the instance is a running row again.

use super::{engine::Core, ownership::Tenure, row::partition};
use crate::supervisor::error_chain;
use futures::StreamExt;
use gallae_core::{
    Actor, Aggregate, CorrelationId, Metadata, SagaId, Timestamp,
    saga::{SagaState, SagaStatus},
};
use gallae_ports::{AppendBatch, DueTimers, SagaFilter, SagaRow, StoreFault, TimerRow, TimerWrite};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

const PAGE: u64 = 256;
/// Timers taken at a time, so that many due at once queue up behind what has begun meanwhile.
const TIMERS: usize = 200;
/// The shortest pause between two looks at the timers.
const BREATH: Duration = Duration::from_millis(20);
/// The pause when every timer that is due belongs to an instance that is being worked on.
const BUSY: Duration = Duration::from_millis(100);
/// How long an instance that cannot be run here is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(300);

/// When the next timer that this process has set is due. Only a hint: the rows are looked at anyway.
#[derive(Default)]
pub(super) struct Alarm {
    next: Mutex<Option<Timestamp>>,
    pub(super) ring: Notify,
}

impl Alarm {
    pub(super) fn set(&self, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.is_none_or(|next| at < next) {
            *next = Some(at);
            drop(next);
            self.ring.notify_one();
        }
    }

    /// What the watch sleeps until: only an earlier timer need ring. Clears what was known if there is nothing.
    fn sleeping_until(&self, at: Option<Timestamp>) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

/// Takes up running instances that nobody moves: all of a partition when it is taken, and, again and again, those that have
/// rested too long.
pub(super) async fn sweep(core: &Arc<Core>) {
    loop {
        // A new owner looks at what waits, too: whoever had it before may have put its timer off.
        let (partitions, statuses, rested): (_, &[_], _) = tokio::select! {
            biased;
            gained = core.holdings.gained() => {
                core.alarm.ring.notify_one();
                (gained, &[SagaStatus::Running, SagaStatus::Compensating, SagaStatus::Waiting], Duration::ZERO)
            }
            () = core.clock.sleep(core.settings.sweep) => {
                let held = core.holdings.partitions();
                (held, &[SagaStatus::Running, SagaStatus::Compensating], core.settings.sweep)
            }
        };
        if partitions.is_empty() {
            continue;
        }
        let filter = SagaFilter {
            statuses: statuses.to_vec(),
            updated_before: Some(core.clock.now().before(rested)),
            partitions: Some(partitions),
            ..SagaFilter::default()
        };
        match sweep_once(core, &filter).await {
            Ok(0) => {}
            Ok(found) => {
                tracing::info!(found, "took up sagas that nobody was moving");
                metrics::counter!("gallae_saga_recovered_total").increment(found);
            }
            Err(fault) => {
                tracing::warn!(
                    error = error_chain(&fault),
                    "running sagas could not be listed; looking again"
                );
            }
        }
    }
}

/// From the one that has rested longest. Rows leave the list while it is read, which may hide one from this pass; not from the
/// next.
async fn sweep_once(core: &Core, filter: &SagaFilter) -> Result<u64, StoreFault> {
    let (_, mut end) = core.sagas.sagas(filter, 0, 1).await?;
    let mut found = 0;
    while end > 0 {
        let offset = end.saturating_sub(PAGE);
        let (rows, _) = core.sagas.sagas(filter, offset, (end - offset) as usize).await?;
        for row in rows.iter().rev().filter(|row| is_orphan(core, row)) {
            if !core.queue.wake(row.id, None) {
                return Ok(found);
            }
            found += 1;
        }
        end = offset;
    }
    Ok(found)
}

fn is_orphan(core: &Core, row: &SagaRow) -> bool {
    let runs = core.registry.runs(&row.definition, row.definition_version, &row.definition_hash).is_some();
    let mut left_alone = core.left_alone.lock().unwrap_or_else(PoisonError::into_inner);
    if !runs {
        left_alone.entry(row.id).or_insert_with(|| {
            format!(
                "no release here runs {} v{} with the shape {}",
                row.definition, row.definition_version, row.definition_hash
            )
        });
    }
    // What waits has a timer.
    let waits = row.status != SagaStatus::Running && row.next_due.is_some_and(|due| due > core.clock.now());
    runs && !waits && !left_alone.contains_key(&row.id) && !core.queue.knows(row.id)
}

/// Wakes instances whose timers are due.
pub(super) async fn watch_timers(core: &Arc<Core>) {
    loop {
        let pause = match wake_due(core).await {
            Ok(pause) => pause,
            Err(fault) => {
                tracing::warn!(
                    error = error_chain(&fault),
                    "due timers of sagas could not be listed; looking again"
                );
                core.settings.poll
            }
        };
        tokio::select! {
            biased;
            () = core.clock.sleep(pause) => {}
            () = core.alarm.ring.notified() => {}
        }
    }
}

/// Wakes those that are due, and says how long there is nothing to do.
async fn wake_due(core: &Core) -> Result<Duration, StoreFault> {
    let now = core.clock.now();
    // Before the rows are read: a timer set while they are rings.
    core.alarm.sleeping_until(None);
    // Timers of instances being worked on stay due until their next transition: they may not hide the others.
    let (partitions, limit) = (core.holdings.partitions(), TIMERS + core.queue.len());
    if partitions.is_empty() {
        return Ok(core.settings.poll);
    }
    let due = DueTimers { now, partitions, per_definition: limit - TIMERS / 2, limit };
    let due = core.sagas.due_timers(&due).await?;
    let (mut late, mut new) = (Duration::ZERO, false);
    for timer in &due {
        late = late.max(now.since(timer.fire_at));
        new |= !core.queue.knows(timer.saga);
        core.queue.wake(timer.saga, None);
    }
    metrics::gauge!("gallae_saga_timer_lateness_seconds").set(late.as_secs_f64());
    if !due.is_empty() {
        return Ok(if new { BREATH } else { BUSY });
    }
    let next = core.sagas.next_timer(&partitions).await?;
    let pause = next.map_or(core.settings.poll, |at| at.since(now).clamp(BREATH, core.settings.poll));
    core.alarm.sleeping_until(Some(now.after(pause)));
    Ok(pause)
}

impl Core {
    /// Notes an instance that cannot be run here, and moves its timers so that it does not hold up others.
    pub(super) async fn leave_alone(&self, id: SagaId, reason: String, tenure: &Tenure) {
        tracing::error!(saga = %id, reason, "a saga cannot be run and is left alone; nothing of it was changed");
        metrics::counter!("gallae_saga_left_alone_total").increment(1);
        self.left_alone.lock().unwrap_or_else(PoisonError::into_inner).insert(id, reason);
        if let Err(error) = self.postpone(id, tenure).await {
            tracing::warn!(saga = %id, error, "its timers could not be postponed");
        }
    }

    /// Forgets what was left alone in partitions that this node no longer holds.
    pub(super) fn forget_left_alone(&self) {
        let held = self.holdings.partitions();
        let mut left_alone = self.left_alone.lock().unwrap_or_else(PoisonError::into_inner);
        left_alone.retain(|id, _| held.contains(partition(*id)));
    }

    async fn postpone(&self, id: SagaId, tenure: &Tenure) -> Result<(), String> {
        let timers = self.sagas.timers(id).await.map_err(|fault| error_chain(&fault))?;
        if timers.is_empty() {
            return Ok(());
        }
        let (now, node) = (self.clock.now(), Arc::clone(&self.node));
        let metadata = Metadata::new(CorrelationId::new(id.uuid()), Actor::System(self.actor()), node);
        let mut batch = AppendBatch::new(now, Arc::new(metadata));
        let later = |timer: TimerRow| {
            let (fire_at, fail_count) = (now.after(LEFT_ALONE), timer.fail_count.saturating_add(1));
            TimerWrite::Set(TimerRow { fire_at, fail_count, ..timer })
        };
        batch.timers = timers.into_iter().map(later).collect();
        batch.fence = Some(tenure.fence.clone());
        self.store.append(batch).await.map(drop).map_err(|error| error_chain(&error))
    }
}

/// Takes up instances of this node's partitions that other nodes began or intervened in, as soon as the log tells. Only while there
/// are other nodes: what one writes itself it knows.
pub(super) async fn watch_log(core: &Arc<Core>) {
    let mut nodes = core.holdings.nodes();
    loop {
        // The sender lives as long as the engine.
        drop(nodes.wait_for(|nodes| *nodes > 1).await);
        let alone = async { drop(nodes.wait_for(|nodes| *nodes <= 1).await) };
        let cut_off = tokio::select! {
            () = alone => false,
            () = follow(core) => true,
        };
        if cut_off {
            core.clock.sleep(core.settings.poll).await;
        }
    }
}

/// Ends when the log cannot be read; the sweep finds what was missed.
async fn follow(core: &Core) {
    let Ok(head) = core.store.head().await else { return };
    let mut log = core.store.subscribe(head);
    while let Some(Ok(page)) = log.next().await {
        for event in page.iter().filter(|event| event.stream.category() == SagaState::TYPE) {
            let Some(id) = event.stream.uuid().map(SagaId::new) else { continue };
            let here = core.holdings.of(id).is_some() && !core.queue.knows(id);
            if here && event.metadata.get().is_ok_and(|metadata| metadata.node != core.node) {
                core.queue.wake(id, None);
            }
        }
    }
}
