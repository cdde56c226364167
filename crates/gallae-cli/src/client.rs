//! Requests to the admin API, over the network or in this process.

use crate::{Exit, Failure, Frames, Lines};
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{self, HeaderMap, Method, Request, StatusCode, header},
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use serde_json::Value;
use std::{fmt, net::SocketAddr, time::Duration};
use tokio::time::Instant;
use tower::ServiceExt;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an application that was just opened may take to begin its background work: a lease may have to run out.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is asked meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// Speaks to one application as an operator. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    token: String,
}

#[derive(Clone)]
enum Transport {
    Network { http: reqwest::Client, base: String },
    InProcess(Router),
}

/// An answer whose body has not been read yet.
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: BoxStream<'static, Result<Bytes, Failure>>,
}

impl Client {
    /// A client of the server at `base`, such as `http://127.0.0.1:3000`.
    ///
    /// # Errors
    /// When this machine cannot make connections at all.
    pub fn network(base: &str, token: impl Into<String>) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().connect_timeout(CONNECT).no_proxy().build();
        let http =
            http.map_err(|error| Failure::because(Exit::Unavailable, "no connection can be made", &error))?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { transport: Transport::Network { http, base }, token: token.into() })
    }

    /// A client of routes in this process.
    pub fn in_process(router: Router, token: impl Into<String>) -> Self {
        Self { transport: Transport::InProcess(router), token: token.into() }
    }

    /// Whether the application was opened for this client alone.
    pub fn is_in_process(&self) -> bool {
        matches!(self.transport, Transport::InProcess(_))
    }

    /// Where it speaks to, for people.
    pub fn place(&self) -> &str {
        match &self.transport {
            Transport::Network { base, .. } => base,
            Transport::InProcess(_) => "the data directory",
        }
    }

    /// Reads.
    ///
    /// # Errors
    /// The problem that the server answers, or that it cannot be reached.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::GET, path, None).await?.json().await
    }

    /// Changes something. A body of `None` sends none.
    ///
    /// # Errors
    /// The problem that the server answers, or that it cannot be reached.
    pub async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.send(Method::POST, path, body).await?.json().await
    }

    /// Asks in any other way.
    ///
    /// # Errors
    /// The problem that the server answers, or that it cannot be reached.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, Failure> {
        let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
        self.answered(method, path, body, None).await
    }

    /// Sends a file and reads what the server says on the way, line by line.
    ///
    /// # Errors
    /// The problem that the server answers, or that it cannot be reached.
    pub async fn upload(&self, path: &str, content_type: &str, file: Bytes) -> Result<Lines, Failure> {
        let reply = self.answered(Method::POST, path, Some((content_type, file)), None).await?;
        Ok(Lines::new(reply.body))
    }

    /// Follows server-sent events.
    ///
    /// # Errors
    /// The problem that the server answers, or that it cannot be reached.
    pub async fn follow(&self, path: &str) -> Result<Frames, Failure> {
        let reply = self.answered(Method::GET, path, None, Some("text/event-stream")).await?;
        Ok(Frames::new(Lines::new(reply.body)))
    }

    /// Asks, and again for a while where the application was opened for this client just now and is not ready yet.
    async fn answered(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Bytes)>,
        accept: Option<&str>,
    ) -> Result<Reply, Failure> {
        let began = Instant::now();
        loop {
            let reply = self.ask(method.clone(), path, body.clone(), accept).await?;
            if reply.status.is_success() {
                return Ok(reply);
            }
            let status = reply.status;
            let problem = reply.json().await.unwrap_or(Value::Null);
            if !(self.is_in_process() && is_not_ready(status, &problem)) || began.elapsed() > PATIENCE {
                return Err(refusal(status, &problem));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Bytes)>,
        accept: Option<&str>,
    ) -> Result<Reply, Failure> {
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", self.token).parse();
        headers.insert(header::AUTHORIZATION, bearer.map_err(|_| Failure::failed("the token is not one"))?);
        let content_type = body.as_ref().map(|(content_type, _)| *content_type);
        for (name, value) in [(header::CONTENT_TYPE, content_type), (header::ACCEPT, accept)] {
            if let Some(Ok(value)) = value.map(str::parse) {
                headers.insert(name, value);
            }
        }
        let body = body.map(|(_, bytes)| bytes);
        match &self.transport {
            Transport::Network { http, base } => network(http, base, method, path, headers, body).await,
            Transport::InProcess(router) => in_process(router.clone(), method, path, headers, body).await,
        }
    }
}

async fn network(
    http: &reqwest::Client,
    base: &str,
    method: Method,
    path: &str,
    headers: HeaderMap,
    body: Option<Bytes>,
) -> Result<Reply, Failure> {
    let mut request = http.request(method, format!("{base}{path}")).headers(headers);
    if let Some(body) = body {
        request = request.body(body);
    }
    let doing = format!("{base} does not answer");
    let reply = request.send().await.map_err(|error| {
        Failure::because(Exit::Unavailable, &doing, &error.without_url())
            .hint("is the server running? see --url and --data-dir")
    })?;
    let (status, headers) = (reply.status(), reply.headers().clone());
    let broken = |error: reqwest::Error| {
        Failure::because(
            Exit::Unavailable,
            "the connection broke in the middle of the answer",
            &error.without_url(),
        )
    };
    Ok(Reply { status, headers, body: reply.bytes_stream().map_err(broken).boxed() })
}

