//! Errors as RFC 9457 problem+json.

use crate::{ErrorCode, RequestContext, codes};
use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use gallae_core::{Rejection, RejectionKind};
use gallae_ports::{ReadError, StoreFault};
use gallae_runtime::dispatcher::{PeekError, SendError};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{error::Error, sync::Arc, time::Duration};
use utoipa::ToSchema;

/// An error on its way to the client. [`render_problems`] gives it its language and correlation id.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: String,
    detail: String,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    retry_after: Option<Duration>,
}

/// One field that is wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// A JSON pointer into the body.
    pub pointer: String,
    /// Stable code.
    pub code: String,
    /// What is wrong, in words.
    pub detail: String,
}

/// The document that clients get.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemBody {
    /// The page that explains the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, and what to do.
    pub detail: String,
    /// Stable; match on this.
    pub code: String,
    /// Names this request in logs and traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The W3C trace this request is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Facts to act on.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub members: Map<String, Value>,
}

impl Problem {
    /// A problem with this code.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self::with_status(code.status, code.code, detail)
    }

    /// A problem whose status comes from elsewhere, such as a domain's rejection.
    pub fn with_status(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        let (code, detail) = (code.into(), detail.into());
        Self { status, code, detail, errors: Vec::new(), members: Map::new(), retry_after: None }
    }

    /// Adds a fact that a client can act on. One that is called like a member which every problem has, such as `status`, is shown
    /// as `actualStatus`.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        const EVERY: [&str; 8] =
            ["type", "title", "status", "detail", "code", "correlationId", "traceId", "errors"];
        let mut letters = name.chars();
        let name = match letters.next() {
            Some(first) if EVERY.contains(&name) => {
                format!("actual{}{}", first.to_ascii_uppercase(), letters.as_str())
            }
            _ => name.to_owned(),
        };
        self.members.insert(name, value.into());
        self
    }

    /// Adds a field that is wrong.
    #[must_use]
    pub fn field(
        mut self,
        pointer: impl Into<String>,
        code: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        self.errors.push(FieldError { pointer: pointer.into(), code: code.into(), detail: detail.into() });
        self
    }

    /// Says when trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Nothing here, or nothing that the caller may know of.
    pub fn not_found(what: &str) -> Self {
        Self::new(codes::NOT_FOUND, format!("There is no such {what}, or it is not yours."))
    }

    /// A fault of our own; the cause goes to the log and not to the client.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = chain(error), "a request failed for a reason of our own");
        Self::new(
            codes::INTERNAL,
            "The request could not be completed. The log holds the cause under the correlation id.",
        )
    }

    /// The store cannot be read or written; nothing was written.
    pub fn unavailable(fault: &StoreFault) -> Self {
        tracing::warn!(error = chain(fault), "the store is unavailable");
        Self::new(codes::STORE_UNAVAILABLE, "Nothing was written. Try again shortly.")
            .member("written", false)
            .retry_after(fault.wait())
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    fn body(&self, korean: bool, registry: &[ErrorCode], context: Option<&RequestContext>) -> ProblemBody {
        let known = registry.iter().find(|known| known.code == self.code);
        let title = match known {
            Some(known) if korean => known.title_ko,
            Some(known) => known.title,
            None => self.status.canonical_reason().unwrap_or("Error"),
        };
        ProblemBody {
            kind: format!("/errors/{}", self.code),
            title: title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.clone(),
            correlation_id: context.map(|context| context.correlation_id.to_string()),
            trace_id: context.map(|context| context.trace.trace_id().to_owned()),
            errors: self.errors.clone(),
            members: self.members.clone(),
        }
    }

    fn response(&self, body: &ProblemBody) -> Response {
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs_f64().ceil() as u64));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.response(&self.body(false, codes::ALL, None));
        response.extensions_mut().insert(self);
        response
    }
}

/// Middleware that gives every problem its language and correlation id, and turns the bare refusals of the router (404, 405,
/// 413, 408) into problems. The state is every code the application knows.
pub async fn render_problems(
    State(registry): State<Arc<[ErrorCode]>>,
    request: Request,
    next: Next,
) -> Response {
    let context = request.extensions().get::<RequestContext>().cloned();
    let language = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let korean = language.is_some_and(prefers_korean);
    let response = next.run(request).await;
    let problem = match response.extensions().get::<Problem>() {
        Some(problem) => problem.clone(),
        None => {
            match bare_refusal(response.status(), response.headers().contains_key(header::CONTENT_TYPE)) {
                Some(problem) => problem,
                None => return response,
            }
        }
    };
    let mut rendered = problem.response(&problem.body(korean, &registry, context.as_ref()));
    if let Some(allow) = response.headers().get(header::ALLOW) {
        rendered.headers_mut().insert(header::ALLOW, allow.clone());
    }
    rendered
}

