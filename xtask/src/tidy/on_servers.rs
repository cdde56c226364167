//! A test that needs a server says so by the name of its file, so that the tier which has the server runs it and nobody
//! takes it for passed where there is none.

use super::{
    Violation,
    repository::Repository,
    source::{Source, lines_with},
};
use crate::test::on_servers::tier_of;
use gallae_lab_servers::SHARED_POSTGRES;

/// Start servers for others, and say so in their manifests.
const MAY: [&str; 3] = ["xtask/", "lab/servers/src/", "bench/"];

pub(super) fn unnamed(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, source) in
        repository.sources().filter(|(path, _)| !MAY.iter().any(|may| path.starts_with(may)))
    {
        let fix = match place(path) {
            Place::Program(program) if tier_of(program).is_some() => continue,
            Place::Program(_) => "name the file tests/postgres_….rs, or after another server's tier",
            // Judged where it is used.
            Place::Shared => continue,
            Place::Elsewhere => {
                "only a file tests/postgres_….rs, or one of another server's tier, may need a server"
            }
        };
        if let Some(line) = needs_server(source, &shared_needs(repository, path)) {
            violations.push(Violation::new(
                format!("{path}:{line}"),
                "needs a server and does not say so",
                fix,
            ));
        }
    }
    violations
}

enum Place<'a> {
    /// A file that cargo makes a test program of, by its name.
    Program(&'a str),
    /// What test programs share.
    Shared,
    Elsewhere,
}

fn place(path: &str) -> Place<'_> {
    match path.rsplit_once("/tests/").map(|(_, rest)| rest) {
        Some(rest) if rest.contains('/') => Place::Shared,
        Some(rest) => Place::Program(rest.trim_end_matches(".rs")),
        None => Place::Elsewhere,
    }
}

/// The modules beside a test program whose files need a server.
fn shared_needs(repository: &Repository, path: &str) -> Vec<String> {
    let Some((member, _)) = path.rsplit_once("/tests/") else { return Vec::new() };
    let folder = format!("{member}/tests/");
    let files = repository.sources().filter(|(_, source)| needs_server(source, &[]).is_some());
    let modules =
        files.filter_map(|(other, _)| Some(other.strip_prefix(&folder)?.split_once('/')?.0.to_owned()));
    modules.collect()
}

/// The first line that does.
fn needs_server(source: &Source, modules: &[String]) -> Option<usize> {
    let declared =
        modules.iter().find_map(|module| lines_with(&source.code, &format!("mod {module};")).next());
    let named = source.strings.iter().find(|literal| literal.text == SHARED_POSTGRES);
    let used = lines_with(&source.code, "gallae_lab_servers").next();
    used.or(declared).or(named.map(|literal| literal.line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(files: &[(&str, &str)]) -> Vec<String> {
        let violations = unnamed(&Repository::sample(files, Vec::new()));
        violations.into_iter().map(|violation| violation.place).collect()
    }

    const USES: &str = "\nuse gallae_lab_servers::Database;\n";

    #[test]
    fn a_test_on_a_server_carries_its_name() {
        assert_eq!(broken(&[("crates/a/tests/log.rs", USES)]), ["crates/a/tests/log.rs:2"]);
        assert_eq!(broken(&[("crates/a/src/lib.rs", USES)]), ["crates/a/src/lib.rs:2"]);
        let by_hand = "fn a() { var(\"GALLAE_TEST_POSTGRES\"); }";
        assert_eq!(broken(&[("crates/a/tests/log.rs", by_hand)]), ["crates/a/tests/log.rs:1"]);
        for path in
            ["crates/a/tests/postgres_log.rs", "lab/servers/tests/nginx_balance.rs", "bench/src/main.rs"]
        {
            assert_eq!(broken(&[(path, USES)]), Vec::<String>::new());
        }
    }

    #[test]
    fn what_tests_share_is_judged_where_it_is_used() {
        let support = ("crates/a/tests/support/mod.rs", USES);
        let uses = |path| broken(&[support, (path, "mod support;\n")]);
        assert_eq!(uses("crates/a/tests/log.rs"), ["crates/a/tests/log.rs:1"]);
        assert_eq!(uses("crates/a/tests/postgres_log.rs"), Vec::<String>::new());
        assert_eq!(uses("crates/b/tests/log.rs"), Vec::<String>::new());
    }
}
