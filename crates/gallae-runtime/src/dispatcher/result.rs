//! What comes back.

use super::execute::Failure;
use bytes::Bytes;
use gallae_core::{AnyRejection, Position, Rejection, RejectionKind, SagaId, StreamId, Timestamp, Version};
use gallae_ports::{AppendError, Appended, ReadError, StoreFault};
use serde_json::Value;

/// A command that took effect, now or before.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// What a client hands back to read its own write.
    pub position: Position,
    /// The version of the command's stream.
    pub version: Version,
    /// How many events it decided now; none if there was nothing to do or it was a repetition.
    pub events: usize,
    /// Sagas that it started.
    pub sagas: Vec<SagaId>,
    /// The first answer, when this was a repetition.
    pub replayed: Option<Bytes>,
    pub(crate) appended: Appended,
}

/// Why a command did not take effect, by consequence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError<R: Rejection> {
    /// The domain says no. Nothing was written.
    #[error(transparent)]
    Rejected(R),
    /// Other writers kept getting in between, or a guarded stream moved. Nothing was written.
    #[error("{stream} was changed by others at the same time; nothing was written, send the command again")]
    Conflict {
        /// Which stream.
        stream: StreamId,
        /// Where it stands.
        actual: Version,
    },
    /// Somebody else holds a unique key. Nothing was written.
    #[error("{key} belongs to {owner}")]
    ClaimTaken {
        /// The key.
        key: String,
        /// Who holds it.
        owner: String,
        /// Until when.
        expires_at: Option<Timestamp>,
    },
    /// The idempotency key was used for another request. Nothing was written.
    #[error("the idempotency key was used for a different request")]
    KeyReused,
    /// The command holds more than one append may carry. Nothing was written.
    #[error("the command's events hold {size} bytes, more than {limit}")]
    TooLarge {
        /// Bytes.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Nothing was written; try again later.
    #[error("the store is unavailable; nothing was written")]
    Unavailable(#[source] StoreFault),
    /// It may have been written: send the same command with the same idempotency key.
    #[error("the outcome is unknown; send the same command again with the same key")]
    Indeterminate(#[source] StoreFault),
    /// The program and its data do not fit together. Nothing was written.
    #[error("the command could not be carried out: {0}")]
    Internal(String),
}

impl<R: Rejection> SendError<R> {
    /// One word for metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Rejected(_) => "rejected",
            Self::Conflict { .. } => "conflict",
            Self::ClaimTaken { .. } => "claim_taken",
            Self::KeyReused => "key_reused",
            Self::TooLarge { .. } => "too_large",
            Self::Unavailable(_) => "unavailable",
            Self::Indeterminate(_) => "indeterminate",
            Self::Internal(_) => "internal",
        }
    }

    pub(super) fn from_failure(failure: Failure) -> Self {
        match failure {
            Failure::Decided { rejection: AnyRejection::Rejected { typed, reason, .. }, .. } => {
                match typed.downcast::<R>() {
                    Ok(rejection) => Self::Rejected(*rejection),
                    Err(_) => Self::Internal(reason),
                }
            }
            Failure::Append(error) => Self::from_append(error),
            Failure::Read(ReadError::Unavailable(fault)) => Self::Unavailable(fault),
            Failure::KeyReused => Self::KeyReused,
            other => Self::Internal(other.to_string()),
        }
    }

    fn from_append(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { stream, actual, .. } => Self::Conflict { stream, actual },
            AppendError::ClaimTaken { key, owner, expires_at } => Self::ClaimTaken { key, owner, expires_at },
            AppendError::TooLarge { size, limit } => Self::TooLarge { size, limit },
            AppendError::Unavailable(fault) => Self::Unavailable(fault),
            AppendError::Indeterminate(fault) => Self::Indeterminate(fault),
            other => Self::Internal(other.to_string()),
        }
    }
}

/// Why a saga's transition was not appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransactError {
    /// A command was refused by its domain. Nothing was written.
    #[error("command {index} was rejected: {reason}")]
    Rejected {
        /// Which of the commands.
        index: usize,
        /// Stable code.
        code: String,
        /// Conflict or unprocessable.
        kind: RejectionKind,
        /// In words.
        reason: String,
        /// What a client can act on.
        facts: Value,
    },
    /// The batch itself was refused or its outcome is unknown.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A stream could not be read. Nothing was written.
    #[error("a stream could not be read")]
    Read(#[source] ReadError),
    /// The program and its data do not fit together: trying again cannot help. Nothing was written.
    #[error("{0}")]
    Broken(String),
}

impl TransactError {
    pub(super) fn from_failure(failure: Failure) -> Self {
        match failure {
            Failure::Decided {
                index,
                rejection: AnyRejection::Rejected { code, kind, reason, facts, .. },
            } => Self::Rejected { index, code: code.to_owned(), kind, reason, facts },
            Failure::Append(error) => Self::Append(error),
            Failure::Read(error) => Self::Read(error),
            other => Self::Broken(other.to_string()),
        }
    }
}
