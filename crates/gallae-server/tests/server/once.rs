//! Idempotency keys of what operators ask for.

use crate::setup::{BOSS, KIM, LEE, Reply, Server};
use axum::{
    body::Body,
    http::{HeaderValue, Request},
};
use futures::FutureExt;
use gallae_core::Position;
use gallae_http::codes;
use gallae_memory::Fault;
use gallae_ports::EventStore;
use serde_json::{Value, json};
use uuid::Uuid;

fn request(server: &Server, by: Uuid, path: &str, key: &str, body: Option<&Value>) -> Request<Body> {
    let request =
        Request::post(path).header("authorization", server.token(by)).header("idempotency-key", key);
    match body.map(Value::to_string) {
        Some(body) => {
            let request = request.header("content-type", "application/json");
            request.header("content-length", body.len()).body(body.into()).unwrap()
        }
        None => request.body(Body::empty()).unwrap(),
    }
}

async fn keyed(server: &Server, path: &str, key: &str, body: Option<Value>) -> Reply {
    server.send(request(server, BOSS, path, key, body.as_ref())).await
}

#[track_caller]
fn assert_repeats(again: &Reply, first: &Reply) {
    assert_eq!(again.headers["idempotent-replayed"], "true", "{}", again.text());
    assert!(!first.headers.contains_key("idempotent-replayed"));
    assert_eq!((again.status, again.text()), (first.status, first.text()));
    for name in ["content-type", "location"] {
        assert_eq!(again.headers.get(name), first.headers.get(name), "{name}");
    }
    let position = |reply: &Reply| {
        let value = reply.headers.get("gallae-position")?;
        Some(Position::new(value.to_str().unwrap().parse().unwrap()))
    };
    assert!(position(again) >= position(first));
}

async fn dispatched(server: &Server, flow: &str) -> String {
    let (_, saga) = server.parcel(KIM, flow).await;
    server.until(BOSS, &format!("/sagas/{saga}"), |body| body["steps"][0]["phase"] == "dispatched").await;
    format!("/saga/{saga}")
}

async fn recorded(server: &Server) -> u64 {
    server.log.head().await.unwrap().get()
}

#[tokio::test]
async fn an_intervention_happens_once_under_its_key() {
    let server = Server::start().await;
    let saga = dispatched(&server, "flow").await;
    let reason = || Some(json!({"reason": "점검"}));
    let paused = keyed(&server, &format!("{saga}/pause"), "k", reason()).await;
    assert_eq!(paused.ok()["status"], "PAUSED");
    let resumed = keyed(&server, &format!("{saga}/resume"), "k", reason()).await;
    assert_ne!(resumed.ok()["status"], "PAUSED", "another route is another key");
    let before = recorded(&server).await;
    // Carried out again, this would hold the saga once more.
    assert_repeats(&keyed(&server, &format!("{saga}/pause"), "\"k\"", reason()).await, &paused);
    assert_repeats(&keyed(&server, &format!("{saga}/resume"), "k", reason()).await, &resumed);
    assert_eq!(recorded(&server).await, before);
    for verb in ["retry", "compensate"] {
        let path = format!("{saga}/{verb}");
        let first = keyed(&server, &path, verb, reason()).await;
        first.ok();
        assert_repeats(&keyed(&server, &path, verb, reason()).await, &first);
    }
}

#[tokio::test]
async fn a_key_of_another_request_is_refused_and_one_of_another_operator_is_another() {
    let server = Server::start().await;
    let (saga, other) = (dispatched(&server, "flow").await, dispatched(&server, "other").await);
    let pause = |saga: &str| format!("{saga}/pause");
    keyed(&server, &pause(&saga), "k", Some(json!({"reason": "one"}))).await.ok();
    let reused = |reply: Reply| reply.problem(codes::IDEMPOTENCY_KEY_REUSED);
    reused(keyed(&server, &pause(&saga), "k", Some(json!({"reason": "two"}))).await);
    reused(keyed(&server, &pause(&other), "k", Some(json!({"reason": "one"}))).await);
    let detail = server.get_as(BOSS, &other.replace("/saga/", "/sagas/")).await.ok();
    assert_eq!(detail["status"], "RUNNING", "{detail}");
    // The same content in other words is the same request.
    let mut spaced = request(&server, BOSS, &pause(&saga), "k", None);
    *spaced.body_mut() = Body::from(" { \"reason\" : \"one\" } ");
    assert_eq!(server.send(spaced).await.headers["idempotent-replayed"], "true");
    for key in ["", "키"] {
        let mut bad = request(&server, BOSS, &pause(&saga), "k", Some(&json!({"reason": "one"})));
        let value = HeaderValue::from_bytes(key.as_bytes()).unwrap();
        bad.headers_mut().insert("idempotency-key", value);
        server.send(bad).await.problem(codes::INVALID_HEADER);
    }
    let theirs = request(&server, LEE, &pause(&saga), "k", Some(&json!({"reason": "one"})));
    server.send(theirs).await.problem(codes::FORBIDDEN);
}

