//! Reading one's own writes.

use crate::{Problem, codes};
use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, request::Parts},
    response::{IntoResponse, Response},
};
use gallae_core::Position;
use std::time::Duration;

/// Every reply of a command, and of a read, says the position it stands at.
pub const POSITION_HEADER: HeaderName = HeaderName::from_static("gallae-position");
const AT_LEAST: HeaderName = HeaderName::from_static("gallae-at-least");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const DEFAULT_WAIT: Duration = Duration::from_secs(2);
const MAX_WAIT: Duration = Duration::from_secs(10);

/// What a reader demands: a view that has reached a position, and how long it is ready to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtLeast {
    /// `Gallae-At-Least`; the start of the log if absent.
    pub position: Position,
    /// `Prefer: wait=seconds`, at most ten; two if absent.
    pub wait: Duration,
    /// Whether the client asked to wait.
    pub wait_requested: bool,
}

impl<S: Sync> FromRequestParts<S> for AtLeast {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let text =
            |name: &HeaderName| parts.headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let bad = |detail: &str| Problem::new(codes::INVALID_HEADER, detail);
        let position = match text(&AT_LEAST) {
            None => Position::START,
            Some(text) => Position::new(
                text.trim()
                    .parse()
                    .map_err(|_| bad("Gallae-At-Least: expected a position, a whole number."))?,
            ),
        };
        let asked =
            text(&PREFER).and_then(|text| text.split(',').find_map(|part| part.trim().strip_prefix("wait=")));
        let wait = match asked {
            None => DEFAULT_WAIT,
            Some(seconds) => {
                let seconds: u64 =
                    seconds.trim().parse().map_err(|_| bad("Prefer: wait=SECONDS, a whole number."))?;
                Duration::from_secs(seconds).min(MAX_WAIT)
            }
        };
        Ok(Self { position, wait, wait_requested: asked.is_some() })
    }
}

/// A reply that says which position it stands at.
pub fn at_position(position: Position, reply: impl IntoResponse) -> Response {
    let mut response = reply.into_response();
    response.headers_mut().insert(POSITION_HEADER, HeaderValue::from(position.get()));
    response
}
