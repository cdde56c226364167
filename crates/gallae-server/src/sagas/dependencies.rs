//! How calls to participants are doing on this node.

use crate::{PlatformState, words::millis};
use axum::{Json, extract::State};
use gallae_http::{Problem, auth::Operator};
use gallae_runtime::saga::DependencyState;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Every participant that sagas call, as this node sees it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DependencyStates {
    /// The node that answers; each has a view of its own.
    pub node: String,
    /// By name.
    pub dependencies: Vec<DependencyBody>,
}

/// A participant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DependencyBody {
    /// Its name.
    pub name: String,
    /// `closed`: calls leave. `open`: none leaves. `half-open`: probes leave. Absent without a breaker.
    pub breaker: Option<String>,
    /// How long until a breaker that is open lets probes through.
    pub opens_in_ms: Option<f64>,
    /// Calls that came back within the breaker's window.
    pub calls: u32,
    /// Of these, those that failed, from 0 to 1.
    pub failure_rate: f64,
    /// Of these, those that were slow, from 0 to 1.
    pub slow_rate: f64,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls under way at most; absent without a limit.
    pub concurrency: Option<usize>,
    /// Calls that wait in memory for their turn.
    pub waiting: usize,
    /// Calls a second; absent without a limit.
    pub per_second: Option<f64>,
    /// Calls that may leave at once now; absent without a rate.
    pub rate_left: Option<f64>,
    /// Retries that may leave now.
    pub retries_left: f64,
    /// Calls that were recorded as held since this node started: `breaker`, `rate`, `concurrency`, `retryBudget`.
    pub held: BTreeMap<String, u64>,
}

/// Breakers, rates, calls at once and retries, of each participant that sagas call, on the node that answers.
#[utoipa::path(get, path = "/dependencies", tag = "Sagas", security(("bearer" = [])),
    responses((status = 200, body = DependencyStates)))]
pub(super) async fn dependencies(
    State(server): State<PlatformState>,
    _operator: Operator,
) -> Result<Json<DependencyStates>, Problem> {
    let states = server.platform.sagas().dependencies();
    Ok(Json(DependencyStates {
        node: server.platform.node().to_string(),
        dependencies: states.iter().map(DependencyBody::of).collect(),
    }))
}

impl DependencyBody {
    fn of(state: &DependencyState) -> Self {
        let limits = state.limits;
        Self {
            name: state.name.to_owned(),
            breaker: limits.breaker.map(|_| state.breaker.as_str().to_owned()),
            opens_in_ms: state.opens_in.map(millis),
            calls: state.calls,
            failure_rate: state.failure_rate,
            slow_rate: state.slow_rate,
            in_flight: state.in_flight,
            concurrency: limits.concurrency,
            waiting: state.waiting,
            per_second: limits.rate.map(|rate| rate.per_second),
            rate_left: state.rate_left,
            retries_left: state.retries_left,
            held: state.held.iter().map(|(why, count)| (why.as_str().to_owned(), *count)).collect(),
        }
    }
}
