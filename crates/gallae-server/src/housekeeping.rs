//! Small work that recurs.

use gallae_http::RateLimits;
use gallae_ports::Clock;
use gallae_runtime::{Backoff, Supervisor};
use metrics_exporter_prometheus::PrometheusHandle;
use std::{convert::Infallible, sync::Arc, time::Duration};

const EVERY: Duration = Duration::from_secs(10);

/// Folds measurements together so that they take no more room, and forgets callers whose rate limits are full again.
pub fn start(
    supervisor: &Supervisor,
    clock: &Arc<dyn Clock>,
    metrics: Option<PrometheusHandle>,
    limits: RateLimits,
) {
    let clock = Arc::clone(clock);
    supervisor.supervise("housekeeping", Backoff::default(), move |stop| {
        let (clock, metrics, limits) = (Arc::clone(&clock), metrics.clone(), limits.clone());
        async move {
            loop {
                tokio::select! {
                    () = clock.sleep(EVERY) => {}
                    () = stop.cancelled() => return Ok::<(), Infallible>(()),
                }
                if let Some(metrics) = &metrics {
                    metrics.run_upkeep();
                }
                limits.tidy();
            }
        }
    });
}
