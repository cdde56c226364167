//! Server-sent events that resume by position.

use crate::{Problem, codes};
use axum::{
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, StreamExt, stream};
use gallae_core::{Position, RecordedEvent};
use gallae_ports::{EventStore, ReadError};
use serde::Serialize;
use std::{convert::Infallible, sync::Arc, time::Duration};

const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Where a client that reconnects wants to go on: after the position in `Last-Event-ID`, or after `otherwise`.
///
/// # Errors
/// 400 when the header is not a position.
pub fn last_event_id(headers: &HeaderMap, otherwise: Position) -> Result<Position, Problem> {
    match headers.get("last-event-id") {
        None => Ok(otherwise),
        Some(value) => {
            let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
            number
                .map(Position::new)
                .ok_or_else(|| Problem::new(codes::INVALID_HEADER, "Last-Event-ID: expected a position."))
        }
    }
}

/// Follows the log after `after`: what is there first, then what comes. `show` picks and shapes events: a name and a JSON value.
/// Ends, so that the client reconnects, when the log cannot be read or `stop` completes.
pub fn follow<T: Serialize>(
    store: &dyn EventStore,
    after: Position,
    stop: impl Future<Output = ()> + Send + 'static,
    show: impl Fn(&Arc<RecordedEvent>) -> Option<(String, T)> + Send + 'static,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + Send + 'static> {
    let pages = store.subscribe(after).take_while(|page| std::future::ready(logged(page)));
    let events = pages.take_until(Box::pin(stop)).flat_map(move |page| {
        let shown: Vec<_> = page.unwrap_or_default().iter().filter_map(|event| frame(event, &show)).collect();
        stream::iter(shown)
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

fn frame<T: Serialize>(
    event: &Arc<RecordedEvent>,
    show: &impl Fn(&Arc<RecordedEvent>) -> Option<(String, T)>,
) -> Option<Result<Event, Infallible>> {
    let (name, value) = show(event)?;
    let data = serde_json::to_string(&value).ok()?;
    Some(Ok(Event::default().id(event.position.to_string()).event(name).data(data)))
}

fn logged<T>(page: &Result<T, ReadError>) -> bool {
    if let Err(error) = page {
        tracing::warn!(%error, "a live stream ended; its client will reconnect");
    }
    page.is_ok()
}
