//! Where the repository is and which crates it holds, as cargo tells it.

use crate::process::{self, Failure};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The crates of the workspace and what they depend on.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) members: Vec<Member>,
    /// Name of every package of the build → names of the packages it is built from; our own and foreign ones.
    pub(crate) built_from: BTreeMap<String, BTreeSet<String>>,
}

/// One crate of ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Folder below the root, with `/`: `crates/gallae-core`.
    pub(crate) folder: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// Names of its binaries, then of its cargo examples.
    pub(crate) binaries: Vec<String>,
    pub(crate) examples: Vec<String>,
    /// Names of the programs that cargo makes of the files below tests/.
    pub(crate) tests: Vec<String>,
}

/// A line of a manifest.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Only for tests, examples and benches.
    pub(crate) dev: bool,
}

/// The folder of this repository.
pub(crate) fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or(xtask.clone(), Path::to_path_buf)
}

impl Workspace {
    /// Asks cargo. Needs no network when everything was downloaded before.
    pub(crate) fn load() -> Result<Self, Failure> {
        let root = root();
        let mut command = process::cargo();
        command.args(["metadata", "--format-version", "1", "--all-features"]).current_dir(&root);
        let text = process::output(&mut command)?;
        let metadata: Value = serde_json::from_str(&text)
            .map_err(|error| Failure::new(format!("cannot read what `cargo metadata` printed: {error}")))?;
        Ok(Self::from_metadata(root, &metadata))
    }

    fn from_metadata(root: PathBuf, metadata: &Value) -> Self {
        let packages: BTreeMap<&str, &Value> =
            list(&metadata["packages"]).map(|package| (text(&package["id"]), package)).collect();
        let name =
            |id: &Value| packages.get(text(id)).map_or("", |package| text(&package["name"])).to_owned();
        let members = list(&metadata["workspace_members"])
            .filter_map(|id| packages.get(text(id)))
            .map(|package| Member::from_package(&root, package))
            .collect();
        let mut built_from: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let needs = list(&node["deps"])
                .filter(|dependency| list(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev"))
                .map(|dependency| name(&dependency["pkg"]));
            built_from.entry(name(&node["id"])).or_default().extend(needs);
        }
        let target = PathBuf::from(text(&metadata["target_directory"]));
        Self { root, target, members, built_from }
    }

    /// The chain of packages that leads from `from` to `to`, both named, if there is one.
    pub(crate) fn chain(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut seen = BTreeSet::new();
        let mut paths = vec![vec![from.to_owned()]];
        while let Some(path) = paths.pop() {
            let last = path.last()?;
            if last == to {
                return Some(path);
            }
            for next in self.built_from.get(last).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    let mut longer = path.clone();
                    longer.push(next.clone());
                    paths.push(longer);
                }
            }
        }
        None
    }
}

impl Member {
    fn from_package(root: &Path, package: &Value) -> Self {
        let manifest = Path::new(text(&package["manifest_path"]));
        let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok()).unwrap_or(manifest);
        let targets = |kind: &str| {
            list(&package["targets"])
                .filter(|target| list(&target["kind"]).any(|own| own == kind))
                .map(|target| text(&target["name"]).to_owned())
                .collect()
        };
        Self {
            name: text(&package["name"]).to_owned(),
            folder: folder.to_string_lossy().replace('\\', "/"),
            dependencies: list(&package["dependencies"])
                .map(|one| Dependency { name: text(&one["name"]).to_owned(), dev: one["kind"] == "dev" })
                .collect(),
            binaries: targets("bin"),
            examples: targets("example"),
            tests: targets("test"),
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Value {
        json!({
            "target_directory": "/r/target",
            "workspace_members": ["a 1"],
            "packages": [
                {"id": "a 1", "name": "a", "manifest_path": "/r/crates/a/Cargo.toml",
                 "targets": [{"kind": ["lib"], "name": "a"}, {"kind": ["bin"], "name": "tool"},
                             {"kind": ["test"], "name": "works"}],
                 "dependencies": [{"name": "b", "kind": null}, {"name": "c", "kind": "dev"}]},
                {"id": "b 2", "name": "b", "manifest_path": "/x/b/Cargo.toml", "targets": [], "dependencies": []},
                {"id": "c 3", "name": "c", "manifest_path": "/x/c/Cargo.toml", "targets": [], "dependencies": []},
            ],
            "resolve": {"nodes": [
                {"id": "a 1", "deps": [{"pkg": "b 2", "dep_kinds": [{"kind": null}]},
                                       {"pkg": "c 3", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "b 2", "deps": []},
            ]},
        })
    }

    #[test]
    fn members_carry_their_folder_targets_and_dependencies() {
        let workspace = Workspace::from_metadata("/r".into(), &sample());
        let [member] = workspace.members.as_slice() else { panic!("{:?}", workspace.members) };
        assert_eq!((member.name.as_str(), member.folder.as_str()), ("a", "crates/a"));
        assert_eq!(
            (member.binaries.as_slice(), member.tests.as_slice()),
            (&["tool".into()][..], &["works".into()][..])
        );
        let dev: Vec<_> = member.dependencies.iter().map(|one| (one.name.as_str(), one.dev)).collect();
        assert_eq!(dev, [("b", false), ("c", true)]);
    }

    #[test]
    fn a_chain_leaves_out_what_only_tests_need() {
        let workspace = Workspace::from_metadata("/r".into(), &sample());
        assert_eq!(workspace.chain("a", "b"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(workspace.chain("a", "c"), None);
    }
}
