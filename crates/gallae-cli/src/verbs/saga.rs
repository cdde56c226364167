//! `saga`: what is under way, and what waits for help.

use crate::{Client, Exit, Failure, Output, Table, cell, human_duration, query, segment, short_time};
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, clap::Subcommand)]
pub enum Saga {
    /// List sagas, newest first
    #[command(
        after_help = "Examples:\n  {bin} saga list --status STUCK,PAUSED\n  {bin} saga list --definition checkout --limit 5 --json"
    )]
    List {
        /// Only in these statuses, separated by commas
        #[arg(long)]
        status: Option<String>,
        /// Only of this definition
        #[arg(long)]
        definition: Option<String>,
        /// Only at this step
        #[arg(long)]
        step: Option<String>,
        /// Which page, from 1
        #[arg(long, default_value_t = 1)]
        page: u32,
        /// Sagas a page, up to 100
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show one saga: its steps, what it waits for and why, and all that happened to it
    #[command(after_help = "Examples:\n  {bin} saga show 0190…\n  {bin} saga show 0190… --json")]
    Show {
        /// Its id
        id: String,
    },
    /// Make what waits due at once, and set a stuck saga going again
    #[command(after_help = "Examples:\n  {bin} saga retry 0190… --reason \"the provider is back\"")]
    Retry(Intervention),
    /// Undo what a saga did, in reverse order
    #[command(after_help = "Examples:\n  {bin} saga compensate 0190… --reason \"ordered twice\"")]
    Compensate(Intervention),
    /// Hold a saga: nothing new begins, its deadline keeps running
    #[command(after_help = "Examples:\n  {bin} saga pause 0190… --reason \"the customer calls back\"")]
    Pause(Intervention),
    /// Let a held saga go on
    #[command(after_help = "Examples:\n  {bin} saga resume 0190… --reason \"the customer agreed\"")]
    Resume(Intervention),
    /// Show how sagas are doing in sum
    #[command(after_help = "Examples:\n  {bin} saga statistics\n  {bin} saga statistics --json")]
    Statistics,
    /// Show whether calls to participants leave: breakers, rates, calls at once, retries
    #[command(after_help = "Examples:\n  {bin} saga dependencies\n  {bin} saga dependencies --json")]
    Dependencies,
}

#[derive(Debug, clap::Args)]
pub struct Intervention {
    /// Its id
    id: String,
    /// Why; kept in the saga's history
    #[arg(long)]
    reason: String,
}

impl Saga {
    pub(super) fn intervenes(&self) -> bool {
        !matches!(self, Self::List { .. } | Self::Show { .. } | Self::Statistics | Self::Dependencies)
    }

    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<Exit, Failure> {
        match self {
            Self::List { status, definition, step, page, limit } => {
                let parameters = query(&[
                    ("status", status.clone()),
                    ("definition", definition.clone()),
                    ("step", step.clone()),
                    ("page", Some(page.to_string())),
                    ("limit", Some(limit.to_string())),
                ]);
                let found = client.get(&format!("/sagas{parameters}")).await?;
                output.give(&found, || list(&found["sagas"]))?;
                output.note(format!(
                    "page {page} of {}, {} in all",
                    cell(&found, "/totalPages"),
                    cell(&found, "/total")
                ));
            }
            Self::Show { id } => {
                let found = client.get(&format!("/sagas/{}", segment(id))).await?;
                output.give(&found, || show(&found))?;
            }
            Self::Statistics => {
                let found = client.get("/sagas/statistics").await?;
                output.give(&found, || statistics(&found))?;
            }
            Self::Dependencies => {
                let found = client.get("/sagas/dependencies").await?;
                output.give(&found, || dependencies(&found))?;
            }
            Self::Retry(of) => of.post(client, output, "retry").await?,
            Self::Compensate(of) => of.post(client, output, "compensate").await?,
            Self::Pause(of) => of.post(client, output, "pause").await?,
            Self::Resume(of) => of.post(client, output, "resume").await?,
        }
        Ok(Exit::Done)
    }
}

impl Intervention {
    async fn post(&self, client: &Client, output: &Output, what: &str) -> Result<(), Failure> {
        let path = format!("/sagas/{}/{what}", segment(&self.id));
        let done = client.post(&path, Some(&json!({ "reason": self.reason }))).await?;
        output.give(&done, || match done["changed"].as_bool() {
            Some(false) => format!("there was nothing to change: it is {}", cell(&done, "/status")),
            _ => format!("done: it is {} now", cell(&done, "/status")),
        })
    }
}

