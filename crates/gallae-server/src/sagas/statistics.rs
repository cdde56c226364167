//! How sagas are doing in sum.

use super::query::unreadable;
use crate::{
    PlatformState,
    words::{millis, time},
};
use axum::{Json, extract::State};
use gallae_core::saga::SagaStatus;
use gallae_http::{Problem, auth::Operator};
use gallae_runtime::saga::DefinitionStatistics;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The figures of every definition.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SagaStatisticsBody {
    /// Instances that have not ended.
    pub active: u64,
    /// Instances that wait for an operator.
    pub stuck: u64,
    /// By definition.
    pub definitions: Vec<DefinitionBody>,
}

/// The figures of one definition.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DefinitionBody {
    /// Its name.
    pub definition: String,
    /// Instances by status.
    pub counts: BTreeMap<String, u64>,
    /// Instances that have not ended.
    pub active: u64,
    /// Completed among those that ended, from 0 to 1; absent while none has.
    pub completion_rate: Option<f64>,
    /// When the active instance that has rested longest last moved.
    #[schema(format = DateTime)]
    pub oldest_active: Option<String>,
    /// Why the newest unsuccessful instances failed, by code.
    pub failures: BTreeMap<String, u64>,
    /// Instances that were undone, and that are being undone.
    pub compensation: CompensationBody,
    /// How long the newest completed instances took; absent while none has.
    pub durations: Option<DurationsBody>,
}

/// Compensation in figures.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CompensationBody {
    /// Being undone.
    pub running: u64,
    /// Undone.
    pub done: u64,
    /// Undone among those that ended, from 0 to 1; absent while none has.
    pub rate: Option<f64>,
}

/// How long instances took.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DurationsBody {
    /// Half took at most this long.
    pub median_ms: f64,
    /// All but one in twenty took at most this long.
    pub p95_ms: f64,
    /// The longest.
    pub longest_ms: f64,
}

/// Active instances, completion rate, why the others failed, compensation, and how long it takes.
#[utoipa::path(get, path = "/statistics", tag = "Sagas", security(("bearer" = [])),
    responses((status = 200, body = SagaStatisticsBody)))]
pub(super) async fn statistics(
    State(server): State<PlatformState>,
    _operator: Operator,
) -> Result<Json<SagaStatisticsBody>, Problem> {
    let figures = server.platform.saga_view().statistics().await.map_err(unreadable)?;
    let stuck = figures.definitions.values().map(|one| count(one, SagaStatus::Stuck)).sum();
    let active = figures.definitions.values().map(|one| one.active).sum();
    let definitions = figures.definitions.iter().map(|(name, one)| DefinitionBody::of(name, one)).collect();
    Ok(Json(SagaStatisticsBody { active, stuck, definitions }))
}

fn count(figures: &DefinitionStatistics, status: SagaStatus) -> u64 {
    figures.counts.get(&status).copied().unwrap_or_default()
}

impl DefinitionBody {
    fn of(name: &str, figures: &DefinitionStatistics) -> Self {
        let ended: u64 =
            figures.counts.iter().filter(|(status, _)| status.is_terminal()).map(|(_, n)| n).sum();
        let done = count(figures, SagaStatus::Compensated);
        Self {
            definition: name.to_owned(),
            counts: figures.counts.iter().map(|(status, count)| (status.to_string(), *count)).collect(),
            active: figures.active,
            completion_rate: figures.completion_rate,
            oldest_active: figures.oldest_active.map(time),
            failures: figures.failures.clone(),
            compensation: CompensationBody {
                running: count(figures, SagaStatus::Compensating),
                done,
                rate: (ended > 0).then(|| done as f64 / ended as f64),
            },
            durations: figures.durations.map(|durations| DurationsBody {
                median_ms: millis(durations.median),
                p95_ms: millis(durations.p95),
                longest_ms: millis(durations.longest),
            }),
        }
    }
}
