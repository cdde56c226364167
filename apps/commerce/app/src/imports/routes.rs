//! `POST /admin/import/…`: a file in, progress out, line by line.

use super::{ImportError, Progress, import_books, import_orders};
use crate::Shop;
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use gallae_http::{Problem, auth::Operator, codes};
use serde_json::{Value, json};
use std::{convert::Infallible, error::Error};
use tokio::sync::mpsc;

/// Largest file: the whole Online Retail data set holds 46 MB.
pub const MAX_FILE: usize = 64 * 1024 * 1024;

/// Routes that take files. They stand beside the others, whose bodies are far smaller.
pub fn router(shop: Shop) -> Router {
    Router::new()
        .route("/admin/import/books", post(books))
        .route("/admin/import/orders", post(orders))
        .layer(DefaultBodyLimit::max(MAX_FILE))
        .with_state(shop)
}

/// Books into the catalogue.
///
/// The reply is newline-delimited JSON: `{"progress": …}` on the way, then `{"report": …}`, or `{"error": …}` if it stopped. When
/// the client hangs up the import stops, and the same request goes on where it was.
async fn books(
    State(shop): State<Shop>,
    Operator(_): Operator,
    headers: HeaderMap,
    file: Bytes,
) -> Result<Response, Problem> {
    check(&headers)?;
    Ok(reply(move |progress| {
        async move { as_json(import_books(&shop.platform, &file, &progress).await) }.boxed()
    }))
}

/// Orders of the past.
async fn orders(
    State(shop): State<Shop>,
    Operator(_): Operator,
    headers: HeaderMap,
    file: Bytes,
) -> Result<Response, Problem> {
    check(&headers)?;
    Ok(reply(move |progress| {
        async move { as_json(import_orders(&shop.platform, file.to_vec(), &progress).await) }.boxed()
    }))
}

type Tell = Box<dyn Fn(Progress) + Send + Sync>;

/// Runs the work inside the reply's body: it goes as far as somebody listens.
fn reply(work: impl FnOnce(Tell) -> BoxFuture<'static, Value>) -> Response {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let tell: Tell = Box::new(move |progress| {
        // Nobody listens only when the work is being dropped as well.
        let _ = sender.send(json!({ "progress": progress }));
    });
    let told = stream::poll_fn(move |cx| receiver.poll_recv(cx));
    let done = work(tell).into_stream();
    let lines = stream::select(told, done).map(|line| Ok::<_, Infallible>(Bytes::from(format!("{line}\n"))));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

fn as_json<R: serde::Serialize>(outcome: Result<R, ImportError>) -> Value {
    match outcome {
        Ok(report) => json!({ "report": report }),
        Err(error) => {
            tracing::warn!(%error, "an import stopped");
            json!({ "error": chain(&error) })
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

fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("text/csv") {
        return Ok(());
    }
    Err(Problem::new(codes::UNSUPPORTED_MEDIA_TYPE, "Send the file as text/csv. Nothing was brought in."))
}
