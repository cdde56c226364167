//! `cargo xtask watch`: check and test the crates that change, as they change. Looks at the times of the files: no tool
//! to install, and the same on every system.

use crate::{
    process::{self, Failure},
    tidy,
    workspace::Workspace,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

/// How often the files are looked at; also how long they must rest, so that an editor has finished saving.
const PAUSE: Duration = Duration::from_millis(700);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only check, run no tests
    #[arg(long)]
    check: bool,
}

pub(crate) fn watch(arguments: &Arguments) -> Result<(), Failure> {
    let mut workspace = Workspace::load()?;
    let mut seen = look(&workspace.root)?;
    println!("watching {} files; Ctrl-C ends", seen.len());
    loop {
        thread::sleep(PAUSE);
        let now = look(&workspace.root)?;
        let changed = changes(&seen, &now);
        if changed.is_empty() {
            continue;
        }
        thread::sleep(PAUSE);
        if look(&workspace.root)? != now {
            continue;
        }
        seen = now;
        let crates = touched(&workspace, &changed);
        if crates.is_empty() {
            continue;
        }
        report(judge(&workspace.root, &crates, arguments.check));
        if changed.iter().any(|path| path.ends_with("Cargo.toml")) {
            workspace = Workspace::load()?;
        }
    }
}

type Times = BTreeMap<String, SystemTime>;

fn look(root: &Path) -> Result<Times, Failure> {
    let paths = tidy::repository::paths(root)?;
    Ok(paths
        .into_iter()
        .filter_map(|path| Some((fs::metadata(root.join(&path)).ok()?.modified().ok()?, path)))
        .map(|(time, path)| (path, time))
        .collect())
}

fn changes(before: &Times, now: &Times) -> BTreeSet<String> {
    let written = now.iter().filter(|(path, time)| before.get(*path) != Some(time));
    let removed = before.iter().filter(|(path, _)| !now.contains_key(*path));
    written.chain(removed).map(|(path, _)| path.clone()).collect()
}

/// The crates that the paths belong to; all of them when a manifest at the root changed. Pages belong to none.
fn touched(workspace: &Workspace, paths: &BTreeSet<String>) -> Vec<String> {
    let all = paths.iter().any(|path| path == "Cargo.toml" || path == "rust-toolchain.toml");
    let holds =
        |folder: &str, path: &String| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    workspace
        .members
        .iter()
        .filter(|member| all || paths.iter().any(|path| holds(&member.folder, path)))
        .map(|member| member.name.clone())
        .collect()
}

fn judge(root: &Path, crates: &[String], check_only: bool) -> Result<(), Failure> {
    let packages: Vec<_> = crates.iter().flat_map(|name| ["--package", name]).collect();
    process::run(process::cargo().args(["check", "--all-targets"]).args(&packages).current_dir(root))?;
    if check_only {
        return Ok(());
    }
    process::run(process::cargo().args(["test", "--quiet"]).args(&packages).current_dir(root))
}

fn report(outcome: Result<(), Failure>) {
    match outcome {
        Ok(()) => println!("--- fine; watching"),
        Err(failure) => println!("--- {failure}; watching"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Member;

    fn times(entries: &[(&str, u64)]) -> Times {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        entries.iter().map(|(path, seconds)| ((*path).to_owned(), at(*seconds))).collect()
    }

    #[test]
    fn sees_what_was_written_added_and_removed() {
        let before = times(&[("same", 1), ("written", 1), ("removed", 1)]);
        let now = times(&[("same", 1), ("written", 2), ("added", 2)]);
        let changed: Vec<_> = changes(&before, &now).into_iter().collect();
        assert_eq!(changed, ["added", "removed", "written"]);
    }

    #[test]
    fn finds_the_crates_of_the_changed_files() {
        let member = |name: &str, folder: &str| Member {
            name: name.to_owned(),
            folder: folder.to_owned(),
            ..Member::default()
        };
        let workspace = Workspace {
            members: vec![member("gallae", "crates/gallae"), member("gallae-core", "crates/gallae-core")],
            ..Workspace::default()
        };
        let of = |paths: &[&str]| touched(&workspace, &paths.iter().map(|path| (*path).to_owned()).collect());
        assert_eq!(of(&["crates/gallae-core/src/lib.rs"]), ["gallae-core"]);
        assert_eq!(of(&["README.md"]), Vec::<String>::new());
        assert_eq!(of(&["Cargo.toml"]), ["gallae", "gallae-core"]);
    }
}
