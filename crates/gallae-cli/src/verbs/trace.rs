//! What one request set in motion. Applications give it the things that have a flow.

use crate::{Client, Exit, Failure, Output, cell, short_time};
use serde_json::Value;
use std::time::Duration;

/// Shows the flow at `path`: its sagas and its events, in order.
///
/// # Errors
/// When there is no such flow, or the application cannot be reached.
pub async fn show_flow(client: &Client, output: &Output, path: &str) -> Result<Exit, Failure> {
    let flow = client.get(path).await?;
    output.give(&flow, || words(&flow))?;
    Ok(Exit::Done)
}

fn words(flow: &Value) -> String {
    let nodes: Vec<_> = flow["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let took = Duration::from_secs_f64(flow["durationMs"].as_f64().unwrap_or(0.0).max(0.0) / 1e3);
    let more = if flow["truncated"] == true { " (only the first are shown)" } else { "" };
    format!(
        "flow {}, begun {}, {} events in {} on {}{more}\n\n{}\n\n{}",
        cell(flow, "/correlationId"),
        short_time(&cell(flow, "/startedAt")),
        cell(flow, "/eventCount"),
        crate::human_duration(took),
        nodes.join(", "),
        super::saga::list(&flow["sagas"]),
        super::stream::events(&flow["events"]),
    )
}
