//! One process per data directory.

use crate::OpenError;
use gallae_core::Timestamp;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::Path,
};

const FILE: &str = "gallae.lock";

/// Held while this process writes to the directory. The system lets it go when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock and leaves a note of who holds it.
    pub(crate) fn acquire(directory: &Path, node: &str, now: Timestamp) -> Result<Self, OpenError> {
        let path = directory.join(FILE);
        let failed = |source| OpenError::Directory { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { directory: directory.into(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        leave_note(&mut file, node, now).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn leave_note(file: &mut File, node: &str, now: Timestamp) -> io::Result<()> {
    let process = std::process::id();
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {process} (node {node} on {}, since {now})", host())
}

fn holder(file: &mut File) -> String {
    let mut note = String::new();
    match file.read_to_string(&mut note) {
        Ok(_) if !note.is_empty() => note,
        _ => "another process".to_owned(),
    }
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "this host".to_owned() } else { name.trim().to_owned() }
}
