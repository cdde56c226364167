//! One line per request: what failed is seen without asking, the rest on demand (`gallae_server::layers::access=debug`).

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use gallae_http::RequestContext;
use gallae_ports::Clock;
use std::sync::Arc;

/// Middleware: logs method, path, status, time and correlation id. Never a query, a header or a body: they may hold secrets.
pub(super) async fn log(State(clock): State<Arc<dyn Clock>>, request: Request, next: Next) -> Response {
    let began = clock.monotonic();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let correlation =
        request.extensions().get::<RequestContext>().map(|context| context.correlation_id.clone());
    let response = next.run(request).await;
    let millis = clock.monotonic().saturating_sub(began).as_secs_f64() * 1_000.0;
    let (status, correlation_id) =
        (response.status().as_u16(), correlation.as_ref().map_or("", |id| id.as_str()));
    match status {
        500.. => tracing::warn!(%method, path, status, millis, correlation_id, "a request failed"),
        400.. => tracing::info!(%method, path, status, millis, correlation_id, "a request was refused"),
        _ => tracing::debug!(%method, path, status, millis, correlation_id, "a request was served"),
    }
    response
}
