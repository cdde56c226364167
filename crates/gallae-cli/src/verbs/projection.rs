//! `projection`: the sync manager.

use crate::{Bar, Client, Exit, Failure, Output, Table, cell, grouped, human_duration, query, segment, short_time};
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Debug, clap::Subcommand)]
pub enum Projection {
    /// List projections: where each is, how far behind, what went wrong
    #[command(after_help = "Examples:\n  {bin} projection list\n  {bin} projection list --json")]
    List,
    /// Recompute projections from the log beside their live rows, and switch
    #[command(after_help = "Queries are served throughout.\n\nExamples:\n  {bin} projection rebuild order_views\n  {bin} projection rebuild --all")]
    Rebuild(Which),
    /// Recompute projections and compare them with their live rows, row by row
    #[command(after_help = "Changes nothing. Ends with 5 if a row differs.\n\nExamples:\n  {bin} projection verify --all\n  {bin} projection verify order_views --json")]
    Verify(Which),
    /// Verify projections, and rewrite the rows that differ and no others
    #[command(after_help = "Examples:\n  {bin} projection repair order_views")]
    Repair(Which),
    /// Hold projections where they are, also across restarts
    #[command(after_help = "Examples:\n  {bin} projection pause book_views")]
    Pause(Which),
    /// Let held projections go on
    #[command(after_help = "Examples:\n  {bin} projection resume book_views")]
    Resume(Which),
    /// Wait until projections have folded everything that is in the log now
    #[command(after_help = "Examples:\n  {bin} projection sync --all")]
    Sync(Which),
    /// List events that a projection could not fold, and those that wait behind them
    #[command(after_help = "Examples:\n  {bin} projection dead-letters\n  {bin} projection dead-letters --projection order_views")]
    DeadLetters {
        /// Only of this projection
        #[arg(long)]
        projection: Option<String>,
        /// Only of this key
        #[arg(long)]
        key: Option<String>,
        /// At most this many, up to 1000
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Fold the parked events of a key again
    #[command(after_help = "Examples:\n  {bin} projection retry order_views 0190…")]
    Retry(Parked),
    /// Give up the first parked event of a key, for good, and fold those behind it
    #[command(after_help = "The event stays in the log, and a rebuild meets it again.\n\nExamples:\n  {bin} projection discard order_views 0190…")]
    Discard(Parked),
}

#[derive(Debug, clap::Args)]
pub struct Which {
    /// Their names
    #[arg(required_unless_present = "all")]
    names: Vec<String>,
    /// Every projection
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

#[derive(Debug, clap::Args)]
pub struct Parked {
    /// The projection
    projection: String,
    /// The view's key
    key: String,
}

impl Projection {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<Exit, Failure> {
        match self {
            Self::List => {
                let found = client.get("/admin/projections").await?;
                output.give(&found, || list(&found))?;
            }
            Self::Rebuild(which) => return operate(client, output, which, "rebuild").await,
            Self::Verify(which) => return operate(client, output, which, "verify").await,
            Self::Repair(which) => return operate(client, output, which, "repair").await,
            Self::Pause(which) => switch(client, output, which, "pause").await?,
            Self::Resume(which) => switch(client, output, which, "resume").await?,
            Self::Sync(which) => sync(client, output, which).await?,
            Self::DeadLetters { projection, key, limit } => {
                let parameters = query(&[
                    ("projection", projection.clone()),
                    ("key", key.clone()),
                    ("limit", Some(limit.to_string())),
                ]);
                let found = client.get(&format!("/admin/dead-letters{parameters}")).await?;
                output.give(&found, || dead_letters(&found))?;
            }
            Self::Retry(parked) => parked.post(client, output, "retry").await?,
            Self::Discard(parked) => parked.post(client, output, "discard").await?,
        }
        Ok(Exit::Done)
    }
}

impl Which {
    async fn names(&self, client: &Client) -> Result<Vec<String>, Failure> {
        if self.all { names(client).await } else { Ok(self.names.clone()) }
    }
}

impl Parked {
    async fn post(&self, client: &Client, output: &Output, what: &str) -> Result<(), Failure> {
        let body = json!({ "projection": self.projection, "key": self.key });
        let done = client.post(&format!("/admin/dead-letters/{what}"), Some(&body)).await?;
        output.give(&done, || {
            let [applied, discarded, parked] = ["/applied", "/discarded", "/parked"].map(|at| cell(&done, at));
            format!("{applied} folded, {discarded} given up, {parked} still parked")
        })
    }
}

/// The names of every projection.
pub(super) async fn names(client: &Client) -> Result<Vec<String>, Failure> {
    let found = client.get("/admin/projections").await?;
    let names = found["projections"].as_array().into_iter().flatten();
    Ok(names.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect())
}

async fn operate(client: &Client, output: &Output, which: &Which, what: &str) -> Result<Exit, Failure> {
    let mut reports = Vec::new();
    for name in which.names(client).await? {
        let mut report = carry_out(client, output, &name, what).await?;
        report["projection"] = json!(name);
        reports.push(report);
    }
    let all = json!({ "reports": reports });
    output.give(&all, || report_table(&reports))?;
    if let Some(failed) = reports.iter().find(|report| report["outcome"] == "failed") {
        return Err(Failure::failed(format!("{}: {}", cell(failed, "/projection"), cell(failed, "/error"))));
    }
    let differs = reports.iter().any(|report| report["clean"] == false);
    Ok(if what == "verify" && differs { Exit::Violations } else { Exit::Done })
}

/// Begins an operation, draws its progress, and answers its report.
pub(super) async fn carry_out(
    client: &Client,
    output: &Output,
    name: &str,
    what: &str,
) -> Result<Value, Failure> {
    let bar = Bar::new(output, format!("{what} {name}"), "events");
    client.post(&format!("/admin/projections/{}/{what}", segment(name)), None).await?;
    let mut frames = client.follow(&format!("/admin/projections/{}/progress", segment(name))).await?;
    while let Some(frame) = frames.next().await? {
        match frame.event.as_str() {
            "progress" => {
                let number = |field: &str| frame.data[field].as_u64().unwrap_or(0);
                bar.set(number("done"), number("total"));
                if let Some(phase) = frame.data["phase"].as_str() {
                    bar.label(format!("{what} {name}: {phase}"));
                }
            }
            "report" => return Ok(frame.data),
            _ => break,
        }
    }
    Err(Failure::failed(format!("the {what} of {name} ended without a report"))
        .hint("the server is stopping, or another node runs the projection: see projection list"))
}

async fn switch(client: &Client, output: &Output, which: &Which, what: &str) -> Result<(), Failure> {
    let mut projections = Vec::new();
    for name in which.names(client).await? {
        projections.push(client.post(&format!("/admin/projections/{}/{what}", segment(&name)), None).await?);
    }
    let all = json!({ "projections": projections });
    output.give(&all, || list(&all))
}

async fn sync(client: &Client, output: &Output, which: &Which) -> Result<(), Failure> {
    let mut synced = Vec::new();
    for name in which.names(client).await? {
        synced.push(client.post(&format!("/admin/projections/{}/sync", segment(&name)), None).await?);
    }
    let mut table = Table::new(["projection", "from", "to", "events"]).numbers(&[1, 2, 3]);
    for one in &synced {
        table.row(["/projection", "/from", "/to", "/events"].map(|at| cell(one, at)));
    }
    output.give(&json!({ "synced": synced }), || table.to_string())
}

fn list(found: &Value) -> String {
    let columns = ["projection", "kind", "state", "cursor", "behind", "age", "parked", "last error"];
    let mut table = Table::new(columns).numbers(&[3, 4, 5, 6]).or_say("no projections");
    for one in found["projections"].as_array().into_iter().flatten() {
        table.row([
            cell(one, "/name"),
            cell(one, "/kind"),
            cell(one, "/state"),
            cell(one, "/cursor"),
            cell(one, "/lagEvents"),
            human_duration(Duration::from_secs_f64(one["lagSeconds"].as_f64().unwrap_or(0.0).max(0.0))),
            cell(one, "/deadLetters"),
            cell(one, "/lastError"),
        ]);
    }
    table.to_string()
}

/// Reports as a table, and the first differences below it.
fn report_table(reports: &[Value]) -> String {
    let columns = ["", "projection", "outcome", "events", "rows", "differ", "repaired", "parked", "took", "held"];
    let mut table = Table::new(columns).numbers(&[3, 4, 5, 6, 7, 8, 9]);
    let mut differences = String::new();
    for report in reports {
        let millis = |field: &str| {
            let seconds = report[field].as_f64().unwrap_or(0.0).max(0.0) / 1e3;
            human_duration(Duration::from_secs_f64(seconds))
        };
        table.row([
            if report["clean"] == true { "✓".to_owned() } else { "✗".to_owned() },
            cell(report, "/projection"),
            cell(report, "/outcome"),
            cell(report, "/events"),
            cell(report, "/rows"),
            cell(report, "/differing"),
            cell(report, "/repaired"),
            cell(report, "/parked"),
            millis("tookMs"),
            millis("heldMs"),
        ]);
        let listed = report["differences"].as_array().map(Vec::as_slice).unwrap_or_default();
        for one in listed {
            let [key, live, log] = ["/key", "/live", "/recomputed"].map(|at| cell(one, at));
            differences.push_str(&format!("\n{} {key}\n  live: {live}\n  log:  {log}", cell(report, "/projection")));
        }
        let all = report["differing"].as_i64().unwrap_or(0);
        if all > listed.len() as i64 {
            differences.push_str(&format!("\n… {} differences in all", grouped(all)));
        }
    }
    format!("{table}{differences}")
}

fn dead_letters(found: &Value) -> String {
    let columns = ["projection", "key", "position", "event", "attempts", "parked", "error"];
    let mut table = Table::new(columns).numbers(&[2, 4]).or_say("nothing is parked");
    for letter in found["deadLetters"].as_array().into_iter().flatten() {
        table.row([
            cell(letter, "/projection"),
            cell(letter, "/key"),
            cell(letter, "/position"),
            cell(letter, "/eventType"),
            cell(letter, "/attempts"),
            short_time(&cell(letter, "/parkedAt")),
            cell(letter, "/error"),
        ]);
    }
    table.to_string()
}