fn bare_refusal(status: StatusCode, has_body: bool) -> Option<Problem> {
    Some(match status {
        StatusCode::NOT_FOUND if !has_body => {
            Problem::new(codes::NOT_FOUND, "There is no such route. GET /api lists them.")
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(codes::METHOD_NOT_ALLOWED, "The Allow header lists what this route takes.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(codes::PAYLOAD_TOO_LARGE, "Nothing was stored."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(codes::UNSUPPORTED_MEDIA_TYPE, "Set Content-Type: application/json.")
        }
        _ => return None,
    })
}

/// Whether the first language of the list that we speak is Korean. Quality values only ever confirm the order in practice.
fn prefers_korean(accept_language: &str) -> bool {
    let mut languages =
        accept_language.split(',').map(|part| part.trim().get(..2).unwrap_or_default().to_ascii_lowercase());
    languages.find(|language| language == "ko" || language == "en").is_some_and(|language| language == "ko")
}

impl<R: Rejection> From<SendError<R>> for Problem {
    fn from(error: SendError<R>) -> Self {
        match &error {
            SendError::Rejected(rejection) => Self::from_rejection(rejection),
            SendError::Conflict { actual, .. } => {
                Self::new(codes::CONFLICT, "Nothing was written. Read it again and repeat the request.")
                    .member("actualVersion", actual.get())
            }
            SendError::ClaimTaken { .. } => Self::new(codes::CLAIM_TAKEN, "Nothing was written."),
            SendError::KeyReused => {
                Self::new(codes::IDEMPOTENCY_KEY_REUSED, "Use a new Idempotency-Key for a new request.")
            }
            SendError::TooLarge { size, limit } => Self::new(
                codes::PAYLOAD_TOO_LARGE,
                format!("It holds {size} bytes of events, more than {limit}. Nothing was stored."),
            ),
            SendError::Unavailable(fault) => Self::unavailable(fault),
            SendError::Indeterminate(fault) => {
                tracing::warn!(error = chain(fault), "the outcome of a commit is unknown");
                Self::new(
                    codes::OUTCOME_UNKNOWN,
                    "It may have been written. Repeat the request with the same Idempotency-Key.",
                )
                .member("written", "unknown")
                .retry_after(fault.wait())
            }
            _ => Self::internal(&error),
        }
    }
}

impl Problem {
    /// The domain's no.
    pub fn from_rejection(rejection: &dyn Rejection) -> Self {
        let status = match rejection.kind() {
            RejectionKind::Conflict => StatusCode::CONFLICT,
            RejectionKind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            RejectionKind::NotFound => StatusCode::NOT_FOUND,
            RejectionKind::Forbidden => StatusCode::FORBIDDEN,
        };
        let mut problem = Self::with_status(status, rejection.code(), rejection.to_string());
        if let Value::Object(facts) = rejection.facts() {
            for (name, fact) in facts {
                problem = problem.member(&name, fact);
            }
        }
        problem
    }
}

impl From<StoreFault> for Problem {
    fn from(fault: StoreFault) -> Self {
        Self::unavailable(&fault)
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Unavailable(fault) => Self::unavailable(fault),
            ReadError::Regressed { head, .. } => {
                Self::new(codes::INVALID_TOKEN_POSITION, format!("The log ends at position {head}."))
                    .member("head", json!(head))
            }
            _ => Self::internal(&error),
        }
    }
}

impl From<PeekError> for Problem {
    fn from(error: PeekError) -> Self {
        match error {
            PeekError::Read(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_never_hide_what_every_problem_has() {
        let problem = Problem::new(codes::CONFLICT, "…").member("status", "PENDING").member("limit", 3);
        let body = serde_json::to_value(problem.body(false, codes::ALL, None)).unwrap();
        assert_eq!(body["status"], 409);
        assert_eq!((&body["actualStatus"], &body["limit"]), (&json!("PENDING"), &json!(3)));
    }

    #[test]
    fn the_first_language_we_speak_decides() {
        assert!(prefers_korean("ko-KR,ko;q=0.9,en;q=0.8"));
        assert!(prefers_korean("fr, ko"));
        assert!(!prefers_korean("en-US,ko;q=0.5"));
        assert!(!prefers_korean("*"));
    }
}
