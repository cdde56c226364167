//! What a change may leave behind by accident.

use super::{Violation, repository::Repository, source::lines_with};

/// Unfinished work that compiles.
const UNFINISHED: &[(&str, &str)] = &[
    ("todo!", "write it, or leave it out until it can be written"),
    ("unimplemented!", "write it, or leave it out until it can be written"),
    ("dbg!", "remove it; what an operator should see is a tracing event"),
    (
        "#[ignore",
        "a test runs or is not there: make it fast, give it rounds by GALLAE_TIER, or assert what happens today",
    ),
];

pub(super) fn unfinished(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, source) in repository.sources() {
        for (word, fix) in UNFINISHED {
            let lines = lines_with(&source.code, word);
            violations.extend(
                lines.map(|line| Violation::new(format!("{path}:{line}"), format!("has {word}"), *fix)),
            );
        }
    }
    violations
}

/// How a home folder begins on the systems that developers use, and the folder of design material that clones lack.
const FOREIGN: [&str; 4] = ["/home/", "/Users/", "/root/", "../shared/"];

pub(super) fn machine_paths(repository: &Repository) -> Vec<Violation> {
    let root = repository.workspace.root.to_string_lossy();
    // A short root such as `/src` would be found in every path.
    let root = (root.matches('/').count() > 1).then_some(root.as_ref());
    let home = repository.home.as_deref().filter(|home| home.len() > 1);
    let words: Vec<_> = FOREIGN.into_iter().chain(root).chain(home).collect();
    let mut violations = Vec::new();
    for file in repository.files.iter().filter(|file| file.path != THIS_FILE) {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| begins_path(line, word)) {
                violations.push(Violation::new(
                    format!("{}:{}", file.path, index + 1),
                    format!("names {word}, which is not on other machines"),
                    "write a path below the repository, or a placeholder such as DIR",
                ));
            }
        }
    }
    violations
}

/// Holds the words that it looks for.
const THIS_FILE: &str = "xtask/src/tidy/leftovers.rs";

/// `word` where a path begins: `docs/root/` is not `/root/`.
fn begins_path(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || "._-/}~".contains(letter))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_work_is_refused_even_in_tests() {
        let text =
            "fn a() { todo!() }\n#[cfg(test)]\nmod tests {\n    #[ignore = \"slow\"]\n    fn b() {}\n}\n";
        let violations = unfinished(&Repository::sample(&[("crates/a/src/lib.rs", text)], Vec::new()));
        let places: Vec<_> = violations.iter().map(|violation| violation.place.as_str()).collect();
        assert_eq!(places, ["crates/a/src/lib.rs:1", "crates/a/src/lib.rs:4"]);
        let fine = "// todo! later\nconst A: &str = \"todo!()\";";
        assert!(unfinished(&Repository::sample(&[("crates/a/src/lib.rs", fine)], Vec::new())).is_empty());
    }

    #[test]
    fn a_path_of_one_machine_is_refused_anywhere() {
        let files = [
            ("README.md", "fine: /healthy/home/ and apps/root/ and ./.gallae\n"),
            ("docs/a.md", "first\nsee /home/ann/gallae\n"),
            ("crates/a/src/lib.rs", "const A: &str = \"../shared/data\";"),
            ("docs/b.md", "cd /builds/checkouts/gallae\n"),
        ];
        let mut repository = Repository::sample(&files, Vec::new());
        repository.workspace.root = "/builds/checkouts/gallae".into();
        let violations = machine_paths(&repository);
        let places: Vec<_> = violations.iter().map(|violation| violation.place.as_str()).collect();
        assert_eq!(places, ["docs/a.md:2", "crates/a/src/lib.rs:1", "docs/b.md:1"]);
    }
}
