//! `cargo xtask run`: from a clean clone to a served shop.

use crate::{
    process::{self, Failure},
    workspace::{self, Workspace},
};
use std::{fs, path::Path, process::Command, time::SystemTime};

/// Optimised enough to use, quick enough to build; see the root manifest.
const PROFILE: &str = "fast";
/// The books that a first start puts into its catalogue.
const BOOKS: &str = "apps/commerce/data/books/books.csv";
const DATA: &str = ".gallae";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Arguments for `commerce serve`, such as --listen 127.0.0.1:8080
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    passed: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let root = workspace::root();
    if root.join("console/package.json").exists() {
        build_console(&root.join("console"))?;
    }
    process::run(
        process::cargo()
            .args(["build", "--profile", PROFILE, "--package", "commerce-app", "--bin", "commerce"])
            .current_dir(&root),
    )?;
    let target = Workspace::load()?.target;
    let binary = target.join(PROFILE).join(format!("commerce{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(binary);
    command
        .arg("serve")
        .args(serve_arguments(&arguments.passed, root.join(BOOKS).exists()))
        .current_dir(&root);
    become_it(&mut command)
}

/// What `serve` gets: our defaults, except where the caller said otherwise.
fn serve_arguments(passed: &[String], books: bool) -> Vec<String> {
    let said = |flag: &str| passed.iter().any(|one| one == flag || one.starts_with(&format!("{flag}=")));
    let mut arguments = Vec::new();
    if !said("--data-dir") {
        arguments.extend(["--data-dir".to_owned(), DATA.to_owned()]);
    }
    if books && !said("--demo-catalogue") {
        arguments.extend(["--demo-catalogue".to_owned(), BOOKS.to_owned()]);
    }
    arguments.extend_from_slice(passed);
    arguments
}

/// Turns this process into the server, so that Ctrl-C and SIGTERM reach it alone and the prompt returns when it has drained.
#[cfg(unix)]
fn become_it(command: &mut Command) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt;
    process::announce(command);
    let error = command.exec();
    Err(process::cannot_start(command, &error))
}

#[cfg(not(unix))]
fn become_it(command: &mut Command) -> Result<(), Failure> {
    process::run(command)
}

fn build_console(console: &Path) -> Result<(), Failure> {
    if !process::works(Command::new("npm").arg("--version")) {
        return Err(Failure::new("the console needs npm, which is not here: install Node.js 22 or newer"));
    }
    let changed = |path: &str| fs::metadata(console.join(path)).and_then(|file| file.modified()).ok();
    if must_install(changed("package-lock.json"), changed("node_modules/.package-lock.json")) {
        process::run(Command::new("npm").arg("ci").current_dir(console))?;
    }
    process::run(Command::new("npm").args(["run", "build"]).current_dir(console))
}

/// npm writes a copy of the lock file when it has finished: it is missing, or older, when there is work to do.
fn must_install(lock: Option<SystemTime>, installed: Option<SystemTime>) -> bool {
    installed.is_none() || lock > installed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn serves_the_books_from_the_default_folder() {
        assert_eq!(
            serve_arguments(&[], true),
            words("--data-dir .gallae --demo-catalogue apps/commerce/data/books/books.csv")
        );
        assert_eq!(serve_arguments(&[], false), words("--data-dir .gallae"));
    }

    #[test]
    fn what_the_caller_says_wins_and_is_passed_once() {
        let said = words("--data-dir=/srv/shop --listen 0.0.0.0:80 --demo-catalogue other.csv");
        assert_eq!(serve_arguments(&said, true), said);
    }

    #[test]
    fn installs_the_console_only_when_its_lock_moved() {
        let (old, new) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::from_secs(1));
        assert!(must_install(Some(old), None));
        assert!(must_install(Some(new), Some(old)));
        assert!(!must_install(Some(old), Some(new)));
    }
}
