use crate::setup::{BOSS, KIM, Server};
use axum::{body::Body, http::Request};
use gallae_http::codes;
use serde_json::{Value, json};

async fn caught_up(server: &Server) {
    let wanted =
        |body: &Value| body["projections"][0]["state"] == "live" && body["projections"][0]["lagEvents"] == 0;
    server.until(BOSS, "/admin/projections", wanted).await;
}

#[tokio::test]
async fn administration_is_for_operators() {
    let server = Server::start().await;
    for path in [
        "projections",
        "projections/parcels",
        "dead-letters",
        "relay",
        "nodes",
        "leases",
        "streams",
        "tasks",
        "invariants",
        "dependencies",
    ] {
        let path = format!("/admin/{path}");
        server.get(&path).await.problem(codes::UNAUTHENTICATED);
        server.get_as(KIM, &path).await.problem(codes::FORBIDDEN);
        server.get_as(BOSS, &path).await.ok();
    }
    let local = Request::get("/admin/tasks").header("authorization", "Bearer from-this-machine");
    server.send(local.body(Body::empty()).unwrap()).await.ok();
    let guessed = Request::get("/admin/tasks").header("authorization", "Bearer from-that-machine");
    server.send(guessed.body(Body::empty()).unwrap()).await.problem(codes::UNAUTHENTICATED);
}

#[tokio::test]
async fn a_projection_is_rebuilt_and_verified_on_request() {
    let server = Server::start().await;
    server.parcel(KIM, "a").await;
    caught_up(&server).await;
    for (verb, outcome) in [("rebuild", "rebuilt"), ("verify", "verified"), ("repair", "verified")] {
        let request = Request::post(format!("/admin/projections/parcels/{verb}"))
            .header("authorization", server.token(BOSS))
            .header("prefer", "wait=10");
        let report = server.send(request.body(Body::empty()).unwrap()).await.ok();
        assert_eq!((&report["outcome"], &report["clean"]), (&json!(outcome), &json!(true)), "{report}");
        let detail = server.get_as(BOSS, "/admin/projections/parcels").await.ok();
        assert_eq!(detail["lastReport"], report);
    }
    let accepted = server.post_as(BOSS, "/admin/projections/parcels/verify", None).await;
    assert_eq!((accepted.status.as_u16(), &accepted.json()["operation"]), (202, &json!("verify")));
    let progress = server.get_as(BOSS, "/admin/projections/parcels/progress").await;
    assert_eq!(progress.headers["content-type"], "text/event-stream");
    assert!(progress.text().contains("event: report"), "{}", progress.text());
    server.post_as(BOSS, "/admin/projections/nope/rebuild", None).await.problem(codes::NOT_FOUND);
    server.get_as(BOSS, "/admin/projections/nope/progress").await.problem(codes::NOT_FOUND);
}

#[tokio::test]
async fn a_projection_is_held_and_let_go() {
    let server = Server::start().await;
    caught_up(&server).await;
    server.post_as(BOSS, "/admin/projections/parcels/pause", None).await.ok();
    server.until(BOSS, "/admin/projections/parcels", |body| body["state"] == "paused").await;
    server.post_as(BOSS, "/admin/projections/parcels/sync", None).await.problem(codes::PROJECTION_PAUSED);
    server.post_as(BOSS, "/admin/projections/parcels/resume", None).await.ok();
    let (_, _) = server.parcel(KIM, "a").await;
    let synced = server.post_as(BOSS, "/admin/projections/parcels/sync", None).await.ok();
    assert!(synced["to"].as_u64().unwrap() >= 2, "{synced}");
    assert_eq!(
        server.post_as(BOSS, "/admin/projections/parcels/cancel", None).await.ok()["cancelled"],
        false
    );
}

