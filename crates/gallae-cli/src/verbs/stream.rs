//! `stream`: the log as it is.

use crate::{Client, Exit, Failure, Output, Table, cell, query, segment, short_time};
use serde_json::Value;
use std::time::Duration;

/// How often a tail looks.
const LOOK: Duration = Duration::from_millis(300);
/// Events of one look.
const PAGE: u32 = 500;

#[derive(Debug, clap::Subcommand)]
pub enum Stream {
    /// List streams by name
    #[command(after_help = "Examples:\n  {bin} stream list\n  {bin} stream list order- --limit 10")]
    List {
        /// Only names that begin like this, such as order-
        prefix: Option<String>,
        /// Only names after this one
        #[arg(long, value_name = "STREAM")]
        after: Option<String>,
        /// At most this many, up to 500
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show the events of a stream
    #[command(after_help = "Examples:\n  {bin} stream show order-0190…\n  {bin} stream show order-0190… --after 3 --json")]
    Show {
        /// Its name
        stream: String,
        /// Only events after this version
        #[arg(long, value_name = "VERSION", default_value_t = 0)]
        after: u64,
        /// At most this many, up to 500
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show an aggregate as it stood after one of its versions
    #[command(after_help = "Examples:\n  {bin} stream at order-0190… 1\n  {bin} stream at stock-0190… 12 --json")]
    At {
        /// Its stream's name
        stream: String,
        /// The version, from 1
        version: u64,
    },
    /// Follow what happens until Ctrl-C
    #[command(after_help = "Examples:\n  {bin} stream tail\n  {bin} stream tail order-0190…\n  {bin} stream tail --type OrderCreated --after 0 --json")]
    Tail {
        /// Only this stream
        stream: Option<String>,
        /// Begin after this position, or version of the stream, instead of with what comes
        #[arg(long, value_name = "POSITION")]
        after: Option<u64>,
        /// Only events of this type
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// End after this many events
        #[arg(long)]
        limit: Option<u64>,
    },
}

impl Stream {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<Exit, Failure> {
        match self {
            Self::List { prefix, after, limit } => {
                let parameters = [
                    ("prefix", prefix.clone()),
                    ("after", after.clone()),
                    ("limit", Some(limit.to_string())),
                ];
                let found = client.get(&format!("/admin/streams{}", query(&parameters))).await?;
                output.give(&found, || list(&found))?;
                if let Some(next) = found["next"].as_str() {
                    output.note(format!("there are more: --after {next}"));
                }
            }
            Self::Show { stream, after, limit } => {
                let parameters = [("after", Some(after.to_string())), ("limit", Some(limit.to_string()))];
                let path = format!("/admin/streams/{}{}", segment(stream), query(&parameters));
                let found = client.get(&path).await?;
                output.give(&found, || events(&found["events"]))?;
                if let Some(next) = found["next"].as_u64() {
                    output.note(format!("there are more: --after {next}"));
                }
            }
            Self::At { stream, version } => {
                let found = client.get(&format!("/admin/streams/{}/at/{version}", segment(stream))).await?;
                output.give(&found, || state(&found))?;
            }
            Self::Tail { stream, after, kind, limit } => {
                tail(client, output, stream.as_deref(), *after, kind.as_deref(), *limit).await?;
            }
        }
        Ok(Exit::Done)
    }
}

async fn tail(
    client: &Client,
    output: &Output,
    stream: Option<&str>,
    after: Option<u64>,
    kind: Option<&str>,
    limit: Option<u64>,
) -> Result<(), Failure> {
    let mut left = limit.unwrap_or(u64::MAX);
    let mut at = match after {
        Some(after) => after,
        None => end(client, stream).await?,
    };
    while left > 0 {
        let (found, next) = look(client, stream, at, kind).await?;
        for event in found.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            output.give_one(event, || one_line(event))?;
            left -= 1;
        }
        let moved = next > at;
        at = next;
        if !moved {
            if client.is_in_process() {
                output.note("no server runs on this data directory: nothing more will come");
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(())
}

async fn end(client: &Client, stream: Option<&str>) -> Result<u64, Failure> {
    let (path, name) = match stream {
        Some(stream) => (format!("/admin/streams/{}?limit=1", segment(stream)), "version"),
        None => ("/trace/events?limit=1".to_owned(), "head"),
    };
    Ok(client.get(&path).await?[name].as_u64().unwrap_or(0))
}

/// The events after a place, and the place up to which was looked.
async fn look(
    client: &Client,
    stream: Option<&str>,
    after: u64,
    kind: Option<&str>,
) -> Result<(Vec<Value>, u64), Failure> {
    let (after_text, limit) = (Some(after.to_string()), Some(PAGE.to_string()));
    let (found, next) = match stream {
        Some(stream) => {
            let parameters = query(&[("after", after_text), ("limit", limit)]);
            let found = client.get(&format!("/admin/streams/{}{parameters}", segment(stream))).await?;
            let last = found["events"].as_array().and_then(|events| events.last()?["version"].as_u64());
            (found, last.unwrap_or(after))
        }
        None => {
            let parameters =
                query(&[("after", after_text), ("limit", limit), ("eventType", kind.map(str::to_owned))]);
            let found = client.get(&format!("/trace/events{parameters}")).await?;
            let next = found["nextAfter"].as_u64().unwrap_or(after);
            (found, next)
        }
    };
    let mut events = found["events"].as_array().cloned().unwrap_or_default();
    events.retain(|event| kind.is_none_or(|kind| event["type"] == kind));
    Ok((events, next))
}

fn list(found: &Value) -> String {
    let mut table = Table::new(["stream", "version"]).numbers(&[1]).or_say("no stream of that name");
    for stream in found["streams"].as_array().into_iter().flatten() {
        table.row([cell(stream, "/stream"), cell(stream, "/version")]);
    }
    table.to_string()
}

/// Events as a table.
pub(super) fn events(events: &Value) -> String {
    let columns = ["position", "version", "time", "event", "stream", "by", "data"];
    let mut table = Table::new(columns).numbers(&[0, 1]).or_say("no events");
    for event in events.as_array().into_iter().flatten() {
        table.row([
            cell(event, "/position"),
            cell(event, "/version"),
            short_time(&cell(event, "/time")),
            cell(event, "/type"),
            cell(event, "/stream"),
            cell(event, "/actor"),
            brief(&event["data"]),
        ]);
    }
    table.to_string()
}

fn one_line(event: &Value) -> String {
    format!(
        "{:>8}  {}  {:<24} {}  {}",
        event["position"].as_u64().unwrap_or(0),
        short_time(&cell(event, "/time")),
        cell(event, "/type"),
        cell(event, "/stream"),
        brief(&event["data"])
    )
}

fn state(found: &Value) -> String {
    let state = serde_json::to_string_pretty(&found["state"]).unwrap_or_default();
    format!(
        "{} at version {}, after {} at {}\n{state}",
        cell(found, "/stream"),
        cell(found, "/version"),
        cell(found, "/event/type"),
        short_time(&cell(found, "/event/time"))
    )
}

/// As much of a payload as fits beside the rest; `--json` has all of it.
fn brief(data: &Value) -> String {
    const LONGEST: usize = 60;
    let text = data.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
