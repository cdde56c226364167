//! Whose account servers run under: most refuse root.

use crate::ServerError;
use std::{path::Path, process::Command};

/// The account that Debian's packages of PostgreSQL make.
const SERVER_USER: &str = "postgres";

/// The account that servers run under: one's own or, for root, that of PostgreSQL.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Set when one has to change to it.
    other: Option<Ids>,
}

#[derive(Clone, Copy, Debug)]
struct Ids {
    user: u32,
    group: u32,
}

impl Account {
    pub(crate) fn for_servers() -> Result<Self, ServerError> {
        if id(&["-u"])? != 0 {
            return Ok(Self { other: None });
        }
        let ids =
            id(&["-u", SERVER_USER]).and_then(|user| Ok(Ids { user, group: id(&["-g", SERVER_USER])? }));
        let ids = ids.map_err(|_| {
            ServerError::Unsupported(format!(
                "servers do not run as root, and there is no user {SERVER_USER} to run them as; make one with `useradd \
                 --system {SERVER_USER}`, or do this as an ordinary user"
            ))
        })?;
        Ok(Self { other: Some(ids) })
    }

    /// A command that runs `program` under this account, with the same process id.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = match self.other {
            None => Command::new(program),
            Some(ids) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={}", ids.user)).arg(format!("--regid={}", ids.group));
                command.arg("--init-groups").arg(program);
                command
            }
        };
        // The working folder of whoever tests may be closed to the account.
        command.current_dir("/");
        command
    }

    /// Gives a file or folder to this account.
    pub(crate) fn own(&self, path: &Path) -> Result<(), ServerError> {
        let Some(ids) = self.other else { return Ok(()) };
        chown(path, ids).map_err(ServerError::system(format!("give {} to {SERVER_USER}", path.display())))
    }
}

#[cfg(unix)]
fn chown(path: &Path, ids: Ids) -> std::io::Result<()> {
    std::os::unix::fs::chown(path, Some(ids.user), Some(ids.group))
}

#[cfg(not(unix))]
fn chown(_: &Path, _: Ids) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

fn id(arguments: &[&str]) -> Result<u32, ServerError> {
    let doing = || format!("ask `id {}`", arguments.join(" "));
    let output = Command::new("id").args(arguments).output().map_err(ServerError::system(doing()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        ServerError::System { doing: doing(), source: std::io::Error::other(words) }
    })
}
