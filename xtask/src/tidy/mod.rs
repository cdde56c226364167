//! `cargo xtask tidy`: the rules that no compiler knows. Each is one function from the repository to what breaks it, with a
//! test that shows it refusing a bad sample.

mod layers;
mod leftovers;
mod on_servers;
mod owners;
mod pages;
pub(crate) mod repository;
mod shape;
mod source;
mod sql;

use crate::{process::Failure, workspace::Workspace};
use repository::Repository;
use std::fmt;

/// Something that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    /// A file, a file with a line, or a crate.
    place: String,
    what: String,
    fix: String,
}

type Rule = fn(&Repository) -> Vec<Violation>;

const RULES: &[(&str, Rule)] = &[
    ("dependencies between our crates point one way", layers::directions),
    ("foreign crates stay in their layer", layers::foreign_crates),
    ("the core cannot reach an async runtime", layers::core_is_free_of_tokio),
    ("environment, clock, ids, randomness and tasks have owners", owners::calls_without_owner),
    ("only owners waive clippy.toml", owners::waivers_without_owner),
    ("SQL is written in adapters", sql::outside_adapters),
    ("nothing is left for later", leftovers::unfinished),
    ("a test that needs a server is named after it", on_servers::unnamed),
    ("no path of one machine", leftovers::machine_paths),
    ("no empty crate", shape::empty_crates),
    ("manifests inherit from the workspace", shape::manifests),
    ("no file that nobody can read in one sitting", shape::large_files),
    ("README.md and README.ko.md have the same headings", pages::readme_parity),
    ("every error code has its page", pages::error_pages),
    ("a word has one entry in the glossary", pages::glossary),
];

pub(crate) fn tidy() -> Result<(), Failure> {
    let repository = Repository::load(Workspace::load()?)?;
    let mut broken = 0;
    for (promise, rule) in RULES {
        let violations = rule(&repository);
        if violations.is_empty() {
            println!("ok      {promise}");
            continue;
        }
        println!("BROKEN  {promise}");
        violations.iter().for_each(|violation| println!("{violation}"));
        broken += violations.len();
    }
    if broken == 0 {
        return Ok(());
    }
    Err(Failure::new(format!("tidy found {broken} places to fix")))
}

impl Violation {
    fn new(place: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into(), fix: fix.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {}: {}\n      fix: {}", self.place, self.what, self.fix)
    }
}
