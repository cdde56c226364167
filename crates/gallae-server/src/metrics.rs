//! What Prometheus reads.

mod process;

use crate::PlatformState;
use axum::{
    extract::{FromRef, State},
    http::header,
    response::{IntoResponse, Response},
};
use gallae_http::Problem;
use std::{fmt::Write, time::Duration};
use utoipa_axum::{router::OpenApiRouter, routes};

/// How long the figures of projections and sagas may take before the page is shown without them.
const PATIENCE: Duration = Duration::from_secs(1);

/// `/metrics`.
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    PlatformState: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(page))
}

/// Everything that is measured, as Prometheus reads it.
#[utoipa::path(get, path = "/metrics", tag = "Health",
    responses((status = 200, description = "Prometheus text format 0.0.4", body = String, content_type = "text/plain")))]
async fn page(State(server): State<PlatformState>) -> Result<Response, Problem> {
    let handle =
        server.metrics.as_ref().ok_or_else(|| Problem::not_found("collection of metrics on this node"))?;
    tokio::select! {
        biased;
        () = refresh(&server) => {}
        () = server.platform.clock().sleep(PATIENCE) => {}
    }
    let mut text = handle.render();
    process::describe(&mut text);
    let uptime = server.platform.clock().monotonic().as_secs_f64();
    let _ = writeln!(text, "# TYPE gallae_uptime_seconds gauge\ngallae_uptime_seconds {uptime}");
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// Gauges that are asked for rather than counted along the way. A store that does not answer shows in its own metrics.
async fn refresh(server: &PlatformState) {
    let platform = &server.platform;
    let _ = platform.projections().status().await;
    if let Some(relay) = platform.relay() {
        let _ = relay.status().await;
    }
    let Ok(counts) = platform.saga_store().saga_counts().await else { return };
    let now = platform.clock().now();
    for one in counts {
        let labels = [("saga", one.definition.clone()), ("status", one.status.to_string())];
        metrics::gauge!("gallae_saga_instances", &labels).set(one.count as f64);
        if !one.status.is_terminal() {
            metrics::gauge!("gallae_saga_idle_seconds_max", &labels).set(now.since(one.oldest).as_secs_f64());
        }
    }
}
