//! What the world does to a program (time, ids, chance, the environment, tasks) enters through named files.

use super::{
    Violation,
    repository::Repository,
    source::{Source, lines_with},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    Environment,
    Clock,
    Ids,
    Randomness,
    Tasks,
}

struct Owner {
    of: Thing,
    /// A file, or a folder with all below it.
    place: &'static str,
    because: &'static str,
}

const fn owner(of: Thing, place: &'static str, because: &'static str) -> Owner {
    Owner { of, place, because }
}

const OWNERS: &[Owner] = &[
    owner(
        Thing::Environment,
        "crates/gallae-server",
        "configuration is read here, and shown with its origin",
    ),
    owner(Thing::Environment, "crates/gallae-cli", "a command line is read here"),
    owner(Thing::Environment, "crates/gallae-testkit/src/tier.rs", "GALLAE_TIER, for every test"),
    owner(Thing::Environment, "bench", "a program for developers"),
    owner(Thing::Environment, "lab", "a program for developers"),
    owner(Thing::Environment, "sim", "a program for developers"),
    owner(Thing::Environment, "xtask", "a program for developers"),
    owner(Thing::Clock, "crates/gallae-runtime/src/environment.rs", "the system clock behind the Clock port"),
    owner(Thing::Ids, "crates/gallae-runtime/src/environment.rs", "new ids behind the Entropy port"),
    owner(Thing::Randomness, "crates/gallae-runtime/src/environment.rs", "jitter behind the Entropy port"),
    owner(Thing::Randomness, "crates/gallae-http/src/auth", "salts and tokens must not be predictable"),
    owner(Thing::Tasks, "crates/gallae-runtime/src/supervisor.rs", "joins what it spawns, and restarts it"),
    owner(
        Thing::Tasks,
        "crates/gallae-runtime/src/dispatcher/snapshots.rs",
        "a snapshot is worth no waiting",
    ),
    owner(
        Thing::Tasks,
        "crates/gallae-postgres/src/connect.rs",
        "drives a pooled connection; the pool aborts it with the connection",
    ),
];

/// How each shows in code.
const CALLS: &[(Thing, &[&str])] = &[
    (Thing::Environment, &["std::env", "env::"]),
    (Thing::Clock, &["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now", "Utc::now"]),
    (Thing::Ids, &["Uuid::now_v7", "Uuid::now_v6", "Uuid::now_v1", "Uuid::new_v4"]),
    (Thing::Randomness, &["rand::", "thread_rng", "OsRng", "getrandom", "fastrand"]),
    (Thing::Tasks, &["tokio::spawn", "task::spawn(", "task::spawn_local", "spawn_local("]),
];

/// Test code in libraries' clothes.
const TEST_CRATES: [&str; 2] = ["crates/gallae-conformance", "crates/gallae-testkit"];

pub(super) fn calls_without_owner(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, source) in repository.sources() {
        for (thing, words) in CALLS {
            if applies(*thing, path) && !owns(*thing, path) {
                violations.extend(calls(path, source, *thing, words));
            }
        }
    }
    violations
}

fn calls(path: &str, source: &Source, thing: Thing, words: &[&str]) -> Vec<Violation> {
    let mut lines: Vec<_> = words.iter().flat_map(|word| lines_with(&source.shipped, word)).collect();
    lines.sort_unstable();
    lines.dedup();
    lines.into_iter().map(|line| Violation::new(format!("{path}:{line}"), what(thing), fix(thing))).collect()
}

fn what(thing: Thing) -> &'static str {
    match thing {
        Thing::Environment => "reads the environment",
        Thing::Clock => "reads a clock",
        Thing::Ids => "makes an id",
        Thing::Randomness => "rolls dice",
        Thing::Tasks => "spawns a task that nobody supervises",
    }
}

fn fix(thing: Thing) -> String {
    let instead = match thing {
        Thing::Environment => {
            "take the value as an argument: configuration is read by gallae-server, flags by gallae-cli"
        }
        Thing::Clock => "take the time from the decision's context or the Clock port",
        Thing::Ids => "take the id from the command or from the id source",
        Thing::Randomness => "take it from its owner, so that a seed repeats a run",
        Thing::Tasks => "spawn through the supervisor, or into a JoinSet that is joined",
    };
    let owners: Vec<_> = OWNERS
        .iter()
        .filter(|owner| owner.of == thing)
        .map(|owner| format!("\n           {}: {}", owner.place, owner.because))
        .collect();
    format!(
        "{instead}; a new owner is named in xtask/src/tidy/owners.rs with its reason, beside{}",
        owners.concat()
    )
}

