//! Strict JSON bodies.

use crate::{Problem, codes};
use axum::{
    body::Bytes,
    extract::{FromRequest, OptionalFromRequest, Request},
    http::header,
};
use serde::de::DeserializeOwned;

/// A JSON body: the content type must say so, unknown fields are refused by the type itself (`deny_unknown_fields`), nesting is
/// limited, and what is wrong is named by a JSON pointer.
#[derive(Clone, Debug)]
pub struct StrictJson<T> {
    /// The value.
    pub value: T,
    /// The bytes it was read from, for a fingerprint.
    pub raw: Bytes,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        if !is_json(&request) {
            return Err(not_json());
        }
        let raw = read_body(request).await?;
        Ok(Self { value: parse(&raw)?, raw })
    }
}

/// For routes that can do without a body.
impl<S: Send + Sync, T: DeserializeOwned> OptionalFromRequest<S> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Option<Self>, Problem> {
        let is_json = is_json(&request);
        let raw = read_body(request).await?;
        match (raw.is_empty(), is_json) {
            (true, _) => Ok(None),
            (false, true) => Ok(Some(Self { value: parse(&raw)?, raw })),
            (false, false) => Err(not_json()),
        }
    }
}

fn is_json(request: &Request) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| {
        let essence = text.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    })
}

fn not_json() -> Problem {
    Problem::new(codes::UNSUPPORTED_MEDIA_TYPE, "Set Content-Type: application/json.")
}

/// The whole body of a request.
///
/// # Errors
/// 413 when it is larger than the server takes, 400 when it breaks off.
pub async fn read_body(request: Request) -> Result<Bytes, Problem> {
    Bytes::from_request(request, &()).await.map_err(|rejection| {
        if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(codes::PAYLOAD_TOO_LARGE, "The body is larger than 256 KiB. Nothing was stored.")
        } else {
            Problem::new(codes::MALFORMED_JSON, "The body could not be read to its end.")
        }
    })
}

fn parse<T: DeserializeOwned>(raw: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(raw);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_data() {
            let detail = without_place(&inner);
            Problem::new(codes::INVALID_BODY, format!("{detail}. Nothing was stored.")).field(
                pointer,
                codes::INVALID_BODY.code,
                detail,
            )
        } else {
            Problem::new(codes::MALFORMED_JSON, format!("{inner}. Nothing was stored."))
        }
    })?;
    deserializer
        .end()
        .map_err(|error| Problem::new(codes::MALFORMED_JSON, format!("{error}. Nothing was stored.")))?;
    Ok(value)
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path.iter() {
        let text = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&text);
    }
    pointer
}

/// The parser's words without its line and column, which the pointer says better.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(place) => text[..place].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[allow(dead_code)]
        quantity: u32,
    }

    #[test]
    fn says_where_and_what() {
        let problem = parse::<Vec<Item>>(br#"[{"quantity":1},{"quantity":"two"}]"#).unwrap_err();
        assert_eq!(problem.code(), "INVALID_BODY");
        let shown = format!("{problem:?}");
        assert!(shown.contains("/1/quantity"), "{shown}");
        assert!(!shown.contains("at line"), "{shown}");
    }

    #[test]
    fn refuses_what_is_not_json_and_what_is_too_deep() {
        assert_eq!(parse::<Vec<Item>>(b"[").unwrap_err().code(), "MALFORMED_JSON");
        assert_eq!(parse::<Vec<Item>>(b"[] []").unwrap_err().code(), "MALFORMED_JSON");
        let deep = "[".repeat(200);
        assert_eq!(parse::<serde_json::Value>(deep.as_bytes()).unwrap_err().code(), "MALFORMED_JSON");
        assert_eq!(parse::<Item>(br#"{"quantity":1,"x":2}"#).unwrap_err().code(), "INVALID_BODY");
    }
}
