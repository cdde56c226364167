//! Who orders.

use super::connection::{Address, Answer, Connection};
use axum::{body::Bytes, http::Method};
use futures::{StreamExt, TryStreamExt, stream};
use gallae_cli::{Exit, Failure};
use serde_json::{Value, json};
use std::sync::Arc;

/// Registrations at once: the shop hashes two passwords at a time.
const AT_ONCE: usize = 4;
const PASSWORD: &str = "only-for-a-load-test";

/// Registers users of this run and logs them in; their headers.
pub(super) async fn register(address: &Address, run: &str, count: u32) -> Result<Vec<Arc<str>>, Failure> {
    let all = stream::iter(0..count).map(|number| one(address, format!("bench-{run}-{number}@example.com")));
    all.buffered(AT_ONCE).try_collect().await
}

async fn one(address: &Address, email: String) -> Result<Arc<str>, Failure> {
    let mut connection = Connection::new(address);
    let body = json!({"email": email, "password": PASSWORD, "firstName": "Bench", "lastName": "Load"});
    post(&mut connection, "/auth/register", &body).await?;
    let session = post(&mut connection, "/auth/login", &json!({"email": email, "password": PASSWORD})).await?;
    let token = session["accessToken"].as_str();
    let token = token.ok_or_else(|| Failure::failed("the log-in has no access token: is this our server?"))?;
    Ok(format!("Bearer {token}").into())
}

async fn post(connection: &mut Connection, path: &str, body: &Value) -> Result<Value, Failure> {
    let answer = connection.ask(Method::POST, path, &[], Bytes::from(body.to_string())).await;
    let Answer { status, body, .. } = answer.map_err(|error| {
        Failure::because(Exit::Unavailable, "the shop does not answer", &error)
            .hint("start one with: commerce serve")
    })?;
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if status.is_success() {
        return Ok(body);
    }
    let told = body["detail"].as_str().unwrap_or_default();
    Err(Failure::failed(format!("{path} answered {status}: {told}")))
}