#[tokio::test]
async fn streams_are_browsed_and_aggregates_shown_as_they_were() {
    let server = Server::start().await;
    let (parcel, _) = server.parcel(KIM, "a").await;
    let stream = parcel.stream();
    let list = server.get_as(BOSS, "/admin/streams?prefix=parcel-&limit=1").await.ok();
    assert_eq!(list["streams"], json!([{"stream": stream.to_string(), "version": 1}]));
    let next = format!("/admin/streams?prefix=parcel-&after={stream}");
    assert_eq!(server.get_as(BOSS, &next).await.ok()["streams"], json!([]));
    let events = server.get_as(BOSS, &format!("/admin/streams/{stream}")).await.ok();
    assert_eq!((&events["version"], &events["events"][0]["type"]), (&json!(1), &json!("ParcelSent")));
    let then = server.get_as(BOSS, &format!("/admin/streams/{stream}/at/1")).await.ok();
    assert_eq!(then["state"], json!({"to": "서울", "done": false}));
    for (path, code) in [
        (format!("/admin/streams/{stream}/at/2"), codes::NOT_FOUND),
        (format!("/admin/streams/{stream}/at/0"), codes::INVALID_PARAMETER),
        (format!("/admin/streams/{stream}/at/18446744073709551615"), codes::INVALID_PARAMETER),
        (format!("/admin/streams/{stream}?after=18446744073709551615"), codes::INVALID_PARAMETER),
        ("/admin/streams/parcel-none".to_owned(), codes::NOT_FOUND),
        ("/admin/streams/nodash".to_owned(), codes::INVALID_PARAMETER),
        ("/admin/streams?after=x".to_owned(), codes::INVALID_PARAMETER),
    ] {
        server.get_as(BOSS, &path).await.problem(code);
    }
}

#[tokio::test]
async fn the_relay_is_held_and_let_go() {
    let server = Server::start().await;
    assert_eq!(server.post_as(BOSS, "/admin/relay/pause", None).await.ok()["state"], "paused");
    server.post_as(BOSS, "/admin/relay/resume", None).await.ok();
    server.parcel(KIM, "a").await;
    server.until(BOSS, "/admin/relay", |body| body["state"] == "live" && body["lagEvents"] == 0).await;
}

#[tokio::test]
async fn operators_see_nodes_leases_tasks_and_what_does_not_hold() {
    let server = Server::start().await;
    server.until(BOSS, "/admin/leases", |body| body["leases"].to_string().contains("saga")).await;
    let nodes = server.get_as(BOSS, "/admin/nodes").await.ok();
    assert_eq!((&nodes["nodes"][0]["node"], &nodes["nodes"][0]["here"]), (&json!("node-1"), &json!(true)));
    let tasks = server.get_as(BOSS, "/admin/tasks").await.ok();
    assert!(tasks["tasks"].as_array().unwrap().iter().any(|task| task["name"] == "projector:parcels"));
    let invariants = server.get_as(BOSS, "/admin/invariants").await.ok();
    assert_eq!(invariants["ok"], false);
    assert_eq!(invariants["invariants"][0]["name"], "log-tail");
    assert_eq!(invariants["invariants"][0]["ok"], true);
    assert_eq!(invariants["invariants"][1]["violations"], json!(["a parcel is lost"]));
}

#[tokio::test]
async fn a_key_that_is_not_parked_has_nothing_to_retry() {
    let server = Server::start().await;
    caught_up(&server).await;
    assert_eq!(server.get_as(BOSS, "/admin/dead-letters").await.ok()["deadLetters"], json!([]));
    for verb in ["retry", "discard"] {
        let body = json!({"projection": "parcels", "key": "none"});
        let path = format!("/admin/dead-letters/{verb}");
        server.post_as(BOSS, &path, Some(body)).await.problem(codes::NOTHING_PARKED);
        server
            .post_as(BOSS, &path, Some(json!({"projection": "parcels"})))
            .await
            .problem(codes::INVALID_BODY);
    }
    server.get_as(BOSS, "/admin/dead-letters?projection=nope").await.problem(codes::NOT_FOUND);
}
