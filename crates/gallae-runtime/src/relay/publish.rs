//! The task that publishes.

use super::{Mapping, NAME, PAUSED, RelayPorts};
use crate::{lease::LeaseTerms, pace::Pace, supervisor::error_chain};
use futures::{FutureExt, StreamExt};
use gallae_core::{DecodeError, Position};
use gallae_ports::{BrokerError, CursorStore, EventPage, EventStream, Message, ReadError, StoreFault};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Events published at once, at most about.
const BATCH: usize = 1_000;
/// How often the store is asked whether an operator holds the relay.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Why the relay stopped for now. It is started again and goes on from its cursor; nothing is lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayFailure {
    /// The log could not be read.
    #[error("the log could not be read; the relay goes on from its cursor")]
    Read(#[from] ReadError),
    /// The lease or the cursor could not be read or written.
    #[error("the relay's cursor or lease could not be read or written; it goes on from its cursor")]
    Store(#[from] StoreFault),
    /// The broker did not acknowledge. Some of the messages may have been published; they are published again.
    #[error("the broker did not acknowledge; the relay publishes the same events again")]
    Broker(#[from] BrokerError),
    /// An event cannot be put into a message. The relay stands before it: the log is damaged there.
    #[error("the event at {position} cannot be published; the log is damaged there, run the full check")]
    Damaged {
        /// Where.
        position: Position,
        /// What is wrong.
        source: DecodeError,
    },
    /// The log's subscription ended without saying why.
    #[error("the subscription to the log ended; the relay goes on from its cursor")]
    Ended,
}

pub(super) struct Publishing {
    pub(super) mapping: Mapping,
    pub(super) ports: RelayPorts,
    lease: LeaseTerms,
    pub(super) acknowledged: watch::Sender<Position>,
    /// Whether this node holds the lease.
    pub(super) here: watch::Sender<bool>,
    /// Look whether an operator holds the relay, now.
    pub(super) nudge: Notify,
    trouble: Mutex<Trouble>,
}

/// What last went wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    pub(super) failing: bool,
    pub(super) last_error: Option<String>,
}

impl Publishing {
    pub(super) fn new(mapping: Mapping, ports: RelayPorts, lease: LeaseTerms) -> Self {
        Self {
            mapping,
            ports,
            lease,
            acknowledged: watch::Sender::new(Position::START),
            here: watch::Sender::new(false),
            nudge: Notify::new(),
            trouble: Mutex::default(),
        }
    }

    pub(super) fn trouble(&self) -> Trouble {
        self.locked_trouble().clone()
    }

    fn locked_trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn paused(cursors: &dyn CursorStore) -> Result<bool, StoreFault> {
    Ok(cursors.load_cursor(PAUSED).await? != Position::START)
}

/// Publishes for as long as this node holds the lease; stands by otherwise.
pub(super) async fn run(this: Arc<Publishing>, stop: CancellationToken) -> Result<(), RelayFailure> {
    let outcome = lead(&this, &stop).await;
    if let Err(error) = &outcome {
        *this.locked_trouble() = Trouble { failing: true, last_error: Some(error_chain(error)) };
    }
    outcome
}

async fn lead(this: &Publishing, stop: &CancellationToken) -> Result<(), RelayFailure> {
    while !stop.is_cancelled() {
        let Some(tenure) = this.lease.take().await? else {
            this.locked_trouble().failing = false;
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = this.ports.clock.sleep(this.lease.interval()) => {}
            }
            continue;
        };
        this.here.send_replace(true);
        let outcome = tokio::select! {
            biased;
            () = tenure.lost() => Ok(()),
            outcome = publish(this, tenure.epoch(), stop) => outcome,
        };
        this.here.send_replace(false);
        tenure.release().await;
        outcome?;
    }
    Ok(())
}

/// Publishes from the cursor on, until the node stops or a newer epoch has saved the cursor.
async fn publish(this: &Publishing, epoch: u64, stop: &CancellationToken) -> Result<(), RelayFailure> {
    let RelayPorts { log, cursors, clock, .. } = &this.ports;
    let cursor = cursors.load_cursor(NAME).await?;
    this.acknowledged.send_replace(cursor);
    if log.head().await? <= cursor {
        // Whatever failed before, nothing waits for it now.
        this.locked_trouble().failing = false;
    }
    let mut events = log.subscribe(cursor);
    let mut held = paused(&**cursors).await?;
    let mut housekeeping = clock.sleep(HOUSEKEEPING);
    let mut pace = Pace::new(clock, this.ports.pace);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = this.nudge.notified() => held = paused(&**cursors).await?,
            () = &mut housekeeping => {
                held = paused(&**cursors).await?;
                housekeeping = clock.sleep(HOUSEKEEPING);
            }
            () = pace.due(), if !pace.is_due() => {}
            page = events.next(), if !held && pace.is_due() => {
                pace.begin();
                let page = page.ok_or(RelayFailure::Ended)??;
                let batch = gather(&mut events, page)?;
                if !relay(this, epoch, &batch).await? {
                    return Ok(());
                }
            }
        }
    }
}

/// Adds what is there already, up to a batch. Never waits.
fn gather(events: &mut EventStream, mut batch: EventPage) -> Result<EventPage, RelayFailure> {
    while batch.len() < BATCH {
        match events.next().now_or_never() {
            Some(Some(page)) => batch.extend(page?),
            Some(None) | None => break,
        }
    }
    Ok(batch)
}

fn messages(this: &Publishing, batch: &EventPage) -> Result<Vec<Message>, RelayFailure> {
    let mut messages = Vec::with_capacity(batch.len());
    for event in batch {
        let mapped = this.mapping.messages(event);
        messages.extend(mapped.map_err(|source| RelayFailure::Damaged { position: event.position, source })?);
    }
    Ok(messages)
}

/// Publishes a batch, then saves the cursor; `false` when another node has taken over.
async fn relay(this: &Publishing, epoch: u64, batch: &EventPage) -> Result<bool, RelayFailure> {
    let Some(last) = batch.last() else { return Ok(true) };
    let began = this.ports.clock.monotonic();
    let mut count = 0;
    if this.ports.broker.is_heard() {
        let messages = messages(this, batch)?;
        count = messages.len() as u64;
        this.ports.broker.publish(messages).await?;
    }
    let saved = this.ports.cursors.save_cursor(NAME, last.position, epoch).await?;
    if !saved {
        tracing::warn!(epoch, "another node relays the log; standing by");
        return Ok(false);
    }
    this.locked_trouble().failing = false;
    this.acknowledged.send_replace(last.position);
    let took = this.ports.clock.monotonic().saturating_sub(began);
    metrics::counter!("gallae_relay_messages_total").increment(count);
    metrics::gauge!("gallae_relay_position").set(last.position.get() as f64);
    metrics::gauge!("gallae_relay_lag_seconds").set(this.ports.clock.now().since(last.time).as_secs_f64());
    metrics::histogram!("gallae_relay_publish_seconds").record(took);
    Ok(true)
}
