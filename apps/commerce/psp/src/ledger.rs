//! The file: one JSON line for each operation, only ever appended to.

use crate::{Decline, Fingerprint, Key, Money, Operation, Outcome, PaymentRef, Receipt};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// When, in microseconds UTC by the provider's clock.
    pub at: i64,
    /// What was asked for.
    pub operation: Operation,
    /// Under which key.
    pub key: Key,
    /// For which order.
    pub order: String,
    /// The payment concerned, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentRef>,
    /// What was moved, or in a refused operation what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// Only in a void: the key of the authorisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Key>,
    /// Present when the operation was refused and nothing was moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline: Option<Decline>,
    /// Of the whole request.
    pub request: Fingerprint,
}

impl Entry {
    /// What the caller is told of it.
    pub fn outcome(&self) -> Outcome {
        match &self.decline {
            Some(decline) => Outcome::Declined(decline.clone()),
            None => Outcome::Executed(Receipt {
                operation: self.operation,
                key: self.key.clone(),
                order: self.order.clone(),
                payment: self.payment,
                money: self.money,
                at: self.at,
            }),
        }
    }
}

/// The ledger cannot be opened or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file cannot be opened, read or truncated.
    #[error("the ledger {path} cannot be used")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another provider has it open.
    #[error("the ledger {path} is in use by another process: stop that one first")]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// A complete line is not an entry, or breaks the rules of the ledger. Nothing was changed.
    #[error("the ledger {path} is damaged at byte {offset}: {reason}; restore the file or move it away")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where the line begins.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// A line without an end, left by a process that died while it wrote. It was never answered, and was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornLine {
    /// Where it began; now the end of the file.
    pub offset: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
}

/// Where a line is in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    offset: u64,
    bytes: u32,
}

#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    end: u64,
    line: Vec<u8>,
    torn: Option<TornLine>,
}

impl Ledger {
    /// Opens or creates the file, gives every entry in it to `replay`, and cuts a torn last line off.
    pub(crate) fn open(
        path: &Path,
        mut replay: impl FnMut(&Entry, Place) -> Result<(), String>,
    ) -> Result<Self, LedgerError> {
        let path = path.to_owned();
        let io = |source| LedgerError::Io { path: path.clone(), source };
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::InUse { path }),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let mut lines = Lines::new(path.clone(), &file);
        while let Some((entry, place)) = lines.next_entry()? {
            replay(&entry, place).map_err(|reason| lines.damaged(place.offset, reason))?;
        }
        let torn = (!lines.line.is_empty())
            .then_some(TornLine { offset: lines.offset, bytes: lines.line.len() as u64 });
        let end = lines.offset;
        if torn.is_some() {
            file.set_len(end).map_err(io)?;
        }
        Ok(Self { path, file, end, line: Vec::new(), torn })
    }

    pub(crate) fn torn(&self) -> Option<TornLine> {
        self.torn
    }

    /// Appends with one `write(2)`. On an error the file is as it was before; if even that cannot be restored, every
    /// later append would follow a torn line, and so they all fail until the ledger is opened again.
    pub(crate) fn append(&mut self, entry: &Entry) -> io::Result<Place> {
        if self.file.metadata()?.len() != self.end {
            return Err(io::Error::other("the ledger has a torn or foreign end: open it again"));
        }
        self.line.clear();
        serde_json::to_writer(&mut self.line, entry)?;
        self.line.push(b'\n');
        if let Err(fault) = self.file.write_all(&self.line) {
            // A failure to cut the torn line off is seen by the check above, at the next append.
            let _ = self.file.set_len(self.end);
            return Err(fault);
        }
        let place = Place { offset: self.end, bytes: self.line.len() as u32 };
        self.end += u64::from(place.bytes);
        Ok(place)
    }

    pub(crate) fn read(&self, place: Place) -> io::Result<Entry> {
        let mut line = vec![0; place.bytes as usize];
        self.file.read_exact_at(&mut line, place.offset)?;
        Ok(serde_json::from_slice(&line)?)
    }

    /// The entries up to now, read from the file.
    pub(crate) fn entries(&self) -> Result<Entries, LedgerError> {
        let io = |source| LedgerError::Io { path: self.path.clone(), source };
        let file = File::open(&self.path).map_err(io)?;
        Ok(Entries { lines: Lines::new(self.path.clone(), file.take(self.end)), failed: false })
    }
}

impl Drop for Ledger {
    /// Closing alone would not do: a child that this process is just starting holds the same open file for a moment, and
    /// the lock with it. Where unlocking fails, closing is what remains.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// The entries of a ledger, oldest first.
#[derive(Debug)]
pub struct Entries {
    lines: Lines<io::Take<File>>,
    failed: bool,
}

impl Iterator for Entries {
    type Item = Result<Entry, LedgerError>;

    /// Ends after the first error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.lines.next_entry().map(|found| found.map(|(entry, _)| entry)).transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

#[derive(Debug)]
struct Lines<R> {
    path: PathBuf,
    reader: BufReader<R>,
    offset: u64,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    fn new(path: PathBuf, reader: R) -> Self {
        Self { path, reader: BufReader::with_capacity(1 << 16, reader), offset: 0, line: Vec::new() }
    }

    /// The next complete line. At the end of the file, `line` holds what follows the last one.
    fn next_entry(&mut self) -> Result<Option<(Entry, Place)>, LedgerError> {
        self.line.clear();
        let read = self.reader.read_until(b'\n', &mut self.line);
        read.map_err(|source| LedgerError::Io { path: self.path.clone(), source })?;
        if self.line.last() != Some(&b'\n') {
            return Ok(None);
        }
        let place = Place { offset: self.offset, bytes: self.line.len() as u32 };
        let entry = serde_json::from_slice(&self.line)
            .map_err(|fault| self.damaged(place.offset, fault.to_string()))?;
        self.offset += u64::from(place.bytes);
        Ok(Some((entry, place)))
    }

    fn damaged(&self, offset: u64, reason: String) -> LedgerError {
        LedgerError::Damaged { path: self.path.clone(), offset, reason }
    }
}
