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

use super::engine::{Core, LEASE};
use crate::supervisor::error_chain;
use gallae_core::{Actor, CorrelationId, Metadata, SagaId, Timestamp, saga::SagaStatus};
use gallae_ports::{
    AppendBatch, DueTimers, Fence, Partitions, SagaFilter, SagaRow, StoreFault, TimerRow, TimerWrite,
};
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
    ring: Notify,
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

/// Takes up running instances that nobody moves: first all of them, then, again and again, those that have rested too long.
pub(super) async fn sweep(core: &Arc<Core>) {
    let mut cutoff = core.clock.now();
    loop {
        match sweep_once(core, cutoff).await {
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
        core.clock.sleep(core.settings.sweep).await;
        cutoff = core.clock.now().before(core.settings.sweep);
    }
}

/// From the one that has rested longest. Rows leave the list while it is read, which may hide one from this pass; not from the
/// next.
async fn sweep_once(core: &Core, cutoff: Timestamp) -> Result<u64, StoreFault> {
    let filter = SagaFilter {
        statuses: vec![SagaStatus::Running, SagaStatus::Compensating],
        updated_before: Some(cutoff),
        ..SagaFilter::default()
    };
    let (_, mut end) = core.sagas.sagas(&filter, 0, 1).await?;
    let mut found = 0;
    while end > 0 {
        let offset = end.saturating_sub(PAGE);
        let (rows, _) = core.sagas.sagas(&filter, offset, (end - offset) as usize).await?;
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
    // One whose undo waits has a timer.
    let waits =
        row.status == SagaStatus::Compensating && row.next_due.is_some_and(|due| due > core.clock.now());
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
    let limit = TIMERS + core.queue.len();
    let due = DueTimers { now, partitions: Partitions::ALL, per_definition: limit, limit };
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
    let next = core.sagas.next_timer(&Partitions::ALL).await?;
    let pause = next.map_or(core.settings.poll, |at| at.since(now).clamp(BREATH, core.settings.poll));
    core.alarm.sleeping_until(Some(now.after(pause)));
    Ok(pause)
}

impl Core {
    /// Notes an instance that cannot be run here, and moves its timers so that it does not hold up others.
    pub(super) async fn leave_alone(&self, id: SagaId, reason: String, epoch: u64) {
        tracing::error!(saga = %id, reason, "a saga cannot be run and is left alone; nothing of it was changed");
        metrics::counter!("gallae_saga_left_alone_total").increment(1);
        self.left_alone.lock().unwrap_or_else(PoisonError::into_inner).insert(id, reason);
        if let Err(error) = self.postpone(id, epoch).await {
            tracing::warn!(saga = %id, error, "its timers could not be postponed");
        }
    }

    async fn postpone(&self, id: SagaId, epoch: u64) -> Result<(), String> {
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
        batch.fence = Some(Fence { lease: LEASE.to_owned(), epoch });
        self.store.append(batch).await.map(drop).map_err(|error| error_chain(&error))
    }
}
