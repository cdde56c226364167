//! Pages that must keep up with the code and with each other.

use super::{Violation, repository::Repository};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn readme_parity(repository: &Repository) -> Vec<Violation> {
    let (Some(english), Some(korean)) = (repository.text("README.md"), repository.text("README.ko.md"))
    else {
        return Vec::new();
    };
    let (english, korean) = (headings(english), headings(korean));
    let levels = |all: &[Heading]| all.iter().map(|heading| heading.level).collect::<Vec<_>>();
    if levels(&english) == levels(&korean) {
        return Vec::new();
    }
    let longest = english.len().max(korean.len());
    let differ =
        (0..longest).find(|at| english.get(*at).map(|one| one.level) != korean.get(*at).map(|one| one.level));
    let show = |all: &[Heading]| {
        differ.and_then(|at| all.get(at)).map_or("the end".to_owned(), |heading| {
            format!("\"{} {}\" (line {})", "#".repeat(heading.level), heading.text, heading.line)
        })
    };
    let what = format!("README.md has {} where README.ko.md has {}", show(&english), show(&korean));
    vec![Violation::new("README.ko.md", what, "give both the same headings, in the same order")]
}

/// Codes are string literals in these files; a page is named after each.
fn is_code_list(path: &str) -> bool {
    path == "crates/gallae-http/src/codes.rs"
        || (path.starts_with("apps/") && path.ends_with("/app/src/codes.rs"))
}

pub(super) fn error_pages(repository: &Repository) -> Vec<Violation> {
    let mut codes = BTreeMap::new();
    for (path, source) in repository.sources().filter(|(path, _)| is_code_list(path)) {
        let literals = source.strings.iter().filter(|literal| !literal.in_test && is_code(&literal.text));
        codes.extend(literals.map(|literal| (literal.text.as_str(), format!("{path}:{}", literal.line))));
    }
    if codes.is_empty() {
        return Vec::new();
    }
    let pages: BTreeSet<_> = repository
        .files
        .iter()
        .filter_map(|file| file.path.strip_prefix("docs/errors/")?.strip_suffix(".md"))
        .filter(|name| is_code(name) && *name != "README")
        .collect();
    let unwritten = codes.iter().filter(|(code, _)| !pages.contains(*code)).map(|(code, place)| {
        let fix =
            format!("write docs/errors/{code}.md: what happened to the data, why, how to check, what to do");
        Violation::new(place, format!("{code} has no page"), fix)
    });
    let unused = pages.iter().filter(|page| !codes.contains_key(*page)).map(|page| {
        Violation::new(
            format!("docs/errors/{page}.md"),
            "explains a code that nothing answers with",
            "remove the page, or list the code in the codes.rs of the crate that answers with it",
        )
    });
    unwritten.chain(unused).collect()
}

fn is_code(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
}

pub(super) fn glossary(repository: &Repository) -> Vec<Violation> {
    const PATH: &str = "GLOSSARY.md";
    let mut first = BTreeMap::new();
    let mut violations = Vec::new();
    for (index, line) in repository.text(PATH).unwrap_or_default().lines().enumerate() {
        let Some(word) = entry(line) else { continue };
        let line = index + 1;
        if let Some(before) = first.insert(word.to_lowercase(), line) {
            let what = format!("\"{word}\" is explained on line {before} already");
            violations.push(Violation::new(
                format!("{PATH}:{line}"),
                what,
                "keep one meaning; rename the other",
            ));
        }
    }
    violations
}

/// The word that a line explains: bold at the head of a line, an item or a table row, or a heading.
fn entry(line: &str) -> Option<&str> {
    if let Some(heading) = line.strip_prefix("##") {
        return Some(heading.trim_start_matches('#').trim());
    }
    let line = line.trim_start();
    let line = ["- ", "* ", "| "].iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line);
    let (word, _) = line.trim_start().strip_prefix("**")?.split_once("**")?;
    Some(word.trim()).filter(|word| !word.is_empty())
}

struct Heading {
    level: usize,
    text: String,
    line: usize,
}

/// Headings, without the `#` of shell comments in code blocks.
fn headings(page: &str) -> Vec<Heading> {
    let mut in_code = false;
    let mut headings = Vec::new();
    for (index, line) in page.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let level = line.chars().take_while(|letter| *letter == '#').count();
        if !in_code && level > 0 && line[level..].starts_with(' ') {
            headings.push(Heading { level, text: line[level..].trim().to_owned(), line: index + 1 });
        }
    }
    headings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(rule: fn(&Repository) -> Vec<Violation>, files: &[(&str, &str)]) -> Vec<String> {
        let violations = rule(&Repository::sample(files, Vec::new()));
        violations.into_iter().map(|violation| format!("{}: {}", violation.place, violation.what)).collect()
    }

    #[test]
    fn readmes_that_drift_apart_are_refused() {
        let english = "# Gallae\n## Start\n```sh\n# a comment\n```\n## Learn\n### Sagas\n";
        let same = "# 갈래\n## 시작\n## 배우기\n### 사가\n";
        assert_eq!(
            broken(readme_parity, &[("README.md", english), ("README.ko.md", same)]),
            Vec::<String>::new()
        );
        let short = "# 갈래\n## 시작\n## 배우기\n";
        assert_eq!(
            broken(readme_parity, &[("README.md", english), ("README.ko.md", short)]),
            ["README.ko.md: README.md has \"### Sagas\" (line 7) where README.ko.md has the end"]
        );
        assert_eq!(broken(readme_parity, &[("README.md", english)]), Vec::<String>::new());
    }

    #[test]
    fn codes_and_pages_must_match() {
        let codes = "pub const A: Code = Code::new(\"VIEW_BEHIND\", 503);\nconst B: &str = \"FORBIDDEN\"; // \"OLD_ONE\"\n";
        let files = [
            ("crates/gallae-http/src/codes.rs", codes),
            ("apps/shop/app/src/codes.rs", "const C: &str = \"UNKNOWN_PRODUCT\";"),
            ("docs/errors/FORBIDDEN.md", ""),
            ("docs/errors/UNKNOWN_PRODUCT.md", ""),
            ("docs/errors/OLD_ONE.md", ""),
            ("docs/errors/README.md", ""),
        ];
        assert_eq!(
            broken(error_pages, &files),
            [
                "crates/gallae-http/src/codes.rs:1: VIEW_BEHIND has no page",
                "docs/errors/OLD_ONE.md: explains a code that nothing answers with",
            ]
        );
    }

    #[test]
    fn a_word_explained_twice_is_refused() {
        let page = "# Words\n## Log\n- **position**: place in the log\n- **version**: place in a stream\n\n\
                    | **Position** | of a cursor |\n";
        assert_eq!(
            broken(glossary, &[("GLOSSARY.md", page)]),
            ["GLOSSARY.md:6: \"Position\" is explained on line 3 already"]
        );
    }

    #[test]
    fn a_sentence_with_a_bold_word_is_no_entry() {
        assert_eq!(entry("**stream**: the events"), Some("stream"));
        assert_eq!(entry("* **view** is a document"), Some("view"));
        assert_eq!(entry("a **view** is a document"), None);
    }
}
