//! The command line: which workloads, how long, where the data goes, how the results are shown.

use crate::{
    Failure, append, history, http,
    machine::Machine,
    rebuild, replay,
    report::{Report, Results},
    start,
};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Measures Gallae against its peers and its bounds
#[derive(Debug, clap::Parser)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    workload: Workload,
    #[command(flatten)]
    options: Options,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Subcommand)]
enum Workload {
    /// Durable appends: ours, fjall and redb
    Append,
    /// Replay decoded to a handler: ours and a raw scan
    Replay,
    /// Rebuild of the order view: ours and a hand-written loop
    Rebuild,
    /// Time to ready with a log of events
    Start,
    /// Orders over HTTP: the shop, and a handler that does nothing
    Orders,
    /// All of them
    All,
    /// Serves the handler that does nothing, for `orders`
    #[command(hide = true)]
    Bare {
        /// Where to listen
        #[arg(long)]
        listen: SocketAddr,
    },
}

/// What every workload may be told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Turns: every side runs once in each
    #[arg(long, global = true, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) turns: u32,
    /// Seconds that a side is measured for in a turn
    #[arg(long, global = true, default_value_t = 2.0)]
    pub(crate) seconds: f64,
    /// Events in the log that is read
    #[arg(long, global = true, default_value_t = 1_000_000)]
    pub(crate) events: u64,
    /// Where the data goes: on the disk that is to be measured
    #[arg(long, global = true, default_value = "target/bench")]
    pub(crate) directory: PathBuf,
    /// Seconds that a server is loaded for in a turn
    #[arg(long, global = true, default_value_t = 10)]
    pub(crate) load_seconds: u32,
    /// The shop's binary, optimised
    #[arg(long, global = true, value_name = "FILE", default_value = "target/release/commerce")]
    commerce: PathBuf,
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    json: bool,
    /// Also write the results to this file, as Markdown
    #[arg(long, global = true, value_name = "FILE")]
    write: Option<PathBuf>,
}

impl Options {
    /// How long a side is measured for in a turn.
    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// The shop's binary, wherever it is started from.
    pub(crate) fn commerce(&self) -> Result<PathBuf, Failure> {
        let missing = |error| {
            format!(
                "{} cannot be found: {error}; build it or name it with --commerce",
                self.commerce.display()
            )
        };
        Ok(self.commerce.canonicalize().map_err(missing)?)
    }

    /// A folder that is gone afterwards.
    pub(crate) fn folder(&self) -> Result<TempDir, Failure> {
        Ok(tempfile::Builder::new().prefix("run-").tempdir_in(&self.directory)?)
    }
}

/// Runs what was asked for and shows the results.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { workload, options } = arguments;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Workload::Bare { listen } = workload {
        return runtime.block_on(http::bare::serve(*listen));
    }
    fs::create_dir_all(&options.directory)?;
    let mut machine = Machine::look(&options.directory)?;
    let reports = reports(*workload, options, &runtime)?;
    machine.look_again()?;
    let results = Results::new(machine, options, reports);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        println!("{results}");
    }
    if let Some(file) = &options.write {
        fs::write(file, format!("{results}\n"))?;
    }
    Ok(())
}

fn reports(workload: Workload, options: &Options, runtime: &Runtime) -> Result<Vec<Report>, Failure> {
    let wanted = |one| workload == one || workload == Workload::All;
    if wanted(Workload::Orders) {
        // Rather now than after the other workloads.
        options.commerce()?;
    }
    let mut reports = Vec::new();
    if wanted(Workload::Append) {
        reports.push(append::measure(options, runtime)?);
    }
    if [Workload::Replay, Workload::Rebuild, Workload::Start].into_iter().any(wanted) {
        let folder = options.folder()?;
        eprintln!("writing {} events", options.events);
        runtime.block_on(history::write(folder.path(), options.events))?;
        reports.extend(of_history(workload, options, runtime, folder.path())?);
    }
    if wanted(Workload::Orders) {
        reports.push(http::measure(options)?);
    }
    Ok(reports)
}

fn of_history(
    workload: Workload,
    options: &Options,
    runtime: &Runtime,
    folder: &Path,
) -> Result<Vec<Report>, Failure> {
    let wanted = |one| workload == one || workload == Workload::All;
    let mut reports = Vec::new();
    if wanted(Workload::Replay) {
        reports.push(replay::measure(options, runtime, folder)?);
    }
    if wanted(Workload::Rebuild) {
        reports.push(rebuild::measure(options, runtime, folder)?);
    }
    if wanted(Workload::Start) {
        reports.push(start::measure(options, runtime, folder)?);
    }
    Ok(reports)
}
