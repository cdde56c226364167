//! The tiers, cheapest first. A new one is one entry: what it needs, how to get that, how it runs.

use super::{
    Context,
    cases::{self, Cases},
    fuzz_http, on_servers,
};
use crate::{
    process::{self, Failure},
    tidy,
};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

pub(super) struct Tier {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What this machine lacks to run it, if anything.
    pub(super) missing: fn(&Context) -> Option<String>,
    /// Gets what is missing; called in CI or with `--yes`, and only then.
    pub(super) install: fn(&Context) -> Result<(), Failure>,
    pub(super) run: fn(&Context) -> Report,
}

/// How a tier ended. A tier that runs no test cases of its own leaves `cases` at zero.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) cases: Cases,
    pub(super) outcome: Result<(), Failure>,
}

pub(super) const TIERS: &[Tier] = &[
    Tier {
        name: "fmt",
        about: "every file as rustfmt leaves it",
        missing: nothing,
        install: no_install,
        run: |context| Report::check(process::run(context.cargo().args(["fmt", "--all", "--check"]))),
    },
    Tier {
        name: "tidy",
        about: "who may depend on whom, what lives where",
        missing: nothing,
        install: no_install,
        run: |_| Report::check(tidy::tidy()),
    },
    Tier {
        name: "clippy",
        about: "no warning, and no call without its owner",
        missing: nothing,
        install: no_install,
        run: |context| Report::check(clippy(context)),
    },
    Tier {
        name: "docs",
        about: "every page builds and every link leads somewhere",
        missing: nothing,
        install: no_install,
        run: |context| Report::check(docs(context)),
    },
    Tier {
        name: "tests",
        about: "unit, conformance, integration and documentation tests that need no server",
        missing: nothing,
        install: no_install,
        run: tests,
    },
    Tier {
        name: "postgres",
        about: "tests on a real PostgreSQL: the files tests/postgres_*.rs",
        missing: |context| on_servers::missing(context, "postgres"),
        install: |_| on_servers::install("postgres"),
        run: |context| on_servers::run(context, "postgres"),
    },
    Tier {
        name: "pgbouncer",
        about: "tests through a real PgBouncer: the files tests/pgbouncer_*.rs",
        missing: |context| on_servers::missing(context, "pgbouncer"),
        install: |_| on_servers::install("pgbouncer"),
        run: |context| on_servers::run(context, "pgbouncer"),
    },
    Tier {
        name: "nginx",
        about: "tests behind a real nginx: the files tests/nginx_*.rs",
        missing: |context| on_servers::missing(context, "nginx"),
        install: |_| on_servers::install("nginx"),
        run: |context| on_servers::run(context, "nginx"),
    },
    Tier {
        name: "examples",
        about: "every example program runs to its end",
        missing: nothing,
        install: no_install,
        run: examples,
    },
    Tier {
        name: "fuzz-http",
        about: "requests made from the OpenAPI document find no 5xx and no answer outside its schema",
        missing: fuzz_http::missing,
        install: fuzz_http::install,
        run: |context| Report::case(fuzz_http::fuzz(context)),
    },
];

/// No example needs longer; one that does is waiting for something.
const EXAMPLE_LIMIT: Duration = Duration::from_secs(60);

/// Test code in libraries' clothes: may read a clock, spawn and make ids.
const TEST_CRATES: [&str; 2] = ["gallae-conformance", "gallae-testkit"];

pub(super) fn names() -> Vec<&'static str> {
    TIERS.iter().map(|tier| tier.name).collect()
}

fn nothing(_: &Context) -> Option<String> {
    None
}

fn no_install(_: &Context) -> Result<(), Failure> {
    Ok(())
}

