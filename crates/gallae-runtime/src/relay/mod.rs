//! The log to the broker.
//!
//! The log is the outbox: one node, which holds the lease `relay`, publishes every event in position order and saves its
//! cursor after the broker has acknowledged. A crash in between publishes some events again; consumers drop what is not
//! after the last position they have seen. While the broker is down commands, sagas and projections go on, and the relay
//! catches up afterwards.

mod message;
mod publish;
#[cfg(test)]
mod tests;

pub use message::{Mapping, Route};
pub use publish::RelayFailure;

use crate::{Backoff, Supervisor, lease::LeaseTerms};
use gallae_core::Position;
use gallae_ports::{Broker, Clock, CursorStore, EventStore, LeaseStore, StoreFault};
use publish::Publishing;
use serde::Serialize;
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::watch;

/// The name of the relay's lease and of its cursor.
pub const NAME: &str = "relay";

/// The cursor that is 1 while an operator holds the relay.
const PAUSED: &str = "relay:paused";

/// What the relay runs on.
#[derive(Clone)]
pub struct RelayPorts {
    /// Where events come from.
    pub log: Arc<dyn EventStore>,
    /// Where they go.
    pub broker: Arc<dyn Broker>,
    /// How far they have gone.
    pub cursors: Arc<dyn CursorStore>,
    /// Who publishes.
    pub leases: Arc<dyn LeaseStore>,
    /// The only time.
    pub clock: Arc<dyn Clock>,
    /// This node, as the owner of the lease.
    pub node: Arc<str>,
    /// How long the lease lasts without being renewed; ten seconds in production.
    pub lease: Duration,
    /// The least time between two batches: events that come faster are published together, those that come alone at once.
    pub pace: Duration,
}

impl fmt::Debug for RelayPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayPorts").field("node", &self.node).field("lease", &self.lease).finish()
    }
}

/// What the relay is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelayState {
    /// Publishing events as they come.
    Live,
    /// Held by an operator.
    Paused,
    /// Stopped by a failure, such as a broker that is down; tries again.
    Failed,
    /// Another node publishes.
    Standby,
}

/// How the relay is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RelayStatus {
    /// What it is doing.
    pub state: RelayState,
    /// The last event that the broker has acknowledged.
    pub cursor: Position,
    /// The last event of the log.
    pub head: Position,
    /// Events between the two.
    pub lag_events: u64,
    /// What last went wrong, if anything has since the start.
    pub last_error: Option<String>,
}

/// The relay of this node.
#[derive(Clone)]
pub struct Relay {
    publishing: Arc<Publishing>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("mapping", &self.publishing.mapping).finish_non_exhaustive()
    }
}

impl Relay {
    /// Starts the relay as a background task. After a failure it tries again, at most five seconds later.
    pub fn start(mapping: Mapping, ports: RelayPorts, supervisor: &Supervisor) -> Self {
        let lease = LeaseTerms {
            store: Arc::clone(&ports.leases),
            clock: Arc::clone(&ports.clock),
            name: NAME.to_owned(),
            owner: Arc::clone(&ports.node),
            ttl: ports.lease,
        };
        let publishing = Arc::new(Publishing::new(mapping, ports, lease));
        let task = Arc::clone(&publishing);
        let backoff = Backoff { initial: Duration::from_millis(100), cap: Duration::from_secs(5) };
        supervisor.supervise(NAME, backoff, move |stop| publish::run(Arc::clone(&task), stop));
        Self { publishing }
    }

    /// How it is doing. Reads the stores and refreshes the lag gauge.
    ///
    /// # Errors
    /// When a store could not be asked.
    pub async fn status(&self) -> Result<RelayStatus, StoreFault> {
        let Publishing { ports, .. } = &*self.publishing;
        let cursor = ports.cursors.load_cursor(NAME).await?;
        let paused = publish::paused(&*ports.cursors).await?;
        let head = ports.log.head().await?.max(cursor);
        let lag_events = head.get() - cursor.get();
        let trouble = self.publishing.trouble();
        let state = match () {
            () if paused => RelayState::Paused,
            () if trouble.failing => RelayState::Failed,
            () if !*self.publishing.here.borrow() => RelayState::Standby,
            () => RelayState::Live,
        };
        metrics::gauge!("gallae_relay_lag_events").set(lag_events as f64);
        Ok(RelayStatus { state, cursor, head, lag_events, last_error: trouble.last_error })
    }

    /// Holds the relay where it is, also across restarts and on whichever node it runs, within a second. Events wait in the
    /// log.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn pause(&self) -> Result<(), StoreFault> {
        self.set_paused(true).await
    }

    /// Lets the relay go on from where it is.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn resume(&self) -> Result<(), StoreFault> {
        self.set_paused(false).await
    }

    async fn set_paused(&self, paused: bool) -> Result<(), StoreFault> {
        let position = Position::new(u64::from(paused));
        self.publishing.ports.cursors.save_cursor(PAUSED, position, 0).await?;
        self.publishing.nudge.notify_one();
        Ok(())
    }

    /// The last position acknowledged to this node, as it changes.
    pub fn acknowledged(&self) -> watch::Receiver<Position> {
        self.publishing.acknowledged.subscribe()
    }
}
