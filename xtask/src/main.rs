//! What one does with this repository: run it, test it, keep it tidy, watch it, measure it.
//!
//! `cargo xtask --help` lists the verbs; each has a file of its name here. Compiles in seconds on purpose: clap to
//! read the command line, `serde_json` to read what cargo and the shop say, `gallae-lab-servers` to start what tests need,
//! the standard library for the rest.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it speaks on its terminal")]

mod bench;
mod coverage;
mod http;
mod process;
mod run;
mod services;
mod test;
mod tidy;
mod watch;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build the shop and serve it here, with the books in its catalogue and its data in ./.gallae
    Run(run::Arguments),
    /// Run every test tier that this machine can run
    Test(test::Arguments),
    /// All tiers with the rounds raised: GALLAE_TIER=nightly is set for every test
    Nightly(test::Arguments),
    /// Judge the rules that no compiler knows: who may depend on whom, what lives where
    Tidy,
    /// Install and start the servers beside the shop: PostgreSQL, PgBouncer, nginx
    Services(services::Arguments),
    /// Check and test the crates that change, as they change
    Watch(watch::Arguments),
    /// Measure which lines the tests reach
    Coverage(coverage::Arguments),
    /// Run the workloads of bench/ in release mode
    Bench(bench::Arguments),
}

/// Nobody is at the keyboard.
fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Run(arguments) => run::run(&arguments),
        Verb::Test(arguments) => test::test(&arguments, test::Depth::Default),
        Verb::Nightly(arguments) => test::test(&arguments, test::Depth::Nightly),
        Verb::Tidy => tidy::tidy(),
        Verb::Services(arguments) => services::services(&arguments),
        Verb::Watch(arguments) => watch::watch(&arguments),
        Verb::Coverage(arguments) => coverage::coverage(&arguments),
        Verb::Bench(arguments) => bench::bench(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_said() {
                eprintln!("\nxtask: {failure}");
            }
            ExitCode::FAILURE
        }
    }
}
