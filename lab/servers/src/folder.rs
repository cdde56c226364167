use crate::{ServerError, account::Account, watchdog::Watchdog};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// A dying server may still write while its folder is removed.
const REMOVED_WITHIN: Duration = Duration::from_secs(10);

/// A temporary folder that the servers' account owns and nobody else may read. Gone when dropped, and also when this
/// process is killed.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _watchdog: Watchdog,
}

impl Folder {
    pub(crate) fn create(account: &Account) -> Result<Self, ServerError> {
        let path = std::env::temp_dir().join(format!("gallae-lab-{}", crate::random_word()));
        let watchdog = Watchdog::over_folder(&path)?;
        private(&path, account)?;
        Ok(Self { path, _watchdog: watchdog })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let deadline = Instant::now() + REMOVED_WITHIN;
        while fs::remove_dir_all(&self.path).is_err() && self.path.exists() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A new folder that `account` alone may enter.
pub(crate) fn private(path: &Path, account: &Account) -> Result<(), ServerError> {
    let doing = || format!("create the folder {}", path.display());
    fs::create_dir(path).map_err(ServerError::system(doing()))?;
    restrict(path, 0o700).map_err(ServerError::system(doing()))?;
    account.own(path)
}

#[cfg(unix)]
pub(crate) fn restrict(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub(crate) fn restrict(_: &Path, _: u32) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
