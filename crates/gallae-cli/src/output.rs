//! Where words go: data to standard output, everything else to standard error.

use crate::Failure;
use serde_json::Value;
use std::{
    fmt,
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
};

type Sink = Arc<Mutex<dyn Write + Send>>;

/// What a verb writes to. Cheap to clone.
#[derive(Clone)]
pub struct Output {
    json: bool,
    terminal: bool,
    data: Sink,
    notes: Sink,
}

impl Output {
    /// To this process's standard streams.
    pub fn standard(json: bool) -> Self {
        Self {
            json,
            terminal: io::stderr().is_terminal(),
            data: Arc::new(Mutex::new(io::stdout())),
            notes: Arc::new(Mutex::new(io::stderr())),
        }
    }

    /// To memory: for tests. Bars are not drawn.
    pub fn to(json: bool, data: Arc<Mutex<Vec<u8>>>, notes: Arc<Mutex<Vec<u8>>>) -> Self {
        Self { json, terminal: false, data, notes }
    }

    /// Whether a program reads the data.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether somebody looks on, so that bars may be drawn.
    pub fn is_watched(&self) -> bool {
        self.terminal
    }

    /// Gives out the data: as JSON for a program, in words for people.
    ///
    /// # Errors
    /// When nobody can read it.
    pub fn give(&self, json: &Value, words: impl FnOnce() -> String) -> Result<(), Failure> {
        let text = if self.json { pretty(json) } else { words() };
        self.line(&text)
    }

    /// Gives out one of many: a line of JSON for a program, in words for people.
    ///
    /// # Errors
    /// When nobody can read it.
    pub fn give_one(&self, json: &Value, words: impl FnOnce() -> String) -> Result<(), Failure> {
        let text = if self.json { json.to_string() } else { words() };
        self.line(&text)
    }

    /// Says something that is not data.
    pub fn note(&self, text: impl fmt::Display) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever closed standard error does not want to be told.
        let _ = writeln!(notes, "{text}");
    }

    fn line(&self, text: &str) -> Result<(), Failure> {
        let mut data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        let written = writeln!(data, "{}", text.trim_end_matches('\n')).and_then(|()| data.flush());
        written.map_err(|error| Failure::failed(format!("standard output cannot be written: {error}")))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("json", &self.json).finish_non_exhaustive()
    }
}

fn pretty(json: &Value) -> String {
    serde_json::to_string_pretty(json).unwrap_or_else(|_| json.to_string())
}
