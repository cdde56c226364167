//! Serving, and ending without losing anything.

use axum::{Router, extract::Request, http::StatusCode};
use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Whether this node takes new work. Shared by the health routes, live streams and the listener.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    draining: Arc<AtomicBool>,
    in_flight: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Readiness {
    /// Whether the node is on its way out.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Completes when live streams should end so that their clients go elsewhere.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Takes the node out of service: not ready any more, live streams end. Requests are still answered.
    pub fn begin_drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.stop.cancel();
    }
}

/// Serves until `shutdown` completes, then drains: readiness turns false, the listener closes, live streams end, and requests
/// that are under way are finished, for at most `drain`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    readiness: Readiness,
    drain: Duration,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let draining = readiness.clone();
    let began = CancellationToken::new();
    let begin = began.clone();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
        shutdown.await;
        draining.begin_drain();
        begin.cancel();
    });
    tokio::select! {
        ended = serving.into_future() => ended,
        () = async { began.cancelled().await; tokio::time::sleep(drain).await } => {
            let left = readiness.in_flight.load(Ordering::Acquire);
            tracing::warn!(left, drain_seconds = drain.as_secs(), "the drain took too long; what is left is cut off");
            Ok(())
        }
    }
}

/// Completes at SIGTERM or Ctrl-C.
///
/// # Errors
/// When the signals cannot be listened to.
pub async fn termination() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended,
        _ = terminate.recv() => Ok(()),
    }
}

/// Middleware: counts and measures requests by route.
pub async fn measure_requests(
    axum::extract::State(readiness): axum::extract::State<Readiness>,
    request: Request,
    next: axum::middleware::Next,
) -> axum::response::Response {
    let route = request.extensions().get::<axum::extract::MatchedPath>();
    let route = route.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().to_string();
    readiness.in_flight.fetch_add(1, Ordering::AcqRel);
    let _leaving = Leaving(&readiness.in_flight);
    let began = tokio::time::Instant::now();
    let response = next.run(request).await;
    let status = status_class(response.status());
    metrics::counter!("gallae_http_requests_total", "method" => method.clone(), "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("gallae_http_request_duration_seconds", "method" => method, "route" => route)
        .record(began.elapsed());
    response
}

/// Leaves the count also when the request is dropped half-way.
struct Leaving<'a>(&'a AtomicUsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
