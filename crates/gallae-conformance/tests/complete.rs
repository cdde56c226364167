//! Every case is in a suite: one that nobody runs would prove nothing.

use std::{fs, path::Path};

#[test]
fn every_case_is_in_a_suite() {
    let mut sources = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    let lines = || sources.iter().flat_map(|source| source.lines());
    let cases: Vec<&str> = lines()
        .filter_map(|line| line.strip_prefix("pub async fn "))
        .map(|rest| rest.split(['<', '(']).next().unwrap_or(rest))
        .collect();
    assert!(cases.len() > 100, "the cases were not found: {cases:?}");
    for case in cases {
        let listed = lines().filter(|line| line.trim() == format!("{case},")).count();
        assert_eq!(listed, 1, "{case} should be listed in one suite");
    }
}

fn read(directory: &Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, sources);
        } else {
            sources.push(fs::read_to_string(path).unwrap());
        }
    }
}
