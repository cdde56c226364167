//! Logs and metrics.

use crate::config::{Log, LogFormat};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, prelude::*, util::TryInitError};

/// Seconds; from a cached read to a long drain.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("log.filter: use a level, or directives such as info,gallae_runtime=debug")]
    Filter(#[from] ParseError),
    /// Something else logs in this process already.
    #[error("logging is already set up in this process")]
    Logs(#[from] TryInitError),
    /// Something else measures in this process already.
    #[error("metrics are already set up in this process")]
    Metrics(#[from] BuildError),
}

/// Sends log lines to standard error, as the settings say.
///
/// # Errors
/// See [`TelemetryError`].
pub fn log_to_stderr(settings: &Log) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    match settings.format {
        LogFormat::Pretty => {
            // Colours are for people who look on.
            let colours = std::io::stderr().is_terminal();
            let layer = fmt::layer().with_target(false).with_ansi(colours);
            registry.with(layer.with_writer(std::io::stderr)).try_init()?;
        }
        LogFormat::Json => {
            let layer = fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
            registry.with(layer.with_writer(std::io::stderr)).try_init()?;
        }
    }
    Ok(())
}

/// Collects metrics for [`PrometheusHandle::render`].
///
/// # Errors
/// See [`TelemetryError`].
pub fn collect_metrics() -> Result<PrometheusHandle, TelemetryError> {
    let builder =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?;
    Ok(builder.install_recorder()?)
}