async fn in_process(
    router: Router,
    method: Method,
    path: &str,
    headers: HeaderMap,
    body: Option<Bytes>,
) -> Result<Reply, Failure> {
    let invalid = |error: http::Error| Failure::because(Exit::Usage, "the request cannot be made", &error);
    let body = body.map_or_else(Body::empty, Body::from);
    let mut request = Request::builder().method(method).uri(path).body(body).map_err(invalid)?;
    *request.headers_mut() = headers;
    // Middleware that counts by address finds one.
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 0))));
    let Ok(reply) = router.oneshot(request).await;
    let (parts, body) = reply.into_parts();
    let broken =
        |error: axum::Error| Failure::because(Exit::Failed, "the answer ended in the middle", &error);
    Ok(Reply {
        status: parts.status,
        headers: parts.headers,
        body: body.into_data_stream().map_err(broken).boxed(),
    })
}

impl Reply {
    /// The whole body as JSON; null if it is empty.
    ///
    /// # Errors
    /// When the connection breaks, or it is not JSON.
    pub async fn json(self) -> Result<Value, Failure> {
        let body = self.body.try_fold(Vec::new(), async |mut all, chunk| {
            all.extend_from_slice(&chunk);
            Ok(all)
        });
        let body = body.await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        let other = |error: serde_json::Error| {
            Failure::because(Exit::Failed, "the answer is not JSON: is this our server?", &error)
        };
        serde_json::from_slice(&body).map_err(other)
    }
}

/// Whether a refusal, with which nothing was written, may only mean that leases are still being taken.
fn is_not_ready(status: StatusCode, problem: &Value) -> bool {
    let unavailable = status == StatusCode::SERVICE_UNAVAILABLE && problem["written"] != "unknown";
    unavailable || problem["code"] == "PROJECTION_ELSEWHERE"
}

/// A problem in the words of the server.
fn refusal(status: StatusCode, problem: &Value) -> Failure {
    let text = |name: &str| problem.get(name).and_then(Value::as_str).map(str::to_owned);
    let told =
        text("detail").or_else(|| text("title")).unwrap_or_else(|| format!("the server answered {status}"));
    let code = text("code").map(|code| format!(" ({code})")).unwrap_or_default();
    let exit = if status == StatusCode::SERVICE_UNAVAILABLE { Exit::Unavailable } else { Exit::Failed };
    let failure = Failure::new(exit, format!("{}{code}", told.trim_end_matches('.')));
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            failure.hint("the token is not an operator's here: leave --token out on the server's own machine")
        }
        _ => failure,
    }
}

/// A path segment with everything escaped that could end it.
pub fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let escaped = |byte: u8| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(escaped).collect()
}

/// A query string of the parameters that are there; empty if none is.
pub fn query(parameters: &[(&str, Option<String>)]) -> String {
    let present =
        parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", segment(value.as_deref()?))));
    let joined: Vec<_> = present.collect();
    if joined.is_empty() { String::new() } else { format!("?{}", joined.join("&")) }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token stays out of logs.
        f.debug_struct("Client").field("place", &self.place()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Json, routing::get};
    use serde_json::json;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn segments_and_queries_are_escaped() {
        assert_eq!(segment("order-1/강 남"), "order-1%2F%EA%B0%95%20%EB%82%A8");
        assert_eq!(query(&[("a", Some("x&y".into())), ("b", None)]), "?a=x%26y");
        assert_eq!(query(&[("b", None)]), "");
    }

    #[tokio::test]
    async fn routes_in_this_process_are_called_as_an_operator() {
        let echo =
            async |headers: HeaderMap| Json(json!({"by": headers["authorization"].to_str().unwrap_or("")}));
        let client = Client::in_process(Router::new().route("/x", get(echo)), "t0ken");
        assert_eq!(client.get("/x").await.unwrap(), json!({"by": "Bearer t0ken"}));
        assert!(!format!("{client:?}").contains("t0ken"));
    }

    #[tokio::test]
    async fn a_problem_is_told_in_the_words_of_the_server() {
        let problem =
            (StatusCode::CONFLICT, Json(json!({"detail": "It is busy.", "code": "PROJECTION_BUSY"})));
        let client = Client::in_process(Router::new().route("/x", get(async || problem)), "t");
        let failure = client.get("/x").await.unwrap_err();
        assert_eq!(
            (failure.to_string().as_str(), failure.exit()),
            ("error: It is busy (PROJECTION_BUSY)", Exit::Failed)
        );
    }

    #[tokio::test]
    async fn an_application_that_was_just_opened_is_asked_again_until_it_is_ready() {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let slow = async || match ASKED.fetch_add(1, Ordering::Relaxed) {
            0 => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"code": "STORE_UNAVAILABLE"}))),
            1 => (StatusCode::CONFLICT, Json(json!({"code": "PROJECTION_ELSEWHERE"}))),
            _ => (StatusCode::OK, Json(json!({}))),
        };
        let client = Client::in_process(Router::new().route("/x", get(slow)), "t");
        client.get("/x").await.unwrap();
        assert_eq!(ASKED.load(Ordering::Relaxed), 3);
        let unknown = json!({"written": "unknown"});
        assert!(!is_not_ready(StatusCode::SERVICE_UNAVAILABLE, &unknown), "it may have been written");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_unavailable() {
        // Nothing listens on port 1.
        let client = Client::network("http://127.0.0.1:1", "t").unwrap();
        assert_eq!(client.get("/x").await.unwrap_err().exit(), Exit::Unavailable);
    }
}
