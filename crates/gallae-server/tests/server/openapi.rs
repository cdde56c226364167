use crate::setup::{BOSS, Server};
use axum::{body::Body, http::Request};
use serde_json::Value;
use std::collections::BTreeSet;

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(|(method, operation)| (method.clone(), path.clone(), operation.clone()))
    });
    all.collect()
}

#[tokio::test]
async fn the_document_is_served_under_its_three_names() {
    let server = Server::start().await;
    let document = server.get("/api/openapi.json").await;
    assert_eq!(document.headers["content-type"], "application/json");
    assert_eq!(document.ok()["openapi"], "3.1.0");
    for alias in ["/api-json", "/v3/api-docs"] {
        assert_eq!(server.get(alias).await.body, document.body, "{alias}");
    }
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_operation_has_its_own_id() {
    let server = Server::start().await;
    let document = serde_json::to_value(&server.document).unwrap();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]) {
        assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        assert!(
            ids.insert(operation["operationId"].to_string()),
            "{method} {path}: {}",
            operation["operationId"]
        );
        assert!(operation["tags"].is_array(), "{method} {path} has no tag");
        assert!(operation["responses"]["default"].is_object(), "{method} {path} hides its errors");
        for name in path.split('{').skip(1).map(|rest| &rest[..rest.find('}').unwrap()]) {
            let parameters = operation["parameters"].as_array();
            let known = parameters
                .is_some_and(|all| all.iter().any(|one| one["name"] == name && one["in"] == "path"));
            assert!(known, "{method} {path}: {name} is not described");
        }
    }
    let tags: BTreeSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].clone().to_string()).collect();
    for (method, path, operation) in operations(&document) {
        assert!(tags.contains(&operation["tags"][0].to_string()), "{method} {path}: {}", operation["tags"]);
    }
}

#[tokio::test]
async fn every_documented_path_is_routed_and_asks_for_a_token_where_it_says_so() {
    let server = Server::start().await;
    let document = serde_json::to_value(&server.document).unwrap();
    for (method, path, operation) in operations(&document) {
        let filled: String = path
            .split('/')
            .map(|part| if part.starts_with('{') { "1" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let request = Request::builder().method(method.to_uppercase().as_str()).uri(&filled);
        let reply = server.send(request.body(Body::empty()).unwrap()).await;
        let text = reply.text();
        assert!(!text.contains("There is no such route") && reply.status != 405, "{method} {path}: {text}");
        let security = operation["security"].as_array();
        let must_log_in = security.is_some_and(|all| all.iter().all(|one| one != &serde_json::json!({})));
        assert_eq!(reply.status == 401, must_log_in, "{method} {path}: {}", reply.status);
    }
}

/// Sends what a fuzzer would: nothing may be answered with a 5xx, except where a 503 is the truth.
#[tokio::test]
async fn nonsense_is_never_our_fault() {
    let server = Server::start().await;
    let document = serde_json::to_value(&server.document).unwrap();
    let nonsense = [
        "0",
        "-1",
        "null",
        "%F0%9F%92%A5",
        "x".repeat(300).leak(),
        "00000000-0000-0000-0000-000000000000",
        "a-b",
        "%00",
        "%FF",
    ];
    for (method, path, _) in operations(&document) {
        for (word, body) in nonsense.into_iter().zip([
            "",
            "{}",
            "[]",
            "null",
            "\"",
            "{\"reason\":1}",
            "{\"duration\":1e99}",
            "[[[[",
            "0",
        ]) {
            let filled = path
                .split('/')
                .map(|part| if part.starts_with('{') { word } else { part })
                .collect::<Vec<_>>()
                .join("/");
            let request = Request::builder()
                .method(method.to_uppercase().as_str())
                .uri(format!("{filled}?limit={word}&page={word}&after={word}"))
                .header("authorization", server.token(BOSS))
                .header("content-type", "application/json")
                .header("content-length", body.len());
            let reply = server.send(request.body(body.into()).unwrap()).await;
            let status = reply.status.as_u16();
            assert!(status < 500, "{method} {filled} {body}: {status} {}", reply.text());
            if status >= 400 {
                assert_eq!(
                    reply.headers["content-type"],
                    "application/problem+json",
                    "{method} {filled}: {}",
                    reply.text()
                );
            }
        }
    }
}

#[tokio::test]
async fn swagger_ui_loads_everything_from_here() {
    let server = Server::start().await;
    assert_eq!(server.get("/api").await.headers["location"], "/api/");
    let page = server.get("/api/").await;
    assert_eq!((page.status.as_u16(), &page.headers["content-type"]), (200, &"text/html".parse().unwrap()));
    let policy = page.headers["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'self'") && !policy.contains("script-src"), "{policy}");
    let html = page.text();
    assert!(
        !html.contains("<script>") && !html.contains("http"),
        "an inline or foreign script would be blocked: {html}"
    );
    let sources = html
        .split(['"'])
        .filter(|part| part.ends_with(".js") || part.ends_with(".css") || part.ends_with(".png"));
    let mut seen = 0;
    for source in sources {
        let reply = server.get(&format!("/api/{}", source.trim_start_matches("./"))).await;
        assert_eq!(reply.status, 200, "{source}");
        if source.ends_with(".js") {
            assert!(reply.headers["content-type"].to_str().unwrap().contains("javascript"), "{source}");
        }
        seen += 1;
    }
    assert!(seen >= 7, "{html}");
    let start = server.get("/api/swagger-initializer.js").await.text();
    assert!(start.contains("/api/openapi.json") && !start.contains("petstore"), "{start}");
    assert_eq!(server.get("/api/nothing.js").await.status, 404);
}
