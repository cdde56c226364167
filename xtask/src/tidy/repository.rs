//! What the rules look at: the crates and the text files that belong to the repository.

use super::source::Source;
use crate::{
    process::{self, Failure},
    workspace::Workspace,
};
use std::{collections::BTreeSet, fs, path::Path, process::Command};

#[derive(Debug, Default)]
pub(super) struct Repository {
    pub(super) workspace: Workspace,
    pub(super) files: Vec<TextFile>,
    /// Home of whoever runs this, when known.
    pub(super) home: Option<String>,
}

#[derive(Debug)]
pub(super) struct TextFile {
    /// Below the root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// Read as Rust, if it is.
    pub(super) source: Option<Source>,
}

/// Every file that git has or would take, below the root. A file that was deleted but not yet committed is left out.
pub(crate) fn paths(root: &Path) -> Result<BTreeSet<String>, Failure> {
    let mut command = Command::new("git");
    command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let listed = process::output(&mut command)?;
    Ok(listed.split('\0').filter(|path| root.join(path).is_file()).map(str::to_owned).collect())
}

impl Repository {
    pub(super) fn load(workspace: Workspace) -> Result<Self, Failure> {
        let mut files = Vec::new();
        for path in paths(&workspace.root)? {
            let bytes = fs::read(workspace.root.join(&path))
                .map_err(|error| Failure::new(format!("cannot read {path}: {error}")))?;
            // What is not text holds nothing to judge.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(TextFile::new(path, text));
            }
        }
        Ok(Self { workspace, files, home: std::env::var("HOME").ok() })
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// Rust files with what was read in them.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.files.iter().filter_map(|file| Some((file.path.as_str(), file.source.as_ref()?)))
    }
}

impl TextFile {
    fn new(path: String, text: String) -> Self {
        let source = path.ends_with(".rs").then(|| Source::read(&path, &text));
        Self { path, text, source }
    }
}

#[cfg(test)]
impl Repository {
    /// A repository of these files and crates, for the tests of the rules.
    pub(super) fn sample(files: &[(&str, &str)], members: Vec<crate::workspace::Member>) -> Self {
        let files =
            files.iter().map(|(path, text)| TextFile::new((*path).to_owned(), (*text).to_owned())).collect();
        Self { workspace: Workspace { members, ..Workspace::default() }, files, home: None }
    }
}