/// Twice: all targets for every lint, then what ships for the calls that clippy.toml gives to owners. Tests are left out
/// of the second, because a test may read a clock.
fn clippy(context: &Context) -> Result<(), Failure> {
    process::run(context.cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let ships = |folder: &str| folder.starts_with("crates/") || folder.starts_with("apps/");
    let crates = context
        .workspace
        .members
        .iter()
        .filter(|member| ships(&member.folder) && !TEST_CRATES.contains(&member.name.as_str()))
        .flat_map(|member| ["--package", member.name.as_str()]);
    let mut command = context.cargo();
    command.arg("clippy").args(crates).args(["--", "-D", "warnings", "-D", "clippy::disallowed_methods"]);
    process::run(&mut command)
}

fn docs(context: &Context) -> Result<(), Failure> {
    process::run(context.cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Everything but the programs that a tier with a server runs. Documentation tests are a run of their own: cargo mixes them
/// with no choice of programs.
fn tests(context: &Context) -> Report {
    let mut programs = context.cargo();
    programs.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins"]);
    for name in on_servers::programs_without(&context.workspace) {
        programs.args(["--test", name]);
    }
    let mut documentation = context.cargo();
    documentation.args(["test", "--workspace", "--no-fail-fast", "--doc"]);
    let mut report = Report::check(Ok(()));
    for mut command in [programs, documentation] {
        let (cases, outcome) = cases::run_counting(command.args(&context.passed).stdin(Stdio::null()));
        report.cases = [report.cases, cases].into_iter().sum();
        report.outcome = report.outcome.and(outcome);
    }
    if report.outcome.is_ok() && report.cases == Cases::default() {
        report.outcome = Err(Failure::new("no test ran: the filter matches none"));
    }
    report
}

fn examples(context: &Context) -> Report {
    let mut cases = Cases::default();
    let mut outcome = Ok(());
    let programs = match context.programs() {
        Ok(folder) => example_programs(context, &folder),
        Err(failure) => return Report::check(Err(failure)),
    };
    for program in programs {
        let mut command = context.command(&program);
        match process::run_within(command.stdin(Stdio::null()), EXAMPLE_LIMIT) {
            Ok(()) => cases.passed += 1,
            Err(failure) => {
                println!("{failure}");
                cases.failed += 1;
                outcome = Err(failure);
            }
        }
    }
    if cases == Cases::default() {
        outcome = Err(Failure::new("there is no example program: examples/ should hold one"));
    }
    Report { cases, outcome }
}

/// The binaries below examples/ and the cargo examples of every crate.
fn example_programs(context: &Context, folder: &Path) -> Vec<PathBuf> {
    let members = &context.workspace.members;
    let own = members.iter().filter(|member| member.folder.starts_with("examples/"));
    let own = own.flat_map(|member| member.binaries.iter().map(|name| folder.join(name)));
    let cargos = members
        .iter()
        .flat_map(|member| member.examples.iter().map(|name| folder.join("examples").join(name)));
    own.chain(cargos).collect()
}

impl Report {
    /// A judgement that has no test cases.
    pub(super) fn check(outcome: Result<(), Failure>) -> Self {
        Self { cases: Cases::default(), outcome }
    }

    /// A tier that is one test case.
    fn case(outcome: Result<(), Failure>) -> Self {
        let passed = u64::from(outcome.is_ok());
        Self { cases: Cases { passed, ..Cases::default() }, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Member, Workspace};
    use std::collections::BTreeSet;

    #[test]
    fn example_programs_are_found_in_both_places() {
        let member = |name: &str, folder: &str| Member {
            name: name.to_owned(),
            folder: folder.to_owned(),
            binaries: vec![name.to_owned()],
            examples: vec![format!("{name}-demo")],
            ..Member::default()
        };
        let members = vec![member("bank", "examples/bank"), member("tool", "crates/tool")];
        let context = Context::of(Workspace { members, ..Workspace::default() });
        let found = example_programs(&context, Path::new("debug"));
        let found: Vec<_> = found.iter().map(|path| path.to_string_lossy()).collect();
        assert_eq!(found, ["debug/bank", "debug/examples/bank-demo", "debug/examples/tool-demo"]);
    }

    #[test]
    fn names_are_unique_and_fit_the_table() {
        let names = names();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(names.iter().all(|name| name.len() <= 10));
    }
}
