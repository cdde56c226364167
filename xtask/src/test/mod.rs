//! `cargo xtask test`: the tiers in order, then one table and one line that say what ran, what failed and what did not run.

mod cases;
mod fuzz_http;
pub(crate) mod on_servers;
mod tiers;

use crate::{
    process::{self, Failure},
    workspace::Workspace,
};
use cases::Cases;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use tiers::{TIERS, Tier};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Install what a tier misses: tools below target/tools, servers with apt-get as root (it says how)
    #[arg(long)]
    yes: bool,
    /// Only this tier; may be repeated. A tier asked for by name fails when it cannot run
    #[arg(long = "tier", value_name = "NAME", value_parser = tiers::names())]
    tiers: Vec<String>,
    /// Arguments for each `cargo test`: part of a test's name, or -- --nocapture
    #[arg(last = true)]
    passed: Vec<String>,
}

/// How long the tests may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Minutes.
    Default,
    /// As long as it needs: tests find `GALLAE_TIER=nightly` in their environment and raise their rounds.
    Nightly,
}

/// What every tier may know.
#[derive(Debug)]
struct Context {
    workspace: Workspace,
    depth: Depth,
    /// May download tools into target/, and install servers.
    installs: bool,
    /// A tier that cannot run is a failure, not a skip.
    strict: bool,
    passed: Vec<String>,
}

/// What came of a tier.
#[derive(Debug)]
struct Finding {
    tier: &'static str,
    verdict: Verdict,
    cases: Cases,
    took: Duration,
}

#[derive(Debug)]
enum Verdict {
    Passed,
    Failed(String),
    Skipped { because: String, enable: String },
}

pub(crate) fn test(arguments: &Arguments, depth: Depth) -> Result<(), Failure> {
    let ci = crate::is_ci();
    let context = Context {
        workspace: Workspace::load()?,
        depth,
        installs: arguments.yes || ci,
        strict: ci || !arguments.tiers.is_empty(),
        passed: arguments.passed.clone(),
    };
    let chosen =
        |tier: &&Tier| arguments.tiers.is_empty() || arguments.tiers.iter().any(|name| name == tier.name);
    let findings: Vec<_> = TIERS.iter().filter(chosen).map(|tier| run(tier, &context)).collect();

    print!("{}", table(&findings));
    println!("{}", findings.iter().map(|finding| finding.cases).sum::<Cases>());
    if findings.iter().any(|finding| matches!(finding.verdict, Verdict::Failed(_))) {
        return Err(Failure::said());
    }
    Ok(())
}

fn run(tier: &Tier, context: &Context) -> Finding {
    println!("\n=== {}: {}", tier.name, tier.about);
    let began = Instant::now();
    let (verdict, mut cases) = verdict(tier, context);
    match &verdict {
        Verdict::Passed => {}
        // A tier that fails before its first case has still failed, and the closing line must say so.
        Verdict::Failed(_) => cases.failed = cases.failed.max(1),
        Verdict::Skipped { .. } => cases.skipped += 1,
    }
    let finding = Finding { tier: tier.name, verdict, cases, took: began.elapsed() };
    println!("--- {}", line(&finding));
    finding
}

fn verdict(tier: &Tier, context: &Context) -> (Verdict, Cases) {
    let mut missing = (tier.missing)(context);
    if missing.is_some() && context.installs {
        if let Err(failure) = (tier.install)(context) {
            return (Verdict::Failed(format!("cannot install what it needs: {failure}")), Cases::default());
        }
        missing = (tier.missing)(context);
    }
    if let Some(because) = missing {
        let enable = format!("cargo xtask test --yes --tier {}", tier.name);
        let verdict = match context.strict {
            true => Verdict::Failed(format!("it cannot run here: {because}; enable it with `{enable}`")),
            false => Verdict::Skipped { because, enable },
        };
        return (verdict, Cases::default());
    }
    let report = (tier.run)(context);
    match report.outcome {
        Ok(()) => (Verdict::Passed, report.cases),
        Err(failure) => (Verdict::Failed(failure.to_string()), report.cases),
    }
}

fn table(findings: &[Finding]) -> String {
    let mut table = format!(
        "\n{:<10} {:<8} {:>7} {:>7} {:>8} {:>8}\n",
        "tier", "", "passed", "failed", "skipped", "seconds"
    );
    for finding in findings {
        table.push_str(&line(finding));
        table.push('\n');
    }
    table
}

