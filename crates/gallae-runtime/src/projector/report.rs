//! What operations on a projection say when they are done, and on the way.

use gallae_core::Position;
use serde::Serialize;
use std::time::Duration;

/// Differences that a report lists; it counts all of them.
pub const MAX_LISTED: usize = 100;

/// How far a rebuild, a verification or a repair has come.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What is being done.
    pub operation: OperationKind,
    /// Which part of it.
    pub phase: Phase,
    /// Events read so far.
    pub done: u64,
    /// Events to read, as far as is known; grows while events are written.
    pub total: u64,
    /// Events per second since the beginning.
    pub rate: f64,
    /// Time until all events are read at that rate, once there is a rate.
    pub eta: Option<Duration>,
}

/// An operation that recomputes a projection from the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// Recompute, then switch.
    Rebuild,
    /// Recompute, then compare.
    Verify,
    /// Recompute, compare, and rewrite what differs.
    Repair,
}

/// A part of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Reading the log into a shadow.
    Reading,
    /// Comparing the shadow with the live rows.
    Comparing,
    /// Waiting for the live projector to stand still, then catching up, comparing and switching.
    Settling,
}

/// A finished rebuild. The recomputed rows are live.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RebuildReport {
    /// Where the switch happened.
    pub position: Position,
    /// Events read.
    pub events: u64,
    /// Rows whose recomputed content differed from what was live. When the revision was raised this says how much the new
    /// fold changed; otherwise it should be zero.
    pub differing: u64,
    /// The first of them, at most [`MAX_LISTED`].
    pub differences: Vec<Difference>,
    /// Events that could not be folded, and those that wait behind them.
    pub parked: u64,
    /// From the request to the switch.
    pub took: Duration,
    /// How long the live projector stood still for it.
    pub held: Duration,
}

/// A finished verification or repair.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    /// The position at which live and recomputed rows were compared.
    pub position: Position,
    /// Events read.
    pub events: u64,
    /// Rows compared.
    pub rows: u64,
    /// Rows that differ.
    pub differing: u64,
    /// The first of them, at most [`MAX_LISTED`].
    pub differences: Vec<Difference>,
    /// Rows that were rewritten; zero for a verification.
    pub repaired: u64,
    /// Keys left out because events of theirs are parked: retry or discard those first.
    pub parked_keys: u64,
    /// From the request to the report.
    pub took: Duration,
    /// How long the live projector stood still for it.
    pub held: Duration,
}

/// A row that is not what the log says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The view's key, or a counter and the start of its bucket.
    pub key: String,
    /// What is live; none if the row is missing.
    pub live: Option<String>,
    /// What the log says; none if there should be no row.
    pub recomputed: Option<String>,
}

/// A finished catch-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncReport {
    /// Where the projection stood.
    pub from: Position,
    /// The head of the log at that time, which it has reached.
    pub to: Position,
    /// Events between the two.
    pub events: u64,
}

/// What a retry or a discard of a parked key did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unparked {
    /// Parked events that are folded now.
    pub applied: u64,
    /// Parked events that were given up.
    pub discarded: u64,
    /// Events of the key that stay parked.
    pub parked: u64,
}
