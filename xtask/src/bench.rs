//! `cargo xtask bench`: the workloads of bench/ and the shop that they load, in release mode. Results with the machine's facts are
//! bench's own work.

use crate::{
    process::{self, Failure},
    workspace,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Arguments of the benchmark itself, `--help` among them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed: Vec<String>,
}

pub(crate) fn bench(arguments: &Arguments) -> Result<(), Failure> {
    // What loads the shop starts its binary.
    process::run(
        process::cargo()
            .args(["build", "--release", "--package", "commerce-app", "--package", "gallae-bench"])
            .current_dir(workspace::root()),
    )?;
    process::run(
        process::cargo()
            .args(["run", "--release", "--package", "gallae-bench", "--"])
            .args(&arguments.passed)
            .current_dir(workspace::root()),
    )
}
