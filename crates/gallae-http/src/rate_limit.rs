//! Rate limits per user, or per address for who has not logged in.

use crate::{Problem, codes};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::{fmt, net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

/// Buckets of requests. Cheap to clone; all clones share the buckets.
#[derive(Clone)]
pub struct RateLimits {
    buckets: Option<Arc<DefaultKeyedRateLimiter<String>>>,
    caller: Arc<NameCaller>,
}

/// Names who asks, if that is known.
type NameCaller = dyn Fn(&Request) -> Option<String> + Send + Sync;

impl RateLimits {
    /// No limits.
    pub fn off() -> Self {
        Self { buckets: None, caller: Arc::new(|_| None) }
    }

    /// `per_second` requests a second with bursts of `burst`, for each caller. `caller` names who asks, if a token says so; others
    /// are told apart by address.
    pub fn new(
        per_second: NonZeroU32,
        burst: NonZeroU32,
        caller: impl Fn(&Request) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let buckets = RateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst));
        Self { buckets: Some(Arc::new(buckets)), caller: Arc::new(caller) }
    }

    /// Forgets callers whose buckets are full again; call it now and then.
    pub fn tidy(&self) {
        if let Some(buckets) = &self.buckets {
            buckets.retain_recent();
        }
    }

    fn key(&self, request: &Request) -> String {
        (self.caller)(request).unwrap_or_else(|| {
            let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
            address.map_or_else(|| "unknown".to_owned(), |address| address.0.ip().to_string())
        })
    }
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimits").field("on", &self.buckets.is_some()).finish_non_exhaustive()
    }
}

/// Middleware: 429 with `Retry-After` when the caller's bucket is empty.
pub async fn limit_rate(State(limits): State<RateLimits>, request: Request, next: Next) -> Response {
    if let Some(buckets) = &limits.buckets
        && buckets.check_key(&limits.key(&request)).is_err()
    {
        metrics::counter!("gallae_http_rate_limited_total").increment(1);
        return Problem::new(codes::RATE_LIMITED, "Nothing was done. Wait before the next request.")
            .retry_after(Duration::from_secs(1))
            .into_response();
    }
    let mut response = next.run(request).await;
    if limits.buckets.is_some() {
        response
            .headers_mut()
            .entry(header::VARY)
            .or_insert(header::HeaderValue::from_static("authorization"));
    }
    response
}