/// Everything reads the environment through its owners, and what ships spawns through them; the rest binds the crates
/// whose runs a seed must repeat. Clippy covers the others, where a type must be known to judge a call.
fn applies(thing: Thing, path: &str) -> bool {
    match thing {
        Thing::Environment => !is_program(path),
        Thing::Tasks => ships(path),
        Thing::Clock | Thing::Ids | Thing::Randomness => is_repeatable(path),
    }
}

fn is_repeatable(path: &str) -> bool {
    let crates =
        ["crates/gallae-core", "crates/gallae-macros", "crates/gallae-ports", "crates/gallae-runtime"];
    crates.iter().any(|one| below(path, one))
        || path.strip_prefix("apps/").is_some_and(|rest| rest.split('/').nth(1) == Some("domain"))
}

fn ships(path: &str) -> bool {
    (path.starts_with("crates/") || path.starts_with("apps/"))
        && !TEST_CRATES.iter().any(|one| below(path, one))
}

/// An application's entry, and what cargo runs before a build.
fn is_program(path: &str) -> bool {
    (path.starts_with("apps/") && path.ends_with("/app/src/main.rs")) || path.ends_with("/build.rs")
}

fn owns(thing: Thing, path: &str) -> bool {
    OWNERS.iter().any(|owner| owner.of == thing && below(path, owner.place))
}

fn below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) fn waivers_without_owner(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, source) in repository.sources().filter(|(path, _)| ships(path)) {
        if OWNERS.iter().any(|owner| below(path, owner.place)) {
            continue;
        }
        violations.extend(lines_with(&source.shipped, "clippy::disallowed_methods").map(|line| {
            Violation::new(
                format!("{path}:{line}"),
                "waives clippy's disallowed methods without owning any",
                "call through the owner; a new owner is named in xtask/src/tidy/owners.rs with its reason",
            )
        }));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, text: &str) -> Vec<String> {
        let repository = Repository::sample(&[(path, text)], Vec::new());
        let violations =
            calls_without_owner(&repository).into_iter().chain(waivers_without_owner(&repository));
        violations.map(|violation| format!("{}: {}", violation.place, violation.what)).collect()
    }

    #[test]
    fn a_call_outside_its_owner_is_refused_at_its_line() {
        for (path, call, what) in [
            ("crates/gallae-core/src/a.rs", "SystemTime::now()", "reads a clock"),
            ("crates/gallae-runtime/src/a.rs", "std::time::Instant::now()", "reads a clock"),
            ("crates/gallae-runtime/src/a.rs", "Uuid::now_v7()", "makes an id"),
            ("apps/shop/domain/src/a.rs", "rand::random::<u8>()", "rolls dice"),
            ("crates/gallae-sqlite/src/a.rs", "std::env::var(\"X\")", "reads the environment"),
            ("examples/bank/src/main.rs", "env::args()", "reads the environment"),
            ("crates/gallae-http/src/a.rs", "tokio::spawn(x)", "spawns a task that nobody supervises"),
            ("apps/shop/app/src/a.rs", "tokio::task::spawn(x)", "spawns a task that nobody supervises"),
        ] {
            assert_eq!(broken(path, &format!("fn a() {{\n    {call};\n}}")), [format!("{path}:2: {what}")]);
        }
    }

    #[test]
    fn owners_programs_tests_and_comments_may() {
        for (path, text) in [
            ("crates/gallae-runtime/src/environment.rs", "fn a() { SystemTime::now(); }"),
            ("crates/gallae-server/src/config/sources.rs", "fn a() { std::env::vars(); }"),
            ("crates/gallae-runtime/src/supervisor.rs", "fn a() { tokio::spawn(x); }"),
            ("apps/shop/app/src/main.rs", "fn main() { std::env::args(); }"),
            ("crates/gallae-runtime/src/a.rs", "#[cfg(test)]\nmod tests { fn a() { Instant::now(); } }"),
            ("crates/gallae-runtime/tests/a.rs", "fn a() { tokio::spawn(x); Uuid::now_v7(); }"),
            (
                "crates/gallae-runtime/src/a.rs",
                "// never Instant::now()\nfn a() { set.spawn(x); operand::b(); }",
            ),
            ("crates/gallae-sqlite/src/a.rs", "fn a() { Instant::now(); env!(\"CARGO_PKG_VERSION\"); }"),
        ] {
            assert_eq!(broken(path, text), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn a_waiver_outside_the_owners_is_refused() {
        let waiver = "#[expect(clippy::disallowed_methods, reason = \"in a hurry\")]\nfn a() {}";
        assert_eq!(broken("crates/gallae-http/src/a.rs", waiver).len(), 1);
        assert_eq!(broken("crates/gallae-http/src/auth/password.rs", waiver).len(), 0);
        assert_eq!(broken("crates/gallae-conformance/src/a.rs", waiver).len(), 0);
    }
}
