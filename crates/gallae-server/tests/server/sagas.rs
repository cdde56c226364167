use crate::setup::{BOSS, KIM, LEE, Server};
use gallae_http::codes;
use serde_json::json;

#[tokio::test]
async fn owners_see_their_own_sagas_and_operators_all() {
    let server = Server::start().await;
    let (parcel, saga) = server.parcel(KIM, "flow-kim").await;
    server.parcel(LEE, "flow-lee").await;
    for prefix in ["/saga", "/sagas"] {
        let mine = server.get_as(KIM, prefix).await.ok();
        assert_eq!((&mine["total"], &mine["sagas"][0]["id"]), (&json!(1), &json!(saga.to_string())));
        assert_eq!(mine["sagas"][0]["businessKey"], parcel.to_string());
        assert_eq!(server.get_as(BOSS, prefix).await.ok()["total"], 2);
        assert_eq!(server.get_as(BOSS, &format!("{prefix}/active")).await.ok()["total"], 2);
        for path in ["status/flow-kim", "correlation/flow-kim"] {
            let path = format!("{prefix}/{path}");
            assert_eq!(server.get_as(KIM, &path).await.ok()["sagaId"], saga.to_string());
            assert_eq!(server.get_as(BOSS, &path).await.ok()["sagaId"], saga.to_string());
            server.get_as(LEE, &path).await.problem(codes::NOT_FOUND);
        }
        let path = format!("{prefix}/{saga}");
        assert_eq!(server.get_as(KIM, &path).await.ok()["definition"], "delivery");
        server.get_as(LEE, &path).await.problem(codes::NOT_FOUND);
        server.get(&path).await.problem(codes::UNAUTHENTICATED);
    }
}

#[tokio::test]
async fn the_detail_says_what_a_saga_waits_for_and_hides_payloads_from_customers() {
    let server = Server::start().await;
    let (_, saga) = server.parcel(KIM, "flow").await;
    let path = format!("/sagas/{saga}");
    let detail = server.until(BOSS, &path, |body| body["steps"][0]["phase"] == "dispatched").await;
    assert_eq!(detail["steps"][0]["name"], "carry");
    assert_eq!(detail["effects"][0]["state"], "sent");
    assert!(detail["why"].as_str().unwrap().contains("carry"), "{detail}");
    assert_eq!(detail["timeline"][0]["type"], "SagaStarted");
    assert!(detail["timeline"][0]["data"].is_object());
    assert_eq!(server.get_as(KIM, &path).await.ok()["timeline"][0]["data"], json!(null));
}

#[tokio::test]
async fn operators_pause_resume_and_retry_with_a_reason() {
    let server = Server::start().await;
    let (_, saga) = server.parcel(KIM, "flow").await;
    server.until(BOSS, &format!("/sagas/{saga}"), |body| body["steps"][0]["phase"] == "dispatched").await;
    let act = async |verb: &str, body| {
        let path = format!("/saga/{saga}/{verb}");
        server.post_as(BOSS, &path, body).await
    };
    let reason = || Some(json!({"reason": "점검"}));
    act("pause", Some(json!({"reason": " "}))).await.problem(codes::INVALID_BODY);
    act("pause", None).await.problem(codes::UNSUPPORTED_MEDIA_TYPE);
    let paused = act("pause", reason()).await;
    assert_eq!(paused.ok()["status"], "PAUSED");
    assert!(paused.headers.contains_key("gallae-position"));
    let refused = act("pause", reason()).await.problem(codes::SAGA_STATE_REFUSES);
    assert_eq!(refused["sagaStatus"], "PAUSED");
    assert_ne!(act("resume", reason()).await.ok()["status"], "PAUSED");
    act("resume", reason()).await.problem(codes::SAGA_STATE_REFUSES);
    // As the first clients did: without a body.
    server.post_as(BOSS, &format!("/saga/retry/{saga}"), None).await.ok();
    server.post_as(BOSS, &format!("/saga/compensate/{saga}"), None).await.ok();
    let timeline = server.get_as(BOSS, &format!("/sagas/{saga}")).await.ok()["timeline"].clone();
    let entry = timeline.as_array().unwrap().iter().find(|entry| entry["type"] == "SagaPaused").unwrap();
    assert_eq!((&entry["data"]["reason"], &entry["actor"]), (&json!("점검"), &json!(format!("user:{BOSS}"))));
}

#[tokio::test]
async fn only_operators_act_and_only_on_what_exists() {
    let server = Server::start().await;
    let (_, saga) = server.parcel(KIM, "flow").await;
    server.post_as(KIM, &format!("/saga/retry/{saga}"), None).await.problem(codes::FORBIDDEN);
    server.until(BOSS, &format!("/sagas/{saga}"), |body| body["steps"][0]["phase"] == "dispatched").await;
    let unknown = "/saga/retry/00000000-0000-0000-0000-000000000000";
    server.post_as(BOSS, unknown, None).await.problem(codes::NOT_FOUND);
    server.post_as(BOSS, "/saga/retry/no-uuid", None).await.problem(codes::INVALID_PARAMETER);
    server.get_as(KIM, "/sagas/statistics").await.problem(codes::FORBIDDEN);
    let figures = server.get_as(BOSS, "/sagas/statistics").await.ok();
    assert_eq!(
        (&figures["active"], &figures["definitions"][0]["definition"]),
        (&json!(1), &json!("delivery"))
    );
}

#[tokio::test]
async fn operators_see_what_participants_can_bear() {
    let server = Server::start().await;
    let (_, saga) = server.parcel(KIM, "flow").await;
    server.until(BOSS, &format!("/sagas/{saga}"), |body| body["steps"][0]["phase"] == "dispatched").await;
    server.get_as(KIM, "/sagas/dependencies").await.problem(codes::FORBIDDEN);
    let body = server.get_as(BOSS, "/sagas/dependencies").await.ok();
    let carrier = &body["dependencies"][0];
    assert_eq!((&carrier["breaker"], &carrier["inFlight"]), (&json!("closed"), &json!(1)));
    assert_eq!((&carrier["held"], &carrier["perSecond"]), (&json!({}), &json!(null)));
}

#[tokio::test]
async fn bad_queries_are_refused() {
    let server = Server::start().await;
    for query in ["status=NOPE", "page=0", "limit=101", "limit=x", "unknown=1"] {
        server.get_as(KIM, &format!("/sagas?{query}")).await.problem(codes::INVALID_PARAMETER);
    }
    assert_eq!(server.get_as(KIM, "/sagas?status=STUCK,RUNNING").await.ok()["total"], 0);
}
