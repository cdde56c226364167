//! `backup`: a copy of the data directory.

use super::Context;
use crate::{Bar, Exit, Failure, Output, grouped, target};
use gallae_sqlite::log::{BackupProgress, backup_directory};
use serde_json::json;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Copies the log as it stands at one moment, while orders go on. Views are not copied: they are\n\
folded from the log again at the first start on the copy.\n\n\
To restore, start a server on the copy, or move it to where the data directory was:\n  {bin} serve --data-dir DIR\n\n\
Examples:\n  {bin} backup /backups/2026-01-31\n  {bin} backup /backups/now --data-dir /srv/shop --json")]
pub struct Backup {
    /// The folder to make; it must not hold a backup already
    directory: PathBuf,
}

impl Backup {
    pub(super) async fn run(&self, cx: Context<'_>) -> Result<Exit, Failure> {
        if cx.target.url.is_some() {
            return Err(Failure::new(Exit::Usage, "a backup is made on the machine that holds the data directory")
                .hint("run it there, with --data-dir"));
        }
        let from = target::directory(&cx.target.settings(cx.application)?)?;
        let pages = copy_log(cx.output, &from, &self.directory).await?;
        // After the log: what these hold is never older than what the log says of it.
        let mut files = vec!["log.db".to_owned()];
        for name in cx.application.files() {
            if copy_file(&from.join(name), &self.directory.join(name))? {
                files.push((*name).to_owned());
            }
        }
        let told = json!({ "directory": self.directory, "files": files, "pages": pages });
        cx.output.give(&told, || {
            let shown = self.directory.display();
            format!("{} pages and {} files are in {shown}\nstart a server on it with: serve --data-dir {shown}", grouped(i64::try_from(pages).unwrap_or(i64::MAX)), files.len())
        })?;
        Ok(Exit::Done)
    }
}

async fn copy_log(output: &Output, from: &Path, to: &Path) -> Result<u64, Failure> {
    let bar = Bar::new(output, "backup", "pages");
    let (from, to) = (from.to_owned(), to.to_owned());
    let copying = tokio::task::spawn_blocking(move || {
        let mut pages = 0;
        let copied = backup_directory(&from, &to, |BackupProgress { done, total }| {
            bar.set(done, total);
            pages = total;
        });
        copied.map(|()| pages)
    });
    let doing = "the backup was not made";
    let copied = copying.await.map_err(|error| Failure::because(Exit::Failed, doing, &error))?;
    copied.map_err(|error| Failure::because(Exit::Failed, doing, &error))
}

/// Copies a file that is only ever appended to, up to its last whole line, with its permissions. `false` if there is none.
fn copy_file(from: &Path, to: &Path) -> Result<bool, Failure> {
    let failed = |error: io::Error| {
        Failure::because(Exit::Failed, &format!("{} was not copied", from.display()), &error)
    };
    let mut content = match fs::read(from) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    if let Some(end) = content.iter().rposition(|byte| *byte == b'\n') {
        content.truncate(end + 1);
    }
    let permissions = fs::metadata(from).map_err(failed)?.permissions();
    fs::write(to, b"").and_then(|()| fs::set_permissions(to, permissions)).map_err(failed)?;
    fs::write(to, content).map_err(failed)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_torn_line_is_left_behind_and_permissions_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("a"), directory.path().join("b"));
        fs::write(&from, "one\ntwo\nthr").unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(copy_file(&from, &to).unwrap());
        assert_eq!(fs::read_to_string(&to).unwrap(), "one\ntwo\n");
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!copy_file(&directory.path().join("none"), &to).unwrap());
    }

    #[test]
    fn a_secret_of_one_line_without_an_end_is_copied_whole() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("a"), directory.path().join("b"));
        fs::write(&from, "secret").unwrap();
        assert!(copy_file(&from, &to).unwrap());
        assert_eq!(fs::read_to_string(&to).unwrap(), "secret");
    }
}
