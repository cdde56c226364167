//! SQL belongs to adapters: whoever else writes it knows which engine runs below.

use super::{Violation, layers, repository::Repository};

/// Folders beside the adapters that may speak to an engine directly: they compare against it.
const COMPARES: [&str; 2] = ["bench/", "lab/"];

pub(super) fn outside_adapters(repository: &Repository) -> Vec<Violation> {
    let adapters: Vec<_> =
        repository.workspace.members.iter().filter(|member| layers::is_adapter(member)).collect();
    let may = |path: &str| {
        let in_adapter = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        adapters.iter().any(|member| in_adapter(&member.folder))
            || COMPARES.iter().any(|one| path.starts_with(one))
    };
    let mut violations = Vec::new();
    for (path, source) in repository.sources().filter(|(path, _)| !may(path)) {
        for literal in source.strings.iter().filter(|literal| !literal.in_test && is_sql(&literal.text)) {
            violations.push(Violation::new(
                format!("{path}:{}", literal.line),
                "holds SQL, but is no adapter",
                "ask through the port, and write the statement in the adapters behind it",
            ));
        }
    }
    violations
}

/// Begins as a statement does and goes on as one: `select` alone is an English word.
fn is_sql(text: &str) -> bool {
    let words: Vec<_> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let has = |word: &str| words.contains(&word);
    match words.as_slice() {
        [] | [_] => false,
        ["select", ..] => text.trim_start().starts_with("SELECT") || (has("from") && has("where")),
        ["insert", "into" | "or", ..] | ["delete", "from", ..] | ["replace", "into", ..] => true,
        ["update", _, "set", ..] => true,
        ["create", "table" | "index" | "unique" | "trigger" | "view" | "virtual", ..] => true,
        ["alter" | "drop" | "truncate", "table" | "index", ..] => true,
        ["pragma", ..] => text.trim_start().starts_with("PRAGMA"),
        ["with", ..] => text.contains("SELECT "),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Member;

    fn broken(path: &str, text: &str) -> usize {
        let member = |folder: &str, name: &str| Member {
            name: name.to_owned(),
            folder: folder.to_owned(),
            ..Member::default()
        };
        let members = vec![
            member("crates/gallae-sqlite", "gallae-sqlite"),
            member("crates/gallae-runtime", "gallae-runtime"),
        ];
        outside_adapters(&Repository::sample(&[(path, text)], members)).len()
    }

    #[test]
    fn a_statement_outside_the_adapters_is_refused() {
        let statement = "fn a() { run(\"SELECT id\\n FROM orders\"); }";
        assert_eq!(broken("crates/gallae-runtime/src/a.rs", statement), 1);
        assert_eq!(broken("apps/shop/app/src/a.rs", "const A: &str = r#\"create table a (b)\"#;"), 1);
        assert_eq!(broken("crates/gallae-sqlite/src/a.rs", statement), 0);
        assert_eq!(broken("bench/src/a.rs", statement), 0);
        assert_eq!(
            broken("crates/gallae-runtime/src/a.rs", &format!("#[cfg(test)]\nmod t {{ {statement} }}")),
            0
        );
    }

    #[test]
    fn english_is_not_sql() {
        for text in [
            "select an order from the list",
            "update the view",
            "with 3 items",
            "insert a coin",
            "create a user",
        ] {
            assert!(!is_sql(text), "{text}");
        }
        for text in [
            "UPDATE t SET a = 1",
            "WITH x AS (SELECT 1) …",
            "PRAGMA foreign_keys",
            "DELETE FROM t",
            "SELECT 1",
        ] {
            assert!(is_sql(text), "{text}");
        }
    }
}