#[tokio::test]
async fn a_refusal_keeps_the_key_usable() {
    let server = Server::start().await;
    let saga = dispatched(&server, "flow").await;
    let path = format!("{saga}/resume");
    let reason = || Some(json!({"reason": "점검"}));
    keyed(&server, &path, "k", reason()).await.problem(codes::SAGA_STATE_REFUSES);
    keyed(&server, &path, "k", Some(json!({"reason": " "}))).await.problem(codes::INVALID_BODY);
    keyed(&server, &format!("{saga}/pause"), "p", reason()).await.ok();
    keyed(&server, &path, "k", reason()).await.ok();
}

#[tokio::test]
async fn what_is_done_to_projections_and_the_relay_is_done_once() {
    let server = Server::start().await;
    server.parcel(KIM, "flow").await;
    for path in ["/admin/projections/parcels/pause", "/admin/relay/pause"] {
        let paused = keyed(&server, path, "k", None).await;
        paused.ok();
        let resume = path.replace("pause", "resume");
        keyed(&server, &resume, "k", None).await.ok();
        assert_repeats(&keyed(&server, path, "k", None).await, &paused);
    }
    server.until(BOSS, "/admin/projections/parcels", |body| body["state"] == "live").await;
    assert_eq!(server.get_as(BOSS, "/admin/relay").await.ok()["state"], "live");
    for verb in ["rebuild", "verify", "repair"] {
        let path = format!("/admin/projections/parcels/{verb}");
        let first = loop {
            let reply = keyed(&server, &path, "k", None).await;
            if reply.status != codes::PROJECTION_BUSY.status {
                break reply;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(first.status, 202);
        assert_repeats(&keyed(&server, &path, "k", None).await, &first);
    }
}

#[tokio::test]
async fn a_repetition_of_what_is_under_way_is_told_to_wait() {
    let server = Server::start().await;
    let saga = dispatched(&server, "flow").await;
    let path = format!("{saga}/pause");
    let reason = json!({"reason": "점검"});
    // Its client hangs up as soon as it has been taken in; it is carried to its end all the same.
    let mut first = Box::pin(server.send(request(&server, BOSS, &path, "k", Some(&reason))));
    assert!((&mut first).now_or_never().is_none());
    drop(first);
    let waiting = keyed(&server, &path, "k", Some(reason.clone())).await;
    waiting.problem(codes::IDEMPOTENCY_IN_FLIGHT);
    assert_eq!(waiting.headers["retry-after"], "1");
    for _ in 0..500 {
        let again = keyed(&server, &path, "k", Some(reason.clone())).await;
        if again.status == 200 {
            assert_eq!(
                (again.json()["status"].as_str(), &again.headers["idempotent-replayed"]),
                (Some("PAUSED"), &"true".parse().unwrap())
            );
            return;
        }
        again.problem(codes::IDEMPOTENCY_IN_FLIGHT);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it was never finished");
}

#[tokio::test]
async fn what_was_done_and_whose_key_was_not_kept_is_said_so_and_may_be_repeated() {
    let server = Server::start().await;
    // From here on nobody else appends.
    dispatched(&server, "flow").await;
    let path = "/admin/projections/parcels/pause";
    server.log.fail_next(Fault::Unavailable);
    let first = keyed(&server, path, "k", None).await.problem(codes::OUTCOME_UNKNOWN);
    assert_eq!(first["written"], true);
    let again = keyed(&server, path, "k", None).await;
    assert_eq!(again.ok()["state"], "paused");
    assert!(!again.headers.contains_key("idempotent-replayed"));
}

#[tokio::test]
async fn every_route_of_operators_that_changes_something_says_that_it_takes_a_key() {
    let server = Server::start().await;
    let document = serde_json::to_value(&server.document).unwrap();
    let mut changing = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/saga") && !path.starts_with("/admin") {
            continue;
        }
        for (method, operation) in item.as_object().unwrap() {
            let named = |name: &str| {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                parameters.filter(|parameter| parameter["name"] == name).count()
            };
            let expected = usize::from(method != "get");
            assert_eq!(named("Idempotency-Key"), expected, "{method} {path}");
            changing += expected;
        }
    }
    assert!(changing > 20, "{changing}");
}
