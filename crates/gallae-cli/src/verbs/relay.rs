//! `relay`: the road from the log to the broker.

use crate::{Client, Exit, Failure, Output, Table, cell};
use serde_json::Value;

#[derive(Debug, clap::Subcommand)]
pub enum Relay {
    /// Show how far the relay has published, and what holds it up
    #[command(after_help = "Examples:\n  {bin} relay status\n  {bin} relay status --json")]
    Status,
    /// Hold the relay where it is; events wait in the log
    #[command(after_help = "Examples:\n  {bin} relay pause")]
    Pause,
    /// Let the relay go on from where it is
    #[command(after_help = "Examples:\n  {bin} relay resume")]
    Resume,
}

impl Relay {
    pub(super) async fn run(&self, client: &Client, output: &Output) -> Result<Exit, Failure> {
        let relay = match self {
            Self::Status => client.get("/admin/relay").await?,
            Self::Pause => client.post("/admin/relay/pause", None).await?,
            Self::Resume => client.post("/admin/relay/resume", None).await?,
        };
        output.give(&relay, || table(&relay))?;
        Ok(Exit::Done)
    }
}

fn table(relay: &Value) -> String {
    let mut table = Table::new(["state", "published", "head", "behind", "last error"]).numbers(&[1, 2, 3]);
    table.row(["/state", "/cursor", "/head", "/lagEvents", "/lastError"].map(|at| cell(relay, at)));
    table.to_string()
}
