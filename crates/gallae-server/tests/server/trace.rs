use crate::setup::{BOSS, KIM, LEE, Server};
use gallae_http::codes;
use serde_json::json;

#[tokio::test]
async fn a_flow_is_shown_to_who_began_it_and_to_operators() {
    let server = Server::start().await;
    let (parcel, saga) = server.parcel(KIM, "flow-1").await;
    let flow = server.get_as(KIM, "/trace/correlation/flow-1").await.ok();
    let events = flow["events"].as_array().unwrap();
    let sent = events.iter().find(|event| event["type"] == "ParcelSent").unwrap();
    assert_eq!((&sent["data"]["to"], &sent["actor"]), (&json!("서울"), &json!(format!("user:{KIM}"))));
    assert!(flow["streams"].as_array().unwrap().contains(&json!(parcel.stream().to_string())));
    assert_eq!(flow["sagas"][0]["id"], saga.to_string());
    assert_eq!(flow["truncated"], false);
    server.get_as(BOSS, "/trace/correlation/flow-1").await.ok();
    server.get_as(LEE, "/trace/correlation/flow-1").await.problem(codes::NOT_FOUND);
    server.get_as(BOSS, "/trace/correlation/none").await.problem(codes::NOT_FOUND);
    server.get_as(BOSS, "/trace/correlation/no%20word").await.problem(codes::INVALID_PARAMETER);
}

#[tokio::test]
async fn what_another_did_under_the_same_correlation_id_stays_theirs() {
    let server = Server::start().await;
    server.parcel(KIM, "shared").await;
    let (lees, _) = server.parcel(LEE, "shared").await;
    let flow = server.get_as(KIM, "/trace/correlation/shared").await.ok();
    let sent: Vec<_> =
        flow["events"].as_array().unwrap().iter().filter(|event| event["type"] == "ParcelSent").collect();
    assert_eq!(sent.len(), 1, "{flow}");
    assert!(!sent[0]["stream"].as_str().unwrap().contains(&lees.to_string()));
    server.get_as(LEE, "/trace/correlation/shared").await.problem(codes::NOT_FOUND);
}

#[tokio::test]
async fn events_are_listed_from_the_end_or_after_a_position() {
    let server = Server::start().await;
    for flow in ["a", "b", "c"] {
        server.parcel(KIM, flow).await;
    }
    server.parcel(LEE, "d").await;
    let newest = server.get_as(KIM, "/trace/events?limit=2&eventType=ParcelSent").await.ok();
    let flows = |list: &serde_json::Value| -> Vec<String> {
        let events = list["events"].as_array().unwrap();
        events.iter().map(|event| event["correlationId"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(flows(&newest), ["b", "c"], "the newest two of one's own, in order");
    let all = server.get_as(BOSS, "/trace/events?eventType=ParcelSent").await.ok();
    assert_eq!(flows(&all), ["a", "b", "c", "d"]);
    let first = server.get_as(BOSS, "/trace/events?after=0&limit=1&eventType=ParcelSent").await.ok();
    assert_eq!(flows(&first), ["a"]);
    let next = format!("/trace/events?after={}&limit=1&eventType=ParcelSent", first["nextAfter"]);
    assert_eq!(flows(&server.get_as(BOSS, &next).await.ok()), ["b"]);
    let beyond = server.get_as(BOSS, "/trace/events?after=9223372036854775807").await.ok();
    assert_eq!(beyond["events"], json!([]));
    server.get_as(BOSS, "/trace/events?after=9223372036854775808").await.problem(codes::INVALID_PARAMETER);
    server.get_as(BOSS, "/trace/events?limit=501").await.problem(codes::INVALID_PARAMETER);
}

#[tokio::test]
async fn flows_that_do_not_move_are_stuck() {
    let server = Server::start().await;
    server.parcel(KIM, "flow").await;
    let flows = server.get_as(KIM, "/trace/active-flows").await.ok();
    assert_eq!((&flows["total"], &flows["flows"][0]["isStuck"]), (&json!(1), &json!(false)));
    assert_eq!(server.get_as(LEE, "/trace/active-flows").await.ok()["total"], 0);
    let stuck = |body: &serde_json::Value| body["flows"][0]["isStuck"] == true;
    server.until(KIM, "/trace/active-flows?stuckAfter=1", stuck).await;
    server.get_as(KIM, "/trace/active-flows?stuckAfter=0").await.problem(codes::INVALID_PARAMETER);
}

#[tokio::test]
async fn the_distribution_counts_every_event_once() {
    let server = Server::start().await;
    server.parcel(KIM, "a").await;
    server.parcel(LEE, "b").await;
    let body = server.get_as(BOSS, "/trace/distribution?eventType=ParcelSent").await.ok();
    assert_eq!(body["total"], 2);
    assert_eq!(
        body["nodes"],
        json!([{
            "node": "node-1", "events": 2, "percent": 100.0,
            "firstAt": body["nodes"][0]["firstAt"], "lastAt": body["nodes"][0]["lastAt"],
        }])
    );
    let minutes = body["perMinute"].as_array().unwrap();
    assert_eq!(minutes.iter().map(|minute| minute["events"].as_u64().unwrap()).sum::<u64>(), 2);
    let order = body["order"].as_array().unwrap();
    let between = order[1]["micros"].as_i64().unwrap() - order[0]["micros"].as_i64().unwrap();
    assert_eq!(order[1]["sincePreviousMicros"], between);
    server.get_as(KIM, "/trace/distribution").await.problem(codes::FORBIDDEN);
}
