//! A copy of the views while they are written.

use super::{FILE, SqliteViews};
use crate::connection::open_reader;
use gallae_ports::StoreFault;
use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};
use tokio::sync::oneshot;

const COPYING: &str = "copying the views";
/// Pages copied at a time: 8 MB.
const STEP: i32 = 2_048;

/// Why there is no backup. The views themselves are untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There are views already; nothing was overwritten.
    #[error("{path} exists already: choose an empty directory")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The destination cannot be written.
    #[error("the backup cannot be written to {path}")]
    Destination {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading or writing failed on the way.
    #[error("the backup was not finished; delete what there is of it and start again")]
    Failed(#[source] StoreFault),
}

impl SqliteViews {
    /// Copies the views, as they stand now, to `views.db` in the directory `to`. Reads and writes go on meanwhile. The copy
    /// takes its name only when it is complete and on disk.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub async fn backup(&self, to: impl AsRef<Path>) -> Result<(), BackupError> {
        let (from, directory) = (self.path().to_owned(), to.as_ref().to_owned());
        let (reply, answer) = oneshot::channel();
        let copying = thread::Builder::new().name("views-backup".to_owned()).spawn(move || {
            // Nobody may be waiting any more.
            let _ = reply.send(back_up(&from, &directory));
        });
        if let Err(error) = copying {
            return Err(failed(error));
        }
        answer.await.unwrap_or_else(|stopped| Err(failed(stopped)))
    }
}

fn back_up(from: &Path, directory: &Path) -> Result<(), BackupError> {
    let (path, partial) = (directory.join(FILE), directory.join(format!("{FILE}.partial")));
    if path.exists() {
        return Err(BackupError::Exists { path });
    }
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Destination { path, source }
    };
    fs::create_dir_all(directory).map_err(unwritable(directory))?;
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(&partial)(error)),
        _ => {}
    }
    let source = open_reader(from).map_err(failed)?;
    copy(&source, &partial).map_err(failed)?;
    let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all()).map_err(unwritable(path));
    sync(&partial)?;
    fs::rename(&partial, &path).map_err(unwritable(&path))?;
    sync(directory)
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> BackupError {
    BackupError::Failed(StoreFault::new(COPYING).because(error))
}

fn copy(source: &Connection, to: &Path) -> rusqlite::Result<()> {
    // One snapshot for the whole copy; without it every commit would start the copy anew.
    let snapshot = source.unchecked_transaction()?;
    snapshot.query_row("SELECT count(*) FROM projections", (), |row| row.get::<_, i64>(0))?;
    let mut destination = Connection::open(to)?;
    let backup = Backup::new(&snapshot, &mut destination)?;
    loop {
        match backup.step(STEP)? {
            StepResult::Done => break,
            StepResult::More => {}
            // Nobody else has either file locked for longer than a moment.
            _ => thread::sleep(Duration::from_millis(10)),
        }
    }
    drop(backup);
    destination.close().map_err(|(_, error)| error)?;
    snapshot.finish()
}
