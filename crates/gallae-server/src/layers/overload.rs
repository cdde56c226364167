//! Too much at once is refused at once: what is under way then still ends in time.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use gallae_http::{Problem, codes};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// Room for requests.
#[derive(Clone, Debug)]
pub(super) struct Room {
    places: Arc<Semaphore>,
}

impl Room {
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))) }
    }
}

/// Middleware: 503 with `Retry-After` when there is no room. Probes of health are always let in: a busy node is not a sick one.
pub(super) async fn shed(State(room): State<Room>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.starts_with("/health") || path == "/actuator/health" || path == "/metrics" {
        return next.run(request).await;
    }
    let Ok(_place) = room.places.try_acquire() else {
        metrics::counter!("gallae_http_shed_total").increment(1);
        return Problem::new(codes::OVERLOADED, "Nothing was done. Try again shortly, or at another node.")
            .member("written", false)
            .retry_after(Duration::from_secs(1))
            .into_response();
    };
    next.run(request).await
}
