//! Which programs a server needs, where they are, and what installs them.

use crate::ServerError;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A server that the project can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// How the project calls it: the word in `cargo xtask services`, in the name of its tier and of its tests.
    pub name: &'static str,
    /// Debian's and Ubuntu's package.
    pub debian: &'static str,
    /// The programs that must be there.
    pub programs: &'static [&'static str],
    /// The units that the package brings, which must not run beside ours.
    pub units: &'static [&'static str],
    /// Asks its first program for its version.
    version_flag: &'static str,
    /// What gets it elsewhere.
    pub elsewhere: &'static str,
}

/// PostgreSQL with the tools that make, copy and promote its data.
pub const POSTGRES: Package = Package {
    name: "postgres",
    debian: "postgresql",
    programs: &["postgres", "initdb", "pg_basebackup", "pg_ctl"],
    units: &["postgresql.service"],
    version_flag: "--version",
    elsewhere: "brew install postgresql",
};

/// The pooler in front of PostgreSQL.
pub const PGBOUNCER: Package = Package {
    name: "pgbouncer",
    debian: "pgbouncer",
    programs: &["pgbouncer"],
    units: &["pgbouncer.service"],
    version_flag: "--version",
    elsewhere: "brew install pgbouncer",
};

/// The web server in front of several nodes.
pub const NGINX: Package = Package {
    name: "nginx",
    debian: "nginx-light",
    programs: &["nginx"],
    units: &["nginx.service"],
    version_flag: "-v",
    elsewhere: "brew install nginx",
};

/// Every server that the project can start.
pub const PACKAGES: &[Package] = &[POSTGRES, PGBOUNCER, NGINX];

impl Package {
    /// Where `program` is: below Debian's folder of the newest version, or on PATH.
    pub(crate) fn program(&self, program: &str) -> Result<PathBuf, ServerError> {
        find(program)
            .ok_or_else(|| ServerError::Missing { program: program.to_owned(), remedy: self.remedy() })
    }

    /// The programs that are not on this machine.
    pub fn missing(&self) -> Vec<&'static str> {
        self.programs.iter().copied().filter(|program| find(program).is_none()).collect()
    }

    /// The first line of what its program says about its version.
    pub fn version(&self) -> Option<String> {
        let output = Command::new(find(self.programs.first()?)?).arg(self.version_flag).output().ok()?;
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&said).lines().next().map(str::to_owned)
    }

    /// The command that installs it here.
    pub fn remedy(&self) -> String {
        if is_debian() {
            return format!("cargo xtask services install {}", self.name);
        }
        self.elsewhere.to_owned()
    }
}

/// Whether packages come from Debian's or Ubuntu's `apt-get`.
pub fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists()
}

fn find(program: &str) -> Option<PathBuf> {
    let below_version = |(_, folder): (u32, PathBuf)| folder.join("bin").join(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Daemons live where an ordinary user's PATH does not lead.
    let on_path = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let candidates =
        debian_versions().into_iter().map(below_version).chain(on_path.map(|folder| folder.join(program)));
    candidates.into_iter().find(|path| path.is_file())
}

/// Newest first. All programs of one server come from one folder, because it is the same list for each.
fn debian_versions() -> Vec<(u32, PathBuf)> {
    let entries = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .filter(|(_, folder)| folder.join("bin/postgres").is_file())
        .collect();
    versions.sort_by(|one, other| other.cmp(one));
    versions
}
