//! Idempotency keys. Follows draft-ietf-httpapi-idempotency-key-header-07 (October 2025).

use crate::{Problem, codes};
use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, request::Parts},
    response::Response,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The client's key, if it sent one: 1 to 255 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl IdempotencyKey {
    /// Checks a key that came in a body.
    ///
    /// # Errors
    /// A problem that says what a key looks like.
    pub fn check(key: &str) -> Result<(), Problem> {
        if key.is_empty() || key.len() > 255 || !key.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(Problem::new(
                codes::INVALID_HEADER,
                "Idempotency-Key: 1 to 255 printable ASCII characters.",
            ));
        }
        Ok(())
    }

    /// The key under which the effect is stored: keys of different users and routes never meet.
    pub fn scoped(key: &str, actor: &str, route: &str) -> String {
        format!("{actor}|{route}|{key}")
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(KEY) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        // The draft's structured string comes in quotes; plain text is common and unambiguous.
        let key = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        Self::check(key)?;
        Ok(Self(Some(key.to_owned())))
    }
}

/// Identifies the content of a request: SHA-256 over route and body, the body's members in name order.
pub fn fingerprint(route: &str, body: &Value) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"v1\0");
    hasher.update(route);
    hasher.update(b"\0");
    hasher.update(body.to_string());
    let digest = hasher.finalize();
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Marks a reply as the repetition of an earlier one.
pub fn replayed_header(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
