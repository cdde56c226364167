//! What is under way.

use crate::{
    PlatformState,
    sagas::{SagaSummary, active_statuses, unreadable},
};
use axum::{Json, extract::State};
use gallae_core::{Timestamp, saga::SagaStatus};
use gallae_http::{PageParams, Problem, StrictQuery, auth::Caller, codes};
use gallae_ports::{SagaFilter, SagaRow};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// A flow that has not moved for so many seconds counts as stuck, unless the client says otherwise.
const STUCK_AFTER: u32 = 60;

/// Which page, and what counts as stuck.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(super) struct ActiveFlowParams {
    /// Seconds without a move after which a flow counts as stuck.
    #[param(minimum = 1, maximum = 604800, default = 60)]
    stuck_after: Option<u32>,
    /// From 1.
    #[param(minimum = 1, maximum = 1000000)]
    page: Option<u32>,
    /// Flows a page, 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// A page of flows, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActiveFlows {
    /// The flows.
    pub flows: Vec<ActiveFlow>,
    /// How many there are in all.
    pub total: u64,
    /// Which page this is, from 1.
    pub page: u32,
    /// Flows a page.
    pub limit: u32,
    /// How many pages there are.
    pub total_pages: u64,
}

/// A flow whose saga has not ended.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActiveFlow {
    /// Its saga.
    #[serde(flatten)]
    pub saga: SagaSummary,
    /// Since it began.
    pub age_seconds: f64,
    /// Since it last moved.
    pub idle_seconds: f64,
    /// Whether it waits for an operator, or has not moved for too long.
    pub is_stuck: bool,
}

/// Flows whose sagas have not ended, newest first, and whether each is stuck.
#[utoipa::path(get, path = "/trace/active-flows", tag = "Tracing", security(("bearer" = [])), params(ActiveFlowParams),
    responses((status = 200, body = ActiveFlows)))]
pub(super) async fn active_flows(
    State(server): State<PlatformState>,
    caller: Caller,
    StrictQuery(params): StrictQuery<ActiveFlowParams>,
) -> Result<Json<ActiveFlows>, Problem> {
    let page = PageParams { page: params.page, limit: params.limit, cursor: None };
    page.check()?;
    let stuck_after = params.stuck_after.unwrap_or(STUCK_AFTER);
    if !(1..=604_800).contains(&stuck_after) {
        return Err(Problem::new(codes::INVALID_PARAMETER, "stuckAfter: from 1 to 604800 seconds."));
    }
    let user = (!caller.is_admin()).then_some(caller.user);
    let filter = SagaFilter { statuses: active_statuses(), user, ..SagaFilter::default() };
    let found = server.platform.saga_view().list(&filter, page.offset(), page.limit() as usize).await;
    let (rows, total) = found.map_err(unreadable)?;
    let now = server.platform.clock().now();
    let patience = Duration::from_secs(u64::from(stuck_after));
    Ok(Json(ActiveFlows {
        flows: rows.iter().map(|row| ActiveFlow::of(row, now, patience)).collect(),
        total,
        page: page.page(),
        limit: page.limit(),
        total_pages: page.total_pages(total),
    }))
}

impl ActiveFlow {
    fn of(row: &SagaRow, now: Timestamp, patience: Duration) -> Self {
        let idle = now.since(row.updated_at);
        Self {
            saga: SagaSummary::of(row),
            age_seconds: now.since(row.started_at).as_secs_f64(),
            idle_seconds: idle.as_secs_f64(),
            is_stuck: row.status == SagaStatus::Stuck || idle > patience,
        }
    }
}
