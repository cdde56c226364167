//! Looking at sagas: one's own, or as an operator all.

use super::bodies::{FlowSagas, SagaDetail, SagaPage, SagaSummary};
use crate::PlatformState;
use axum::{Json, extract::State};
use gallae_core::{CorrelationId, SagaId, saga::SagaStatus};
use gallae_http::{PageParams, Problem, StrictPath, StrictQuery, auth::Caller, codes};
use gallae_ports::SagaFilter;
use gallae_runtime::saga::SagaViewError;
use serde::Deserialize;
use utoipa::IntoParams;

/// How many sagas of one flow are shown.
const FLOW_LIMIT: usize = 100;

/// Which instances.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SagaParams {
    /// Only in this status, such as STUCK; several are separated by commas.
    #[param(
        example = "STUCK,PAUSED",
        pattern = "^((RUNNING|WAITING|PAUSED|COMPENSATING|STUCK|COMPLETED|REJECTED|COMPENSATED|ABANDONED)(,(RUNNING|WAITING|PAUSED|COMPENSATING|STUCK|COMPLETED|REJECTED|COMPENSATED|ABANDONED))*)?$"
    )]
    status: Option<String>,
    /// Only of this definition.
    definition: Option<String>,
    /// Only at this step.
    step: Option<String>,
    /// From 1.
    #[param(minimum = 1, maximum = 1000000)]
    page: Option<u32>,
    /// Instances a page, 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ActiveParams {
    /// From 1.
    #[param(minimum = 1, maximum = 1000000)]
    page: Option<u32>,
    /// Instances a page, 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Instances that match, newest first.
#[utoipa::path(get, path = "/", tag = "Sagas", security(("bearer" = [])), params(SagaParams),
    responses((status = 200, body = SagaPage)))]
pub(super) async fn list(
    State(server): State<PlatformState>,
    caller: Caller,
    StrictQuery(params): StrictQuery<SagaParams>,
) -> Result<Json<SagaPage>, Problem> {
    let SagaParams { status, definition, step, page, limit } = params;
    let statuses = status.as_deref().unwrap_or_default().split(',').filter(|word| !word.trim().is_empty());
    let statuses: Result<Vec<SagaStatus>, String> = statuses.map(|word| word.trim().parse()).collect();
    let statuses =
        statuses.map_err(|error| Problem::new(codes::INVALID_PARAMETER, format!("status: {error}.")))?;
    let filter = SagaFilter { statuses, definition, step, ..SagaFilter::default() };
    page_of(&server, &caller, filter, PageParams { page, limit, cursor: None }).await
}

/// Instances that have not ended, newest first.
#[utoipa::path(get, path = "/active", tag = "Sagas", security(("bearer" = [])), params(ActiveParams),
    responses((status = 200, body = SagaPage)))]
pub(super) async fn active(
    State(server): State<PlatformState>,
    caller: Caller,
    StrictQuery(ActiveParams { page, limit }): StrictQuery<ActiveParams>,
) -> Result<Json<SagaPage>, Problem> {
    let filter = SagaFilter { statuses: active_statuses(), ..SagaFilter::default() };
    page_of(&server, &caller, filter, PageParams { page, limit, cursor: None }).await
}

/// How the sagas of a business flow stand; the newest one's status first.
#[utoipa::path(get, path = "/status/{correlationId}", tag = "Sagas", security(("bearer" = [])),
    params(("correlationId" = String, Path, description = "The business flow", min_length = 1, max_length = 128, pattern = "^[!-~]+$")),
    responses((status = 200, body = FlowSagas)))]
pub(super) async fn status(
    State(server): State<PlatformState>,
    caller: Caller,
    StrictPath(correlation): StrictPath<CorrelationId>,
) -> Result<Json<FlowSagas>, Problem> {
    flow(&server, &caller, correlation).await
}

/// The same as `status`.
#[utoipa::path(get, path = "/correlation/{correlationId}", tag = "Sagas", security(("bearer" = [])),
    params(("correlationId" = String, Path, description = "The business flow", min_length = 1, max_length = 128, pattern = "^[!-~]+$")),
    responses((status = 200, body = FlowSagas)))]
pub(super) async fn correlation(
    State(server): State<PlatformState>,
    caller: Caller,
    StrictPath(correlation): StrictPath<CorrelationId>,
) -> Result<Json<FlowSagas>, Problem> {
    flow(&server, &caller, correlation).await
}

/// One instance: its timeline, steps with their attempts, what would be undone, what it waits for, and why.
#[utoipa::path(get, path = "/{id}", tag = "Sagas", security(("bearer" = [])),
    params(("id" = String, Path, description = "The saga", format = Uuid)),
    responses((status = 200, body = SagaDetail)))]
pub(super) async fn show(
    State(server): State<PlatformState>,
    caller: Caller,
    StrictPath(id): StrictPath<SagaId>,
) -> Result<Json<SagaDetail>, Problem> {
    let found = server.platform.saga_view().describe(id).await.map_err(unreadable)?;
    let saga = found.filter(|saga| caller.is_admin() || saga.row.user == Some(caller.user));
    let saga = saga.ok_or_else(|| Problem::not_found("saga"))?;
    Ok(Json(SagaDetail::of(&saga, caller.is_admin())))
}

pub(crate) fn active_statuses() -> Vec<SagaStatus> {
    SagaStatus::ALL.iter().copied().filter(|status| !status.is_terminal()).collect()
}

pub(crate) fn unreadable(error: SagaViewError) -> Problem {
    match error {
        SagaViewError::Unavailable(fault) => fault.into(),
        other => {
            tracing::error!(error = crate::words::chain(&other), "a saga cannot be understood");
            Problem::new(codes::UNDECODABLE_STREAM, "Its events are intact. The log says what does not fit.")
        }
    }
}

async fn page_of(
    server: &PlatformState,
    caller: &Caller,
    filter: SagaFilter,
    page: PageParams,
) -> Result<Json<SagaPage>, Problem> {
    page.check()?;
    let user = (!caller.is_admin()).then_some(caller.user);
    let filter = SagaFilter { user, ..filter };
    let found = server.platform.saga_view().list(&filter, page.offset(), page.limit() as usize).await;
    let (rows, total) = found.map_err(unreadable)?;
    Ok(Json(SagaPage {
        sagas: rows.iter().map(SagaSummary::of).collect(),
        total,
        page: page.page(),
        limit: page.limit(),
        total_pages: page.total_pages(total),
    }))
}

async fn flow(
    server: &PlatformState,
    caller: &Caller,
    correlation: CorrelationId,
) -> Result<Json<FlowSagas>, Problem> {
    let user = (!caller.is_admin()).then_some(caller.user);
    let filter = SagaFilter { correlation_id: Some(correlation.clone()), user, ..SagaFilter::default() };
    let (rows, _) = server.platform.saga_view().list(&filter, 0, FLOW_LIMIT).await.map_err(unreadable)?;
    let newest = rows.first().ok_or_else(|| Problem::not_found("saga in this flow"))?;
    Ok(Json(FlowSagas {
        correlation_id: correlation.to_string(),
        saga_id: newest.id.to_string(),
        status: newest.status.to_string(),
        step: newest.step.clone(),
        reason: newest.reason.clone(),
        sagas: rows.iter().map(SagaSummary::of).collect(),
    }))
}
