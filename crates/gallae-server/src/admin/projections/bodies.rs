//! What the sync manager says.

use crate::{
    admin::operations::Outcome,
    words::{millis, word},
};
use gallae_http::{Problem, codes};
use gallae_runtime::projector::{
    Difference, NotReached, OperationError, Progress, ProjectionStatus, RebuildReport, VerifyReport,
};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Every projection.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProjectionList {
    /// The last position of the log.
    pub head: u64,
    /// The projections, by name.
    pub projections: Vec<ProjectionBody>,
}

/// How a projection is doing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProjectionBody {
    /// Its name.
    pub name: String,
    /// `views`, `search` or `counters`.
    pub kind: String,
    /// The revision of its fold.
    pub revision: u32,
    /// The revision whose rows are served.
    pub live_revision: Option<u32>,
    /// `live`, `rebuilding`, `paused`, `failed` or `standby`.
    pub state: String,
    /// The last position it has folded.
    pub cursor: u64,
    /// The last position of the log.
    pub head: u64,
    /// Events between the two.
    pub lag_events: u64,
    /// The age of the oldest of them.
    pub lag_seconds: f64,
    /// Keys that wait behind a parked event.
    pub parked_keys: u64,
    /// Parked events.
    pub dead_letters: u64,
    /// What last went wrong.
    pub last_error: Option<String>,
    /// How far the running operation has come.
    pub progress: Option<ProgressBody>,
}

/// One projection and the last report of this node.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProjectionDetail {
    /// How it is doing.
    #[serde(flatten)]
    pub projection: ProjectionBody,
    /// What came of the last rebuild, verification or repair.
    pub last_report: Option<OperationReport>,
}

/// How far an operation has come.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProgressBody {
    /// `rebuild`, `verify` or `repair`.
    pub operation: String,
    /// `reading`, `comparing` or `settling`.
    pub phase: String,
    /// Events read.
    pub done: u64,
    /// Events to read, as far as is known.
    pub total: u64,
    /// Done in percent.
    pub percent: f64,
    /// Events per second.
    pub rate: f64,
    /// Seconds until all events are read at that rate.
    pub eta_seconds: Option<f64>,
}

/// What came of an operation.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperationReport {
    /// `rebuilt`, `verified`, `repaired` or `failed`.
    pub outcome: String,
    /// Whether live and recomputed rows were the same.
    pub clean: bool,
    /// The position at which they were compared.
    pub position: Option<u64>,
    /// Events read.
    pub events: u64,
    /// Rows compared, where that was counted.
    pub rows: Option<u64>,
    /// Rows that differed.
    pub differing: u64,
    /// The first hundred of them.
    pub differences: Vec<DifferenceBody>,
    /// Rows that were rewritten.
    pub repaired: u64,
    /// Events of a rebuild, or keys of a verification, that are parked and were left out.
    pub parked: u64,
    /// From the request to the report.
    pub took_ms: f64,
    /// How long the live projection stood still for it.
    pub held_ms: f64,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// A row that was not what the log says.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DifferenceBody {
    /// The view's key.
    pub key: String,
    /// What was live; absent if the row was missing.
    pub live: Option<String>,
    /// What the log says; absent if there should be no row.
    pub recomputed: Option<String>,
}

/// An operation that has begun.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    /// The projection.
    pub projection: String,
    /// `rebuild`, `verify` or `repair`.
    pub operation: String,
    /// Where to follow it.
    pub progress: String,
}

/// Whether an operation was stopped.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cancelled {
    /// The projection.
    pub projection: String,
    /// False when none was running.
    pub cancelled: bool,
}

/// A catch-up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Synced {
    /// The projection.
    pub projection: String,
    /// Where it stood.
    pub from: u64,
    /// Where it stands at least.
    pub to: u64,
    /// Events between the two.
    pub events: u64,
}

