//! Tests that need a server, told by the names of their files: `tests/postgres_log.rs` needs PostgreSQL and nothing else
//! does. A file that is named so runs in the tier of that server or is counted as skipped with it; tidy sees to the names.

use super::{Context, cases, tiers::Report};
use crate::{process::Failure, services, workspace::Workspace};
use gallae_lab_servers::{NGINX, PGBOUNCER, POSTGRES, Package, Postgres, PostgresOptions, SHARED_POSTGRES};
use std::process::Stdio;

/// A tier, and what its tests need. The first word of their files' names is the tier's.
const NEEDS: &[(&str, &[Package])] =
    &[("postgres", &[POSTGRES]), ("pgbouncer", &[PGBOUNCER, POSTGRES]), ("nginx", &[NGINX])];

/// The tier that runs a test program, unless it needs no server.
pub(crate) fn tier_of(program: &str) -> Option<&'static str> {
    let begins = |tier: &&str| program.strip_prefix(*tier).is_some_and(|rest| rest.starts_with('_'));
    NEEDS.iter().map(|(tier, _)| *tier).find(begins)
}

/// The test programs that need no server, each once.
pub(super) fn programs_without(workspace: &Workspace) -> Vec<&str> {
    programs(workspace, |program| tier_of(program).is_none())
}

pub(super) fn missing(context: &Context, tier: &'static str) -> Option<String> {
    let lacking = needs(tier).iter().filter(|package| !package.missing().is_empty());
    let names: Vec<_> = lacking.map(|package| package.name).collect();
    if names.is_empty() {
        return None;
    }
    let programs = programs(&context.workspace, |program| tier_of(program) == Some(tier));
    Some(format!("{} not installed; {} left out", names.join(" and "), programs.join(", ")))
}

pub(super) fn install(tier: &'static str) -> Result<(), Failure> {
    services::install(needs(tier), true)
}

/// On one server for all of them, where PostgreSQL is needed: without fsync, because tests that kill start their own.
pub(super) fn run(context: &Context, tier: &'static str) -> Report {
    let mut command = context.cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]).args(["--test", &format!("{tier}_*")]);
    let server = match shared(tier) {
        Ok(server) => server,
        Err(failure) => return Report::check(Err(failure)),
    };
    if let Some(server) = &server {
        println!("PostgreSQL listens at {}", server.url());
        command.env(SHARED_POSTGRES, server.url().to_string());
    }
    let (cases, mut outcome) = cases::run_counting(command.args(&context.passed).stdin(Stdio::null()));
    if outcome.is_ok() && cases == cases::Cases::default() && context.passed.is_empty() {
        outcome = Err(Failure::new("no test ran"));
    }
    Report { cases, outcome }
}

fn shared(tier: &'static str) -> Result<Option<Postgres>, Failure> {
    // Whoever runs the tests may have named one.
    let given = std::env::var(SHARED_POSTGRES).is_ok_and(|url| !url.is_empty());
    if given || !needs(tier).contains(&POSTGRES) {
        return Ok(None);
    }
    Ok(Some(PostgresOptions::new().without_fsync().start()?))
}

fn needs(tier: &str) -> &'static [Package] {
    NEEDS.iter().find(|(name, _)| *name == tier).map_or(&[], |(_, packages)| packages)
}

fn programs(workspace: &Workspace, of_interest: impl Fn(&str) -> bool) -> Vec<&str> {
    let all = workspace.members.iter().flat_map(|member| &member.tests).map(String::as_str);
    let mut programs: Vec<_> = all.filter(|program| of_interest(program)).collect();
    programs.sort_unstable();
    programs.dedup();
    programs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Member;

    #[test]
    fn a_program_belongs_to_the_tier_of_its_first_word() {
        assert_eq!(tier_of("postgres_log"), Some("postgres"));
        assert_eq!(tier_of("nginx_drain"), Some("nginx"));
        assert_eq!(tier_of("postgresql"), None);
        assert_eq!(tier_of("log"), None);
    }

    #[test]
    fn every_program_runs_in_exactly_one_tier() {
        let member = |tests: &[&str]| Member {
            tests: tests.iter().map(|name| (*name).to_owned()).collect(),
            ..Member::default()
        };
        let members = vec![member(&["log", "postgres_log"]), member(&["log", "nginx_drain", "api"])];
        let workspace = Workspace { members, ..Workspace::default() };
        assert_eq!(programs_without(&workspace), ["api", "log"]);
        let mut all = programs_without(&workspace);
        for (tier, _) in NEEDS {
            all.extend(programs(&workspace, |program| tier_of(program) == Some(tier)));
        }
        assert_eq!(all, ["api", "log", "postgres_log", "nginx_drain"]);
    }
}
