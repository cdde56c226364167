//! What every request passes on its way in, and every reply on its way out.

mod access;
mod overload;

use crate::{
    config::PlatformSettings,
    serve::{Readiness, measure_requests},
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use gallae_http::{
    ContextLayer, ErrorCode, Problem, RateLimits, attach_context, auth::AccessTokens, codes, limit_rate,
    render_problems, security_headers,
};
use gallae_ports::{Clock, Entropy};
use overload::Room;
use std::{any::Any, num::NonZeroU32, sync::Arc, time::Duration};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer, CompressionLevel, DefaultPredicate, Predicate as _, predicate::SizeAbove,
    },
    cors::{AllowOrigin, CorsLayer},
    limit::RequestBodyLimitLayer,
};

/// Replies smaller than this are not worth compressing.
const COMPRESS_ABOVE: u64 = 1_024;

/// What the layers work from.
#[derive(Clone, Debug)]
pub struct LayerParts {
    /// The platform's settings.
    pub settings: PlatformSettings,
    /// Every code that the application answers with.
    pub registry: Arc<[ErrorCode]>,
    /// Whether this node takes new work.
    pub readiness: Readiness,
    /// Rate limits; see [`rate_limits`].
    pub limits: RateLimits,
    /// Measures and waits.
    pub clock: Arc<dyn Clock>,
    /// Makes request ids.
    pub entropy: Arc<dyn Entropy>,
}

/// Wraps an application's router:
///
/// ```text
///  in ─► security headers ─► CORS ─► compression ─► context ─► problems ─► access log, metrics ─► panics
///      ─► overload ─► rate limits ─► time limit ─► body limit ─► routes
/// ```
///
/// Whatever goes wrong further in comes out as a problem with the request's correlation id and the security headers. Call it once,
/// after all routes have been added.
pub fn wrap(router: Router, parts: LayerParts) -> Router {
    let LayerParts { settings, registry, readiness, limits, clock, entropy } = parts;
    let context = ContextLayer { node: settings.node.as_str().into(), entropy };
    let timeout =
        TimeLimit { within: Duration::from_secs(settings.http.timeout_seconds), clock: Arc::clone(&clock) };
    let room = Room::new(settings.http.in_flight_limit);
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(DefaultPredicate::new().and(SizeAbove::new(COMPRESS_ABOVE)));
    let router = router
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(settings.http.body_limit))
        .layer(middleware::from_fn_with_state(timeout, limit_time))
        .layer(middleware::from_fn_with_state(limits, limit_rate))
        .layer(middleware::from_fn_with_state(room, overload::shed))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(readiness, measure_requests))
        .layer(middleware::from_fn_with_state(clock, access::log))
        .layer(middleware::from_fn_with_state(registry, render_problems))
        .layer(middleware::from_fn_with_state(context, attach_context))
        .layer(compression);
    let router = match cors(&settings.http.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    };
    router.layer(middleware::from_fn(security_headers))
}

/// Rate limits as the settings say: per user where a valid token says who it is, per address otherwise.
pub fn rate_limits(settings: &PlatformSettings, tokens: Arc<AccessTokens>) -> RateLimits {
    let numbers = (NonZeroU32::new(settings.limits.per_second), NonZeroU32::new(settings.limits.burst));
    match numbers {
        (Some(per_second), Some(burst)) if settings.limits_rate() => {
            RateLimits::new(per_second, burst, move |request| user_of(request, &tokens))
        }
        _ => RateLimits::off(),
    }
}

fn user_of(request: &Request, tokens: &AccessTokens) -> Option<String> {
    let text = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    let claims = scheme.eq_ignore_ascii_case("bearer").then(|| tokens.verify(token.trim()).ok())??;
    Some(claims.sub.to_string())
}

#[derive(Clone)]
struct TimeLimit {
    within: Duration,
    clock: Arc<dyn Clock>,
}

/// The time until a reply begins. What a live stream sends afterwards is not limited.
async fn limit_time(State(limit): State<TimeLimit>, request: Request, next: Next) -> Response {
    let safe = request.method().is_safe();
    tokio::select! {
        biased;
        response = next.run(request) => response,
        () = limit.clock.sleep(limit.within) => {
            let problem = match safe {
                true => Problem::new(codes::REQUEST_TIMEOUT, "Nothing was written. Try again shortly.")
                    .member("written", false),
                false => Problem::new(
                    codes::REQUEST_TIMEOUT,
                    "It may have been written. Repeat the request with the same Idempotency-Key.",
                )
                .member("written", "unknown"),
            };
            problem.retry_after(Duration::from_secs(1)).into_response()
        }
    }
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    tracing::error!(panic = text, "a request panicked");
    metrics::counter!("gallae_http_panics_total").increment(1);
    Problem::new(
        codes::INTERNAL,
        "The request could not be completed. The log holds the cause under the correlation id.",
    )
    .into_response()
}

fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    let sent = ["authorization", "content-type", "idempotency-key", "if-match", "last-event-id", "prefer"];
    let sent = sent.into_iter().chain(["gallae-at-least", "traceparent", "tracestate", "x-correlation-id"]);
    let read = ["etag", "gallae-position", "idempotent-replayed", "location", "retry-after"];
    let read = read.into_iter().chain(["traceparent", "x-correlation-id", "x-node-id", "x-request-id"]);
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers(sent.map(HeaderName::from_static).collect::<Vec<_>>())
            .expose_headers(read.map(HeaderName::from_static).collect::<Vec<_>>())
            .max_age(Duration::from_secs(600)),
    )
}