/// Sagas as a table.
pub(super) fn list(sagas: &Value) -> String {
    let columns = ["saga", "definition", "status", "step", "about", "started", "took", "reason"];
    let mut table = Table::new(columns).numbers(&[6]).or_say("no such saga");
    for saga in sagas.as_array().into_iter().flatten() {
        table.row([
            cell(saga, "/id"),
            cell(saga, "/definition"),
            cell(saga, "/status"),
            cell(saga, "/step"),
            cell(saga, "/businessKey"),
            short_time(&cell(saga, "/startedAt")),
            millis(&saga["durationMs"]),
            cell(saga, "/reason"),
        ]);
    }
    table.to_string()
}

fn show(saga: &Value) -> String {
    let mut steps = Table::new(["step", "phase", "attempt", "next try", "error"])
        .numbers(&[2])
        .or_say("no step has begun");
    for step in saga["steps"].as_array().into_iter().flatten() {
        steps.row([
            cell(step, "/name"),
            cell(step, "/phase"),
            cell(step, "/attempt"),
            short_time(&cell(step, "/retryAt")),
            cell(step, "/error"),
        ]);
    }
    let mut effects = Table::new(["call", "direction", "state", "attempts", "first sent"])
        .numbers(&[3])
        .or_say("no calls yet");
    for effect in saga["effects"].as_array().into_iter().flatten() {
        effects.row([
            cell(effect, "/step"),
            cell(effect, "/direction"),
            cell(effect, "/state"),
            cell(effect, "/attempts"),
            short_time(&cell(effect, "/firstSentAt")),
        ]);
    }
    let mut timeline = Table::new(["position", "time", "event", "step", "by"]).numbers(&[0]);
    for entry in saga["timeline"].as_array().into_iter().flatten() {
        timeline.row([
            cell(entry, "/position"),
            short_time(&cell(entry, "/time")),
            cell(entry, "/type"),
            cell(entry, "/step"),
            cell(entry, "/actor"),
        ]);
    }
    format!(
        "{} v{} of {}: {}\n{}\nflow {}\n\n{steps}\n\n{effects}\n\n{timeline}",
        cell(saga, "/definition"),
        cell(saga, "/definitionVersion"),
        cell(saga, "/businessKey"),
        cell(saga, "/status"),
        cell(saga, "/why"),
        cell(saga, "/correlationId"),
    )
}

fn statistics(found: &Value) -> String {
    let columns = ["definition", "active", "completed", "undone", "median", "p95", "longest", "failures"];
    let mut table = Table::new(columns).numbers(&[1, 2, 3, 4, 5, 6]).or_say("no saga has begun");
    for one in found["definitions"].as_array().into_iter().flatten() {
        let failures = one["failures"].as_object().into_iter().flatten();
        let failures: Vec<_> = failures.map(|(code, count)| format!("{code} {count}")).collect();
        table.row([
            cell(one, "/definition"),
            cell(one, "/active"),
            percent(&one["completionRate"]),
            cell(one, "/compensation/done"),
            millis(&one["durations"]["medianMs"]),
            millis(&one["durations"]["p95Ms"]),
            millis(&one["durations"]["longestMs"]),
            failures.join(", "),
        ]);
    }
    format!("{table}\n{} active, {} waiting for an operator", cell(found, "/active"), cell(found, "/stuck"))
}

fn dependencies(found: &Value) -> String {
    let columns =
        ["dependency", "breaker", "calls", "failed", "slow", "under way", "waiting", "retries left", "held"];
    let mut table = Table::new(columns).numbers(&[2, 3, 4, 5, 6, 7]).or_say("sagas call nobody");
    for one in found["dependencies"].as_array().into_iter().flatten() {
        let held = one["held"].as_object().into_iter().flatten();
        let held: Vec<_> = held.map(|(why, count)| format!("{why} {count}")).collect();
        let left = one["retriesLeft"].as_f64().map_or_else(|| "-".to_owned(), |left| format!("{left:.1}"));
        table.row([
            cell(one, "/name"),
            cell(one, "/breaker"),
            cell(one, "/calls"),
            percent(&one["failureRate"]),
            percent(&one["slowRate"]),
            cell(one, "/inFlight"),
            cell(one, "/waiting"),
            left,
            held.join(", "),
        ]);
    }
    format!("{table}\nas node {} sees it", cell(found, "/node"))
}

fn millis(value: &Value) -> String {
    let seconds = value.as_f64().map(|millis| (millis / 1e3).max(0.0));
    seconds.map_or_else(|| "-".to_owned(), |seconds| human_duration(Duration::from_secs_f64(seconds)))
}

fn percent(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |rate| format!("{:.1} %", rate * 100.0))
}
