//! How the platform's own types are put into words for people and machines outside.

use gallae_core::Timestamp;
use serde::Serialize;
use std::{error::Error, time::Duration};

/// The word under which a plain enum is serialised.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// RFC 3339, UTC, microseconds.
pub(crate) fn time(at: Timestamp) -> String {
    at.to_string()
}

/// Milliseconds with their fraction.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// An error with everything it was caused by, for a log line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