fn line(finding: &Finding) -> String {
    let (word, why) = match &finding.verdict {
        Verdict::Passed => ("ok", String::new()),
        Verdict::Failed(why) => ("FAILED", format!("  {why}")),
        Verdict::Skipped { because, enable } => {
            ("SKIPPED", format!("  NOT RUN: {because}; enable it with `{enable}`"))
        }
    };
    let Cases { passed, failed, skipped } = finding.cases;
    let seconds = finding.took.as_secs_f64();
    format!("{:<10} {word:<8} {passed:>7} {failed:>7} {skipped:>8} {seconds:>8.1}{why}", finding.tier)
}

impl Context {
    fn cargo(&self) -> Command {
        self.prepare(process::cargo())
    }

    fn command(&self, program: &Path) -> Command {
        self.prepare(Command::new(program))
    }

    fn prepare(&self, mut command: Command) -> Command {
        command.current_dir(&self.workspace.root);
        if self.depth == Depth::Nightly {
            command.env("GALLAE_TIER", "nightly");
        }
        command
    }

    /// Builds every program and says where they are. With the tests, because cargo then chooses the same features as
    /// `cargo test` did before, and compiles nothing twice.
    fn programs(&self) -> Result<PathBuf, Failure> {
        process::run(self.cargo().args(["build", "--workspace", "--bins", "--examples", "--tests"]))?;
        Ok(self.workspace.target.join("debug"))
    }
}

#[cfg(test)]
mod tests {
    use super::{tiers::Report, *};

    impl Context {
        pub(super) fn of(workspace: Workspace) -> Self {
            Self { workspace, depth: Depth::Default, installs: false, strict: false, passed: Vec::new() }
        }
    }

    fn context(installs: bool, strict: bool) -> Context {
        Context { installs, strict, ..Context::of(Workspace::default()) }
    }

    fn tier(missing: fn(&Context) -> Option<String>, run: fn(&Context) -> Report) -> Tier {
        Tier { name: "sample", about: "a sample", missing, install: |_| Ok(()), run }
    }

    fn fine(_: &Context) -> Report {
        Report { cases: Cases { passed: 2, ..Cases::default() }, outcome: Ok(()) }
    }

    #[test]
    fn what_cannot_run_is_skipped_loudly_and_never_passed() {
        let finding = run(&tier(|_| Some("no python3".to_owned()), fine), &context(false, false));
        assert_eq!(finding.cases, Cases { passed: 0, failed: 0, skipped: 1 });
        let line = line(&finding);
        assert!(line.contains("SKIPPED") && line.contains("NOT RUN: no python3"), "{line}");
        assert!(line.contains("cargo xtask test --yes --tier sample"), "{line}");
    }

    #[test]
    fn what_cannot_run_fails_where_skips_are_refused() {
        let finding = run(&tier(|_| Some("no python3".to_owned()), fine), &context(false, true));
        assert_eq!(finding.cases, Cases { passed: 0, failed: 1, skipped: 0 });
        assert!(matches!(finding.verdict, Verdict::Failed(_)), "{finding:?}");
    }

    #[test]
    fn an_installation_that_fails_is_a_failure_not_a_skip() {
        let mut tier = tier(|_| Some("no tool".to_owned()), fine);
        tier.install = |_| Err(Failure::new("no network"));
        let finding = run(&tier, &context(true, false));
        assert!(line(&finding).contains("cannot install what it needs: no network"), "{finding:?}");
        assert_eq!(finding.cases.failed, 1);
    }

    #[test]
    fn a_tier_that_fails_without_cases_counts_one() {
        let broken =
            |_: &Context| Report { cases: Cases::default(), outcome: Err(Failure::new("unformatted")) };
        let finding = run(&tier(|_| None, broken), &context(false, false));
        assert_eq!(finding.cases, Cases { passed: 0, failed: 1, skipped: 0 });
    }

    #[test]
    fn the_table_has_a_line_for_each_tier() {
        let tiers = [tier(|_| None, fine), tier(|_| Some("no python3".to_owned()), fine)];
        let findings: Vec<_> = tiers.iter().map(|tier| run(tier, &context(false, false))).collect();
        let table = table(&findings);
        assert_eq!(table.lines().filter(|line| line.starts_with("sample")).count(), 2, "{table}");
        assert_eq!(
            findings.iter().map(|one| one.cases).sum::<Cases>().to_string(),
            "2 passed, 0 failed, 1 skipped"
        );
    }
}
