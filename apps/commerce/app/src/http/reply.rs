//! Answers to commands.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use gallae_core::{Id, Position, Version};
use gallae_http::{EntityTag, Problem, at_position, replayed_header};
use gallae_runtime::dispatcher::Receipt;
use serde::Serialize;
use uuid::Uuid;

/// A reply's body, written once: what is kept for repetitions is what is sent.
pub(crate) fn body_of(reply: &impl Serialize) -> Result<Bytes, Problem> {
    serde_json::to_vec(reply).map(Bytes::from).map_err(|error| Problem::internal(&error))
}

/// The answer to a command that took effect, now or before.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    pub(crate) position: Option<Position>,
    pub(crate) version: Version,
    pub(crate) location: Option<String>,
    pub(crate) replayed: bool,
}

impl Answer {
    /// `body`, or what a repetition was answered first.
    pub(crate) fn of(status: StatusCode, receipt: &Receipt, body: Bytes) -> Self {
        let replayed = receipt.replayed.is_some();
        Self {
            status,
            body: receipt.replayed.clone().unwrap_or(body),
            position: Some(receipt.position),
            version: receipt.version,
            location: None,
            replayed,
        }
    }

    /// What a repetition was answered first.
    pub(crate) fn again(status: StatusCode, body: Bytes, position: Position) -> Self {
        let position = Some(position);
        Self { status, body, position, version: Version::NONE, location: None, replayed: true }
    }

    /// An answer that no append of its own stands behind.
    pub(crate) fn plain(status: StatusCode, body: Bytes) -> Self {
        Self { status, body, position: None, version: Version::NONE, location: None, replayed: false }
    }

    /// Where the new thing is: `path` and the `id` of the body.
    pub(crate) fn located(mut self, path: &str) -> Self {
        self.location = self.named::<()>().map(|id| format!("{path}/{id}"));
        self
    }

    /// The `id` of the body: of a repetition, the first one.
    pub(crate) fn named<A>(&self) -> Option<Id<A>> {
        #[derive(serde::Deserialize)]
        struct Named {
            id: Uuid,
        }
        serde_json::from_slice::<Named>(&self.body).ok().map(|Named { id }| Id::new(id))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let is_json = !self.body.is_empty();
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        if is_json {
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
        }
        if let Some(location) = self.location.and_then(|path| HeaderValue::try_from(path).ok()) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        if self.version != Version::NONE {
            response = EntityTag(self.version).on(response);
        }
        if let Some(position) = self.position {
            response = at_position(position, response);
        }
        if self.replayed { replayed_header(response) } else { response }
    }
}
