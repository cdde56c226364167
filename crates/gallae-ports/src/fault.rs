//! What went wrong underneath, kept opaque.

use std::{error::Error, fmt, time::Duration};

/// A fault of a store or a broker: what was being done, what the driver said, and when trying again makes sense.
///
/// Whether data may have been written is said by the error that carries the fault, never by the fault itself.
#[derive(Debug)]
pub struct StoreFault {
    doing: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    retry_after: Duration,
}

impl StoreFault {
    /// A fault while `doing` something, such as "appending to the log".
    pub fn new(doing: impl Into<String>) -> Self {
        Self { doing: doing.into(), source: None, retry_after: Duration::from_secs(1) }
    }

    /// Adds what the driver said.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Replaces the default advice of one second.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = wait;
        self
    }

    /// When trying again makes sense.
    pub fn wait(&self) -> Duration {
        self.retry_after
    }
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store failed while {}", self.doing)
    }
}

impl Error for StoreFault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