impl ProjectionBody {
    pub(super) fn of(status: ProjectionStatus) -> Self {
        Self {
            name: status.name.to_owned(),
            kind: word(&status.kind),
            revision: status.revision,
            live_revision: status.live_revision,
            state: word(&status.state),
            cursor: status.cursor.get(),
            head: status.head.get(),
            lag_events: status.lag_events,
            lag_seconds: status.lag.as_secs_f64(),
            parked_keys: status.parked_keys,
            dead_letters: status.dead_letters,
            last_error: status.last_error,
            progress: status.progress.as_ref().map(ProgressBody::of),
        }
    }
}

impl ProgressBody {
    pub(super) fn of(progress: &Progress) -> Self {
        let percent = match progress.total {
            0 => 100.0,
            total => (progress.done as f64 / total as f64 * 100.0).min(100.0),
        };
        Self {
            operation: word(&progress.operation),
            phase: word(&progress.phase),
            done: progress.done,
            total: progress.total,
            percent,
            rate: if progress.rate.is_finite() { progress.rate } else { 0.0 },
            eta_seconds: progress.eta.as_ref().map(Duration::as_secs_f64),
        }
    }
}

impl OperationReport {
    pub(super) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Rebuilt(report) => Self::rebuilt(report),
            Outcome::Verified(report) => Self::verified(report),
            Outcome::Failed(error) => Self {
                outcome: "failed".to_owned(),
                clean: false,
                position: None,
                events: 0,
                rows: None,
                differing: 0,
                differences: Vec::new(),
                repaired: 0,
                parked: 0,
                took_ms: 0.0,
                held_ms: 0.0,
                error: Some(error.to_string()),
            },
        }
    }

    fn rebuilt(report: &RebuildReport) -> Self {
        Self {
            outcome: "rebuilt".to_owned(),
            clean: report.differing == 0,
            position: Some(report.position.get()),
            events: report.events,
            rows: None,
            differing: report.differing,
            differences: report.differences.iter().map(DifferenceBody::of).collect(),
            repaired: 0,
            parked: report.parked,
            took_ms: millis(report.took),
            held_ms: millis(report.held),
            error: None,
        }
    }

    fn verified(report: &VerifyReport) -> Self {
        let outcome = if report.repaired > 0 { "repaired" } else { "verified" };
        Self {
            outcome: outcome.to_owned(),
            clean: report.differing == 0,
            position: Some(report.position.get()),
            events: report.events,
            rows: Some(report.rows),
            differing: report.differing,
            differences: report.differences.iter().map(DifferenceBody::of).collect(),
            repaired: report.repaired,
            parked: report.parked_keys,
            took_ms: millis(report.took),
            held_ms: millis(report.held),
            error: None,
        }
    }
}

impl DifferenceBody {
    fn of(difference: &Difference) -> Self {
        let Difference { key, live, recomputed } = difference.clone();
        Self { key, live, recomputed }
    }
}

/// An operation's error as a problem.
pub(in crate::admin) fn problem(error: OperationError) -> Problem {
    refused(&error)
}

/// The same, for an error that others hold as well.
pub(super) fn refused(error: &OperationError) -> Problem {
    let say = |code| Problem::new(code, sentence(error));
    match error {
        OperationError::Unknown(_) | OperationError::Behind(NotReached::Unknown(_)) => {
            Problem::not_found("projection")
        }
        OperationError::Busy(_) => say(codes::PROJECTION_BUSY),
        OperationError::Elsewhere(_) => say(codes::PROJECTION_ELSEWHERE),
        OperationError::Paused(_) => say(codes::PROJECTION_PAUSED),
        OperationError::NotParked => say(codes::NOTHING_PARKED),
        OperationError::Cancelled => say(codes::OPERATION_CANCELLED),
        OperationError::TooManyParked { .. } | OperationError::TooManyDifferences { .. } => {
            say(codes::PROJECTION_BROKEN)
        }
        OperationError::Behind(NotReached::Behind { at, .. }) => {
            say(codes::VIEW_BEHIND).member("at", at.get()).retry_after(Duration::from_secs(1))
        }
        other => {
            tracing::warn!(error = crate::words::chain(other), "an operation on a projection failed");
            Problem::new(codes::STORE_UNAVAILABLE, "The operation failed; try it again.")
                .retry_after(Duration::from_secs(1))
        }
    }
}

fn sentence(error: &OperationError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str() + ".")
}
