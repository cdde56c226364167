//! `cargo xtask coverage`: which lines the tests reach, measured by cargo-llvm-cov.

use crate::{
    process::{self, Failure},
    workspace,
};
use std::process::Command;

const INSTALL: [&[&str]; 2] = [
    &["rustup", "component", "add", "llvm-tools-preview"],
    &["cargo", "install", "cargo-llvm-cov", "--locked"],
];

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Install cargo-llvm-cov when it is missing
    #[arg(long)]
    yes: bool,
    /// Arguments for cargo-llvm-cov: a package to look at, an output format
    #[arg(last = true)]
    passed: Vec<String>,
}

pub(crate) fn coverage(arguments: &Arguments) -> Result<(), Failure> {
    if !process::works(process::cargo().args(["llvm-cov", "--version"])) {
        if !arguments.yes {
            let commands: String = INSTALL.iter().map(|words| format!("\n    {}", words.join(" "))).collect();
            return Err(Failure::new(format!(
                "cargo-llvm-cov is not installed. Run this again with --yes, or:{commands}"
            )));
        }
        for words in INSTALL {
            process::run(Command::new(words[0]).args(&words[1..]))?;
        }
    }
    process::run(
        process::cargo()
            .args(["llvm-cov", "--workspace", "--html", "--output-dir", "target/coverage"])
            .args(&arguments.passed)
            .current_dir(workspace::root()),
    )?;
    println!("target/coverage/html/index.html");
    Ok(())
}
