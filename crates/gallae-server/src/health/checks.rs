//! Asking what this node stands on, within a bound.

use super::{ProjectionHealth, RelayHealth};
use crate::{PlatformState, words::word};
use gallae_ports::{BrokerError, Clock, StoreFault};
use gallae_runtime::projector::ProjectionState;
use serde::Serialize;
use std::{future::Future, time::Duration};
use tokio::sync::Mutex;
use utoipa::ToSchema;

/// A dependency that does not answer within this is down.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer of the store is good for: many probes, one round trip.
const FRESH: Duration = Duration::from_millis(500);

/// The last answer of the store.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    last: Mutex<Option<(Duration, Result<Duration, String>)>>,
}

/// Something this node stands on.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// `store`, `broker` or `locks`.
    pub name: String,
    /// Whether it answers.
    pub status: DependencyStatus,
    /// How long its answer took; absent when it gave none.
    pub latency_ms: Option<f64>,
}

/// Whether a dependency answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DependencyStatus {
    /// It answers.
    Up,
    /// It does not.
    Down,
}

/// Why commands cannot be taken.
pub(super) async fn store_reasons(server: &PlatformState) -> Vec<String> {
    store(server).await.err().into_iter().collect()
}

/// Why requests should go elsewhere.
pub(super) async fn ready_reasons(server: &PlatformState) -> Vec<String> {
    let mut reasons = store_reasons(server).await;
    if server.readiness.is_draining() {
        reasons.push("the node is shutting down".to_owned());
    }
    if reasons.is_empty() {
        let failed = match bounded(&**server.platform.clock(), server.platform.projections().status()).await {
            Some(Ok(all)) => {
                all.into_iter().filter(|one| one.state == ProjectionState::Failed).map(|one| one.name)
            }
            _ => {
                reasons.push("the projections cannot be asked".to_owned());
                return reasons;
            }
        };
        reasons.extend(failed.map(|name| format!("the projection {name} has failed")));
    }
    reasons
}

/// Every dependency, asked at once.
pub(crate) async fn dependencies(server: &PlatformState) -> Vec<Dependency> {
    let clock = &**server.platform.clock();
    let broker = timed(clock, async { server.broker.topics().await.map(drop) });
    let locks = timed(clock, async { server.locks.lock_state("gallae:health").await.map(drop) });
    let (store, broker, locks) = tokio::join!(store(server), broker, locks);
    vec![
        dependency("store", store.ok()),
        dependency("broker", broker.and_then(Result::<_, BrokerError>::ok)),
        dependency("locks", locks.and_then(Result::<_, StoreFault>::ok)),
    ]
}

pub(super) async fn projections(server: &PlatformState) -> Vec<ProjectionHealth> {
    let asked = bounded(&**server.platform.clock(), server.platform.projections().status()).await;
    let all = asked.and_then(Result::ok).unwrap_or_default();
    let short = |one: gallae_runtime::projector::ProjectionStatus| ProjectionHealth {
        name: one.name.to_owned(),
        state: word(&one.state),
        lag_events: one.lag_events,
        lag_seconds: one.lag.as_secs_f64(),
    };
    all.into_iter().map(short).collect()
}

pub(super) async fn relay(server: &PlatformState) -> Option<RelayHealth> {
    let status = bounded(&**server.platform.clock(), server.platform.relay()?.status()).await?.ok()?;
    Some(RelayHealth { state: word(&status.state), lag_events: status.lag_events })
}

/// A round trip through the writer. The reason goes to probes, the cause to the log.
async fn store(server: &PlatformState) -> Result<Duration, String> {
    let clock = &**server.platform.clock();
    // Held across the round trip: probes that come meanwhile wait for its answer instead of asking again.
    let mut last = server.pulse().last.lock().await;
    let now = clock.monotonic();
    if let Some((at, answer)) = &*last
        && now.saturating_sub(*at) < FRESH
    {
        return answer.clone();
    }
    let answer = match bounded(clock, server.platform.store().ping()).await {
        Some(Ok(latency)) => Ok(latency),
        Some(Err(fault)) => {
            tracing::warn!(error = crate::words::chain(&fault), "the store does not take commands");
            Err("the store does not take commands".to_owned())
        }
        None => {
            tracing::warn!(seconds = PATIENCE.as_secs(), "the store did not answer in time");
            Err(format!("the store did not answer within {} s", PATIENCE.as_secs()))
        }
    };
    *last = Some((clock.monotonic(), answer.clone()));
    answer
}

fn dependency(name: &str, latency: Option<Duration>) -> Dependency {
    Dependency {
        name: name.to_owned(),
        status: if latency.is_some() { DependencyStatus::Up } else { DependencyStatus::Down },
        latency_ms: latency.map(|latency| latency.as_secs_f64() * 1_000.0),
    }
}

async fn timed<E>(
    clock: &dyn Clock,
    work: impl Future<Output = Result<(), E>>,
) -> Option<Result<Duration, E>> {
    let began = clock.monotonic();
    let answer = bounded(clock, work).await?;
    Some(answer.map(|()| clock.monotonic().saturating_sub(began)))
}

async fn bounded<T>(clock: &dyn Clock, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = clock.sleep(PATIENCE) => None,
    }
}
