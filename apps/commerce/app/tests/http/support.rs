//! A shop in a folder of its own, and a client that speaks to its router.

use crate::engines::Engines;
use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use commerce_app::{Configuration, Node, users};
use commerce_domain::users::{Profile, Role};
use futures::StreamExt;
use gallae_core::{Actor, CorrelationId, Metadata};
use gallae_runtime::Roles;
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) struct Api {
    pub(crate) node: Node,
    _folder: TempDir,
    /// After the node, which uses them.
    _engines: Engines,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// A problem with this status and code, in the right shape.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.json["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.json["status"], status);
        for member in ["type", "title", "detail", "correlationId"] {
            assert!(self.json[member].is_string(), "{member} in {}", self.text);
        }
        self
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn position(&self) -> u64 {
        self.header("gallae-position").and_then(|text| text.parse().ok()).expect("a position")
    }

    #[track_caller]
    pub(crate) fn str(&self, pointer: &str) -> &str {
        self.json
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{pointer} in {}", self.text))
    }
}

impl Api {
    pub(crate) async fn open() -> Self {
        Self::open_with(&[]).await
    }

    pub(crate) async fn open_with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut layers = Configuration::layers().unwrap();
        layers = layers.flag("--data-dir", "data.dir", folder.path().to_str().unwrap()).unwrap();
        let engines = Engines::fresh();
        for (key, value) in engines.settings() {
            layers = layers.flag("--set", key, &value).unwrap();
        }
        for (key, value) in settings {
            layers = layers.flag("--set", key, value).unwrap();
        }
        let configuration = Configuration::read(&layers).unwrap();
        let node = Node::open(&configuration, Roles::ALL, None).await.unwrap();
        Self { node, _folder: folder, _engines: engines }
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.node.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Reply { status: parts.status, headers: parts.headers, text, json }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.send(Method::GET, path, &[("authorization", &bearer(token))], Body::empty()).await
    }

    /// Reads once the view has seen `position`.
    pub(crate) async fn get_at(&self, path: &str, token: &str, position: u64) -> Reply {
        let position = position.to_string();
        let headers =
            [("authorization", &*bearer(token)), ("gallae-at-least", &position), ("prefer", "wait=10")];
        self.send(Method::GET, path, &headers, Body::empty()).await
    }

    pub(crate) async fn json(&self, method: Method, path: &str, token: &str, body: Value) -> Reply {
        self.json_with(method, path, token, &[], body).await
    }

    pub(crate) async fn json_with(
        &self,
        method: Method,
        path: &str,
        token: &str,
        extra: &[(&str, &str)],
        body: Value,
    ) -> Reply {
        let bearer = bearer(token);
        let mut headers = vec![("content-type", "application/json")];
        if !token.is_empty() {
            headers.push(("authorization", &*bearer));
        }
        headers.extend(extra);
        self.send(method, path, &headers, body.to_string()).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Reply {
        self.json(Method::POST, path, token, body).await
    }

    /// Places an order and waits for the end of its checkout.
    pub(crate) async fn order(&self, token: &str, body: Value) -> Reply {
        self.json_with(Method::POST, "/orders", token, &[("prefer", "wait=10")], body).await
    }

    /// Registers and logs in: the access token.
    pub(crate) async fn customer(&self, email: &str) -> String {
        self.person(email, Role::User).await
    }

    pub(crate) async fn operator(&self) -> String {
        self.person("admin@example.com", Role::Admin).await
    }

    async fn person(&self, email: &str, role: Role) -> String {
        let profile =
            Profile { email: email.parse().unwrap(), first_name: "길동".into(), last_name: "홍".into() };
        let new = users::NewUser { profile, password: PASSWORD.to_owned(), role };
        let metadata = Metadata::new("test".parse::<CorrelationId>().unwrap(), Actor::Anonymous, "test");
        let (user, _) = users::register(&self.node.shop, new, metadata).await.unwrap();
        self.node.shop.tokens.issue(user.uuid(), role.as_str()).unwrap()
    }

    /// How much is stored.
    pub(crate) async fn head(&self) -> u64 {
        self.node.shop.platform.store().head().await.unwrap().get()
    }

    /// Asks until `path` shows what is wanted.
    pub(crate) async fn until(&self, path: &str, token: &str, wanted: impl Fn(&Value) -> bool) -> Reply {
        for _ in 0..500 {
            let reply = self.get(path, token).await;
            if wanted(&reply.json) {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{path} never showed it; at last: {}", self.get(path, token).await.text);
    }

    /// The first `count` events of a live stream: name, id, data.
    pub(crate) async fn live(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        count: usize,
    ) -> Vec<(String, u64, Value)> {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.node.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let mut body = response.into_body().into_data_stream();
        let mut text = String::new();
        let read = async {
            while text.matches("\n\n").count() < count {
                text.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
            }
        };
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("live events");
        text.split("\n\n").filter(|frame| frame.contains("data:")).map(frame_of).collect()
    }
}

fn frame_of(frame: &str) -> (String, u64, Value) {
    let field = |name: &str| {
        let line = frame.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_start_matches(':').trim().to_owned()
    };
    let data = serde_json::from_str(&field("data")).unwrap();
    (field("event"), field("id").parse().unwrap(), data)
}

pub(crate) const PASSWORD: &str = "password123";

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

pub(crate) fn item(product: &str, quantity: i64, price: i64) -> Value {
    json!({"productId": product, "productName": "노트북", "quantity": quantity, "price": price})
}

pub(crate) fn cart(items: &[Value]) -> Value {
    json!({"items": items, "shippingAddress": "서울시 강남구 테헤란로 123"})
}
