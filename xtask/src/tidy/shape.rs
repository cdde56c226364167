//! How crates and files are cut.

use super::{Violation, repository::Repository};

/// Written by hand and read by people; lock files, data and generated documents are neither.
const WRITTEN: [&str; 12] =
    ["rs", "ts", "tsx", "js", "css", "html", "md", "toml", "yml", "yaml", "sh", "sql"];
const LARGEST: usize = 36_000;

pub(super) fn large_files(repository: &Repository) -> Vec<Violation> {
    let written = |path: &str| path.rsplit_once('.').is_some_and(|(_, end)| WRITTEN.contains(&end));
    repository
        .files
        .iter()
        .filter(|file| written(&file.path) && file.text.len() > LARGEST)
        .map(|file| {
            Violation::new(
                &file.path,
                format!("{} bytes; at most {LARGEST} are read in one sitting", file.text.len()),
                "split it by its reasons to change",
            )
        })
        .collect()
}

pub(super) fn empty_crates(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for member in &repository.workspace.members {
        let folder = format!("{}/src/", member.folder);
        let mut code = repository.sources().filter(|(path, _)| path.starts_with(&folder));
        if code.all(|(_, source)| says_nothing(&source.shipped)) {
            violations.push(Violation::new(
                &member.folder,
                format!("the crate {} holds no code", member.name),
                "remove it until there is something to put in",
            ));
        }
    }
    violations
}

fn says_nothing(code: &str) -> bool {
    let words: String = code.split_whitespace().collect();
    words.is_empty() || words == "fnmain(){}"
}

pub(super) fn manifests(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for member in &repository.workspace.members {
        let path = format!("{}/Cargo.toml", member.folder);
        let text = repository.text(&path).unwrap_or_default();
        for line in ["version.workspace = true", "edition.workspace = true", "license.workspace = true"] {
            if !text.lines().any(|own| own.trim() == line) {
                violations.push(Violation::new(&path, format!("lacks `{line}`"), "add it below [package]"));
            }
        }
        if !text.contains("[lints]\nworkspace = true") {
            violations.push(Violation::new(
                &path,
                "does not inherit the lints",
                "add [lints] with `workspace = true`",
            ));
        }
        if let Some(folder) = member.folder.strip_prefix("crates/").filter(|folder| *folder != member.name) {
            let what = format!("the folder {folder} holds the crate {}", member.name);
            violations.push(Violation::new(&path, what, "name both alike, so that either finds the other"));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Member;

    const MANIFEST: &str = "[package]\nversion.workspace = true\nedition.workspace = true\nlicense.workspace = true\n\
                            [lints]\nworkspace = true\n";

    fn member(folder: &str, name: &str) -> Vec<Member> {
        vec![Member { name: name.to_owned(), folder: folder.to_owned(), ..Member::default() }]
    }

    #[test]
    fn a_large_file_is_refused_unless_nobody_writes_it() {
        let large = "x".repeat(LARGEST + 1);
        let files =
            [("a.rs", large.as_str()), ("Cargo.lock", &large), ("openapi.json", &large), ("b.md", "small")];
        let violations = large_files(&Repository::sample(&files, Vec::new()));
        assert_eq!(violations.iter().map(|violation| violation.place.as_str()).collect::<Vec<_>>(), ["a.rs"]);
    }

    #[test]
    fn a_crate_without_code_is_refused() {
        let count = |text| {
            let files = [("crates/a/src/lib.rs", text)];
            empty_crates(&Repository::sample(&files, member("crates/a", "a"))).len()
        };
        assert_eq!(count("//! Not written yet.\n"), 1);
        assert_eq!(count("//! Not written yet.\nfn main() {}\n"), 1);
        assert_eq!(count("//! Tests alone.\n#[cfg(test)]\nmod tests { fn a() {} }\n"), 1);
        assert_eq!(count("pub use b::C;\n"), 0);
    }

    #[test]
    fn a_manifest_of_its_own_mind_is_refused() {
        let what = |text: &str, name: &str| {
            let repository = Repository::sample(&[("crates/a/Cargo.toml", text)], member("crates/a", name));
            manifests(&repository).into_iter().map(|violation| violation.what).collect::<Vec<_>>()
        };
        assert_eq!(what(MANIFEST, "a"), Vec::<String>::new());
        let own = MANIFEST.replace("version.workspace = true\n", "version = \"1.0.0\"\n");
        assert_eq!(what(&own, "a"), ["lacks `version.workspace = true`"]);
        assert_eq!(what(&MANIFEST.replace("[lints]", "[other]"), "a"), ["does not inherit the lints"]);
        assert_eq!(what(MANIFEST, "b"), ["the folder a holds the crate b"]);
    }
}
