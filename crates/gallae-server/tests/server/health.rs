use crate::setup::{BOSS, KIM, Server};
use std::time::Duration;

#[tokio::test]
async fn a_healthy_node_says_ok_everywhere() {
    let server = Server::start().await;
    for path in ["/health", "/health/live", "/health/ready", "/actuator/health"] {
        let reply = server.get(path).await;
        assert_eq!(
            (reply.status.as_u16(), reply.json()),
            (200, serde_json::json!({"status": "ok"})),
            "{path}"
        );
    }
    server.parcel(KIM, "flow").await;
    server.until(BOSS, "/health/detailed", |body| body["projections"][0]["lagEvents"] == 0).await;
    let body = server.get("/health/detailed").await.ok();
    assert_eq!(body["status"], "ok");
    assert_eq!(body["version"], "1.2.3");
    assert_eq!(body["roles"], serde_json::json!(["command", "query", "projector", "saga", "relay"]));
    for dependency in body["dependencies"].as_array().unwrap() {
        assert_eq!(dependency["status"], "up");
        assert!(dependency["latencyMs"].is_number());
    }
}

#[tokio::test]
async fn health_with_a_dead_store_is_not_ok() {
    let server = Server::start().await;
    server.log.fail_pings(true);
    for path in ["/health", "/health/ready", "/actuator/health", "/health/detailed"] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 503, "{path}");
        let body = reply.json();
        assert_eq!(body["status"], "unavailable", "{path}");
        assert_eq!(body["reasons"][0], "the store does not take commands", "{path}");
    }
    assert_eq!(server.get("/health/live").await.status, 200, "a restart would not help");
    let body = server.get("/health/detailed").await.json();
    assert_eq!(body["dependencies"][0]["status"], "down");

    server.log.fail_pings(false);
    assert_eq!(server.get("/health").await.status, 503, "the answer is kept for a moment");
    tokio::time::sleep(Duration::from_millis(550)).await;
    assert_eq!(server.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_draining_node_is_alive_and_not_ready() {
    let server = Server::start().await;
    server.readiness.begin_drain();
    assert_eq!(server.get("/health").await.status, 200);
    let reply = server.get("/health/ready").await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.json()["reasons"][0], "the node is shutting down");
}

#[tokio::test]
async fn metrics_tell_of_the_process() {
    let server = Server::start().await;
    let page = server.get("/metrics").await;
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let value = |name: &str| -> f64 {
        let text = page.text();
        let line =
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
        line.unwrap_or_else(|| panic!("{name} is missing: {text}")).parse().unwrap()
    };
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_open_fds") >= 3.0);
    assert!(value("process_cpu_seconds_total") >= 0.0);
    assert!(value("gallae_uptime_seconds") >= 0.0);
}
