//! A copy of the log while it is written.

use super::{FILE, SqliteLog, event_store::aside};
use crate::{connection::open_reader, error::fault};
use gallae_ports::StoreFault;
use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Pages copied between two reports of progress: 8 MB.
const STEP: i32 = 1_024;

const COPYING: &str = "copying the log";

/// How far a backup has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupProgress {
    /// Pages copied.
    pub done: u64,
    /// Pages in all.
    pub total: u64,
}

/// Why there is no backup. The log itself is untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is a log already; nothing was overwritten.
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

/// Copies the log of the data directory `from`, as it stands now, to `log.db` in the directory `to`, without opening it for
/// writing: also while another process appends to it. Blocks until it is done. See [`SqliteLog::backup`].
///
/// # Errors
/// See [`BackupError`].
pub fn backup_directory(
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
    progress: impl FnMut(BackupProgress),
) -> Result<(), BackupError> {
    back_up(&from.as_ref().join(FILE), to.as_ref(), progress)
}

impl SqliteLog {
    /// Copies the log, as it stands now, to `log.db` in the directory `to`, which becomes a data directory. Appends go on
    /// meanwhile. The copy takes its name only when it is complete and on disk.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub async fn backup(
        &self,
        to: impl AsRef<Path>,
        progress: impl FnMut(BackupProgress) + Send + 'static,
    ) -> Result<(), BackupError> {
        let directory = to.as_ref().to_owned();
        let from = self.inner.path.clone();
        let done = aside(COPYING, move || Ok(back_up(&from, &directory, progress))).await;
        done.map_err(BackupError::Failed)?
    }
}

fn back_up(from: &Path, directory: &Path, progress: impl FnMut(BackupProgress)) -> Result<(), BackupError> {
    let path = directory.join(FILE);
    let partial = directory.join(format!("{FILE}.partial"));
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
    let source =
        open_reader(from).map_err(|error| BackupError::Failed(StoreFault::new(COPYING).because(error)))?;
    copy(&source, &partial, progress).map_err(|error| BackupError::Failed(fault(COPYING, error)))?;
    let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all()).map_err(unwritable(path));
    sync(&partial)?;
    fs::rename(&partial, &path).map_err(unwritable(&path))?;
    sync(directory)
}

fn copy(source: &Connection, to: &Path, mut progress: impl FnMut(BackupProgress)) -> rusqlite::Result<()> {
    // One snapshot for the whole copy; without it every commit would start the copy anew.
    let snapshot = source.unchecked_transaction()?;
    snapshot.query_row("SELECT count(*) FROM store", [], |row| row.get::<_, i64>(0))?;
    let mut destination = Connection::open(to)?;
    let backup = Backup::new(&snapshot, &mut destination)?;
    loop {
        let result = backup.step(STEP)?;
        let counts = backup.progress();
        let total = u64::try_from(counts.pagecount).unwrap_or(0);
        let remaining = u64::try_from(counts.remaining).unwrap_or(0);
        progress(BackupProgress { done: total.saturating_sub(remaining), total });
        match result {
            StepResult::Done => break,
            StepResult::More => {}
            // Nobody else has either file locked for longer than a moment.
            _ => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    }
    drop(backup);
    destination.close().map_err(|(_, error)| error)?;
    snapshot.finish()
}
