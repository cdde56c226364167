//! Calls to the outside, and the keys that make repeating them harmless.

use crate::SagaId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use uuid::Uuid;

/// Whether a step is being done or undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Forward.
    Do,
    /// Compensation.
    Undo,
}

impl Direction {
    /// The word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Undo => "undo",
        }
    }
}

/// What a participant receives as idempotency key: the same for every attempt, node and epoch, so that a zombie and its
/// successor collide into one execution.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectKey(String);

impl EffectKey {
    /// blake3 over store, saga, step and direction, in hex.
    pub fn new(store: Uuid, saga: SagaId, step: &str, direction: Direction) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(store.as_bytes()).update(saga.uuid().as_bytes());
        hasher.update(step.as_bytes()).update(b"\0").update(direction.as_str().as_bytes());
        Self(hasher.finalize().to_hex()[..40].to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EffectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What identifies the content of a request, fixed at its first dispatch: a later attempt with another hash is a bug.
pub fn request_hash(dependency: &str, operation: &str, body: &Value) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(dependency.as_bytes()).update(b"\0").update(operation.as_bytes()).update(b"\0");
    // serde_json writes object members in key order: its maps are sorted.
    hasher.update(body.to_string().as_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The known end of a call, as told to the function that records it in the domain.
#[derive(Clone, Debug, PartialEq)]
pub enum CallResult<T> {
    /// It was executed.
    Succeeded(T),
    /// The participant said no, and did nothing.
    Rejected {
        /// Stable code.
        code: String,
        /// In words.
        reason: String,
    },
}
