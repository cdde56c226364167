//! Workloads against ourselves and against peers, with the facts of the machine that they ran on.
//!
//! Every workload runs its sides in turns, in one process and on one disk, so that what disturbs one side disturbs the
//! other. What counts is the ratio within a turn.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it speaks on its terminal")]

mod append;
mod cli;
mod history;
mod http;
mod machine;
mod measure;
mod rebuild;
mod replay;
mod report;
mod start;

use clap::Parser;
use std::process::ExitCode;

/// Whatever ends a run. The measurements until then are worth nothing, so nobody tells failures apart.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

// As in the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::run(&cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            let mut source = failure.source();
            while let Some(because) = source {
                eprintln!("  because: {because}");
                source = because.source();
            }
            ExitCode::FAILURE
        }
    }
}
