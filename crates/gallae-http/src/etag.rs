//! Optimistic locking from the browser.

use crate::{Problem, codes};
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use gallae_core::Version;

/// The version of an aggregate as a strong entity tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag(pub Version);

impl EntityTag {
    /// Adds the tag to a reply.
    pub fn on(self, reply: impl IntoResponse) -> Response {
        let mut response = reply.into_response();
        if let Ok(value) = HeaderValue::from_str(&format!("\"{}\"", self.0)) {
            response.headers_mut().insert(header::ETAG, value);
        }
        response
    }
}

/// `If-Match`: the version that the client saw, if it says one. `*` asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfMatch(pub Option<Version>);

impl IfMatch {
    /// Refuses when the aggregate has moved on.
    ///
    /// # Errors
    /// 412 with the present version.
    pub fn check(self, actual: Version) -> Result<(), Problem> {
        match self.0 {
            Some(expected) if expected != actual => Err(Problem::new(
                codes::PRECONDITION_FAILED,
                "Nothing was written. Read it again, then decide whether to repeat.",
            )
            .member("actualVersion", actual.get())),
            _ => Ok(()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let version =
            text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|text| text.parse().ok());
        let bad = || Problem::new(codes::INVALID_HEADER, "If-Match: send back the ETag that you read.");
        Ok(Self(Some(Version::new(version.ok_or_else(bad)?))))
    }
}
