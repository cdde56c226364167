use crate::setup::{Options, Server};
use axum::{body::Body, http::Request};
use gallae_core::Timestamp;
use gallae_http::{RateLimits, codes};
use gallae_memory::ManualClock;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

fn post(path: &str, content_type: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path).header("content-type", content_type).body(body.into()).unwrap()
}

#[tokio::test]
async fn what_the_router_refuses_is_a_problem() {
    let server = Server::start().await;
    server.get("/no/such/route").await.problem(codes::NOT_FOUND);
    server.get("/refusal").await.problem(codes::NOT_FOUND);
    let reply = server.get("/numbers").await;
    reply.problem(codes::METHOD_NOT_ALLOWED);
    assert_eq!(reply.headers["allow"], "POST");
    server.send(post("/numbers", "text/plain", "[1]")).await.problem(codes::UNSUPPORTED_MEDIA_TYPE);
    server.send(post("/numbers", "application/json", "[1")).await.problem(codes::MALFORMED_JSON);
    let body =
        server.send(post("/numbers", "application/json", "[1,256]")).await.problem(codes::INVALID_BODY);
    assert_eq!(body["errors"][0]["pointer"], "/1");
    assert_eq!(server.send(post("/numbers", "application/json", "[1,2]")).await.text(), "2");
}

#[tokio::test]
async fn large_bodies_are_refused_whether_or_not_they_say_their_size() {
    let server = Server::start().await;
    let large = vec![b' '; 10_000_000];
    let mut honest = post("/numbers", "application/json", large.clone());
    honest.headers_mut().insert("content-length", large.len().into());
    server.send(honest).await.problem(codes::PAYLOAD_TOO_LARGE);
    let pieces =
        large.chunks(64 * 1024).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>();
    let silent = Body::from_stream(futures::stream::iter(pieces));
    server.send(post("/numbers", "application/json", silent)).await.problem(codes::PAYLOAD_TOO_LARGE);
    let fits = format!("[1{}]", " ".repeat(262_144 - 3));
    assert_eq!(server.send(post("/numbers", "application/json", fits)).await.text(), "1");
}

#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing() {
    let server = Server::start().await;
    let reply = server.get("/panic").await;
    reply.problem(codes::INTERNAL);
    assert!(!reply.text().contains("secret plan"), "{}", reply.text());
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_cut_off_and_says_what_was_written() {
    let clock = Arc::new(ManualClock::new(Timestamp::default()));
    let layer_clock: Option<Arc<dyn gallae_ports::Clock>> = Some(clock.clone());
    let server = Server::with(Options { layer_clock, ..Options::default() }).await;
    for (method, written) in [("GET", serde_json::json!(false)), ("POST", serde_json::json!("unknown"))] {
        let request = Request::builder().method(method).uri("/never").body(Body::empty()).unwrap();
        let advance = async {
            while clock.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
            clock.advance(Duration::from_secs(30));
        };
        let (reply, ()) = tokio::join!(server.send(request), advance);
        assert_eq!(reply.problem(codes::REQUEST_TIMEOUT)["written"], written);
        assert_eq!(reply.headers["retry-after"], "1");
    }
}

#[tokio::test]
async fn too_much_at_once_is_refused_at_once_and_probes_are_let_in() {
    let server = Server::with(Options { in_flight: 1, ..Options::default() }).await;
    let held = server.get("/never");
    tokio::pin!(held);
    assert!(futures::poll!(held.as_mut()).is_pending());
    let reply = server.get("/refusal").await;
    assert_eq!(reply.problem(codes::OVERLOADED)["written"], false);
    assert_eq!(reply.headers["retry-after"], "1");
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test]
async fn an_empty_bucket_is_a_429() {
    let one = NonZeroU32::MIN;
    let limits = RateLimits::new(one, one, |_| None);
    let server = Server::with(Options { limits, ..Options::default() }).await;
    server.get("/refusal").await.problem(codes::NOT_FOUND);
    let reply = server.get("/refusal").await;
    reply.problem(codes::RATE_LIMITED);
    assert_eq!(reply.headers["retry-after"], "1");
}

#[tokio::test]
async fn replies_carry_context_and_security_headers() {
    let server = Server::start().await;
    let request = Request::get("/refusal")
        .header("x-correlation-id", "flow-1")
        .header("accept-language", "ko-KR")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let reply = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.headers["x-correlation-id"], "flow-1");
    assert_eq!(reply.headers["x-frame-options"], "DENY");
    let body = reply.json();
    assert_eq!(body["title"], "찾을 수 없습니다");
    assert_eq!(body["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");

    let bad = Request::get("/health").header("x-correlation-id", "not one word").body(Body::empty()).unwrap();
    let reply = server.send(bad).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["code"]), (400, &"INVALID_HEADER".into()));
    assert_eq!(reply.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn origins_that_are_named_may_call_and_others_may_not() {
    let server = Server::start().await;
    let ask = |origin: &str| {
        let request = Request::options("/numbers").header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        request
            .header("access-control-request-headers", "authorization,gallae-at-least")
            .body(Body::empty())
            .unwrap()
    };
    let allowed = server.send(ask("https://shop.example.com")).await;
    assert_eq!(allowed.headers["access-control-allow-origin"], "https://shop.example.com");
    let refused = server.send(ask("https://evil.example.com")).await;
    assert!(!refused.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn larger_replies_are_compressed_on_request() {
    let server = Server::start().await;
    let request = Request::get("/large").header("accept-encoding", "gzip").body(Body::empty()).unwrap();
    let reply = server.send(request).await;
    assert_eq!(reply.headers["content-encoding"], "gzip");
    assert!(reply.body.len() < 2_000);
    let small = Request::get("/health").header("accept-encoding", "gzip").body(Body::empty()).unwrap();
    assert!(!server.send(small).await.headers.contains_key("content-encoding"));
}
