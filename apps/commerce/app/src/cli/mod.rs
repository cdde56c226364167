//! `commerce`: every verb of the shop, one file each.

mod application;
mod bench_load;
mod import;
mod order;
mod serve;
mod trace;
mod user;
mod welcome;

pub use application::Commerce;

use clap::{CommandFactory, FromArgMatches, Parser};
use gallae_cli::{
    Exit, Failure, Output, Target,
    verbs::{Context, PlatformVerb, name_examples},
};
use std::process::ExitCode;

/// A shop on Gallae: commands take one road, queries the other
#[derive(Debug, Parser)]
#[command(
    name = "commerce",
    version,
    after_help = "Examples:\n  \
{bin} serve                            start the shop on 127.0.0.1:3000, data in .gallae\n  \
{bin} import orders                    a week of real orders, into the running shop\n  \
{bin} user grant-admin kim@example.com\n  \
{bin} projection rebuild --all         while orders go on\n  \
{bin} doctor                           does everything add up?\n\n\
A verb asks the server that runs on the data directory. Where none runs it opens the directory itself.\n\
Data goes to standard output, everything else to standard error; --json makes data for programs.\n\n\
Exit codes:\n  \
0  done\n  \
1  refused, or failed on the way\n  \
2  the command line was not understood\n  \
3  the configuration was refused; nothing was started\n  \
4  the server cannot be reached, or the data directory cannot be opened\n  \
5  something is not as it must be (doctor, projection verify, import)"
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    target: Target,
    /// Data as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Serve the shop until Ctrl-C or SIGTERM
    Serve(serve::Serve),
    /// Bring in books, or orders of the past
    #[command(subcommand)]
    Import(import::Import),
    /// Look at users, make them, and make them operators
    #[command(subcommand)]
    User(user::User),
    /// Look at orders, and operate them
    #[command(subcommand)]
    Order(order::Order),
    /// Show everything that one request set in motion
    #[command(subcommand)]
    Trace(trace::Trace),
    #[command(flatten)]
    Platform(PlatformVerb),
    /// Load a running shop with orders, and measure it
    BenchLoad(bench_load::BenchLoad),
}

/// The command line of this process.
pub fn run() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Nobody can be told if this fails.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return Exit::Usage.into();
        }
    };
    let output = Output::standard(cli.json);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(cli.verb.run(&cli.target, &output)),
        Err(error) => Err(Failure::because(Exit::Failed, "this machine gives no threads", &error)),
    };
    done.unwrap_or_else(|failure| {
        output.note(&failure);
        failure.exit()
    })
    .into()
}

fn command() -> clap::Command {
    name_examples(Cli::command(), "commerce")
}

impl Verb {
    async fn run(self, target: &Target, output: &Output) -> Result<Exit, Failure> {
        let cx = Context { application: &Commerce, target, output };
        match self {
            Self::Serve(verb) => verb.run(cx).await,
            Self::Import(verb) => verb.run(cx).await,
            Self::User(verb) => verb.run(cx).await,
            Self::Order(verb) => verb.run(cx).await,
            Self::Trace(verb) => verb.run(cx).await,
            Self::Platform(verb) => verb.run(cx).await,
            Self::BenchLoad(verb) => verb.run(cx).await,
        }
    }
}

#[cfg(test)]
mod tests;
