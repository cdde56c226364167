//! The page of every error code: what happened to the data, why, how to check, what to do.

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::get,
};
use gallae_http::{ErrorCode, Problem};
use std::{collections::BTreeMap, fmt::Write, sync::Arc};

/// A code and its page in Markdown.
pub type ErrorPage = (&'static str, &'static str);

/// The pages of codes, from a folder given relative to the crate that calls:
///
/// ```text
/// const PAGES: &[ErrorPage] = gallae_server::error_pages!("/../../../docs/errors/": DUPLICATE_ORDER, UNKNOWN_PRODUCT);
/// ```
#[macro_export]
macro_rules! error_pages {
    ($folder:literal: $($code:ident),+ $(,)?) => {
        &[$((
            stringify!($code),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), $folder, stringify!($code), ".md")),
        ),)+]
    };
}

/// The pages of the platform's own codes.
pub const PAGES: &[ErrorPage] = error_pages!("/../../docs/errors/":
    MALFORMED_JSON, INVALID_BODY, INVALID_PARAMETER, INVALID_HEADER, INVALID_TOKEN_POSITION,
    UNAUTHENTICATED, TOKEN_EXPIRED, FORBIDDEN, NOT_FOUND, METHOD_NOT_ALLOWED,
    CONFLICT, CLAIM_TAKEN, IDEMPOTENCY_IN_FLIGHT, PRECONDITION_FAILED, PAYLOAD_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE, IDEMPOTENCY_KEY_REUSED, RATE_LIMITED, INTERNAL, STORE_UNAVAILABLE,
    OUTCOME_UNKNOWN, VIEW_BEHIND, SHUTTING_DOWN, REQUEST_TIMEOUT, OVERLOADED, BROKER_UNAVAILABLE,
    UNDECODABLE_STREAM, PROJECTION_BUSY, PROJECTION_ELSEWHERE, PROJECTION_PAUSED, PROJECTION_BROKEN,
    OPERATION_CANCELLED, NOTHING_PARKED, SAGA_ENDED, SAGA_PAST_PIVOT, SAGA_STATE_REFUSES,
    SAGA_UNRUNNABLE,
);

/// `/errors` and `/errors/{code}`: Markdown, or HTML for browsers. `registry` is every code that the application answers with.
pub fn routes<S>(pages: impl IntoIterator<Item = ErrorPage>, registry: Arc<[ErrorCode]>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let pages: Arc<BTreeMap<&str, &str>> = Arc::new(pages.into_iter().collect());
    let index = index(&registry);
    let show = move |Path(code): Path<String>, headers: HeaderMap| {
        let page = pages.get(code.trim_end_matches(".md")).copied();
        async move {
            match page {
                Some(page) => render(page, &headers),
                None => Problem::not_found("error code").into_response(),
            }
        }
    };
    let list = move |headers: HeaderMap| {
        let index = index.clone();
        async move { render(&index, &headers) }
    };
    Router::new().route("/errors", get(list)).route("/errors/{code}", get(show))
}

fn index(registry: &[ErrorCode]) -> String {
    let mut text = "# Errors\n\nEvery code has a page: GET /errors/CODE.\n\n".to_owned();
    for ErrorCode { code, status, title, title_ko } in registry {
        let _ = writeln!(text, "- {} {code}: {title} / {title_ko}", status.as_u16());
    }
    text
}

/// A page is text; a browser is shown that text and never anything that it could take for markup.
fn render(markdown: &str, headers: &HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/html") {
        return ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], markdown.to_owned())
            .into_response();
    }
    let escaped = markdown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let title = escaped.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <body style=\"max-width:48rem;margin:2rem auto;padding:0 1rem;font-family:system-ui\">\
         <pre style=\"white-space:pre-wrap\">{escaped}</pre></body></html>"
    );
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[tokio::test]
    async fn a_browser_never_takes_a_page_for_markup() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html,*/*;q=0.8"));
        let reply = render("# A <b>\n\n<script>alert(1)</script> &amp;", &headers);
        let body = axum::body::to_bytes(reply.into_body(), usize::MAX).await.unwrap();
        let html = String::from_utf8(body.to_vec()).unwrap();
        assert!(!html.contains("<script>") && !html.contains("<b>"), "{html}");
        assert!(html.contains("&lt;script&gt;") && html.contains("&amp;amp;"), "{html}");
    }
}
