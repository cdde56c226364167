use crate::setup::{BOSS, KIM, Options, Server};
use axum::{body::Body, http::Request};
use gallae_http::codes;
use gallae_server::config::Mode;
use serde_json::json;

#[tokio::test]
async fn of_two_who_want_a_lock_one_gets_it() {
    let server = Server::start().await;
    let path = "/redis-test/lock/product-123";
    let first = server.post_as(KIM, path, Some(json!({"duration": 60000, "nodeId": "node-1"}))).await.ok();
    assert_eq!((&first["acquired"], &first["holder"]), (&json!(true), &json!("node-1")));
    let second = server.post_as(KIM, path, Some(json!({"duration": 60000, "nodeId": "node-2"}))).await.ok();
    assert_eq!((&second["acquired"], &second["holder"]), (&json!(false), &json!("node-1")));
    assert!(second["remainingMs"].as_f64().unwrap() > 0.0);

    let status = server.get("/redis-test/lock-status/product-123").await.ok();
    assert_eq!((&status["locked"], &status["fencingToken"]), (&json!(true), &first["fencingToken"]));
    let unlock = || Request::delete(path).body(Body::empty()).unwrap();
    assert_eq!(server.send(unlock()).await.ok()["released"], true);
    assert_eq!(server.send(unlock()).await.ok()["released"], false);
    assert_eq!(server.get("/redis-test/lock-status/product-123").await.ok()["locked"], false);
    let third = server.post_as(KIM, path, Some(json!({"duration": 1, "nodeId": "node-2"}))).await.ok();
    assert!(third["fencingToken"].as_u64() > first["fencingToken"].as_u64());
}

#[tokio::test]
async fn of_many_requests_for_one_saga_one_creates_it() {
    let server = Server::start().await;
    let ask = |node| {
        let body = json!({"correlationId": "flow-1", "nodeId": format!("node-{node}")});
        server.post_as(KIM, "/redis-test/saga-creation-test", Some(body))
    };
    let (a, b, c) = tokio::join!(ask(1), ask(2), ask(3));
    let answers = [a.ok(), b.ok(), c.ok()];
    assert_eq!(answers.iter().filter(|answer| answer["created"] == true).count(), 1);
    assert!(answers.iter().all(|answer| answer["sagaId"] == answers[0]["sagaId"]));
    assert!(answers.iter().all(|answer| answer["holder"] == answers[0]["holder"]));
}

#[tokio::test]
async fn what_a_lock_cannot_be_is_refused() {
    let server = Server::start().await;
    for body in [
        json!({"duration": 0, "nodeId": "n"}),
        json!({"duration": 300001, "nodeId": "n"}),
        json!({"duration": -1, "nodeId": "n"}),
        json!({"duration": 1, "nodeId": ""}),
        json!({"duration": 1, "nodeId": "n", "more": 1}),
        json!({"duration": 1}),
    ] {
        server.post_as(KIM, "/redis-test/lock/a", Some(body)).await.problem(codes::INVALID_BODY);
    }
    let long = format!("/redis-test/lock-status/{}", "x".repeat(201));
    server.get(&long).await.problem(codes::INVALID_PARAMETER);
    server.get("/redis-test/lock-status/%00").await.problem(codes::INVALID_PARAMETER);
}

#[tokio::test]
async fn a_message_goes_through_the_broker_and_back() {
    let server = Server::start().await;
    let body = server.get("/kafka-test").await.ok();
    assert_eq!((&body["status"], &body["connected"]), (&json!("ok"), &json!(true)));
    assert!(body["topics"].as_array().unwrap().contains(&json!("gallae-probe")));
}

#[tokio::test]
async fn connections_are_shown_with_what_waits_for_them() {
    let server = Server::start().await;
    let shown = json!([
        {"name": "log", "role": "write", "size": 1, "idle": 0, "inUse": 1, "waiting": 7},
        {"name": "log", "role": "read", "size": 4, "idle": 3, "inUse": 1, "waiting": 0},
    ]);
    assert_eq!(server.get("/db-pool").await.ok()["pools"], shown);
}

#[tokio::test]
async fn in_production_probes_are_for_operators() {
    let server = Server::with(Options { mode: Mode::Production, ..Options::default() }).await;
    for path in ["/kafka-test", "/db-pool", "/redis-test/lock-status/a"] {
        server.get(path).await.problem(codes::UNAUTHENTICATED);
        server.get_as(KIM, path).await.problem(codes::FORBIDDEN);
        server.get_as(BOSS, path).await.ok();
    }
}
