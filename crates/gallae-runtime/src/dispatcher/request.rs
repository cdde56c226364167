//! What is sent.

use bytes::Bytes;
use gallae_core::{Metadata, StreamId, Timestamp, Version};
use gallae_ports::{Claim, Expected, Guard};

/// A command with everything that shall commit together with its events.
#[derive(Clone, Debug)]
pub struct Request<C> {
    pub(crate) command: C,
    pub(crate) metadata: Metadata,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) guards: Vec<Guard>,
    pub(crate) claims: Vec<Claim>,
}

/// Makes a request happen once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Scope and key, such as user, route and the client's key; unique across the store.
    pub key: String,
    /// Identifies the content: the same key with another fingerprint is refused.
    pub fingerprint: String,
    /// The answer that repetitions get. It holds nothing that is known only after the commit.
    pub response: Bytes,
    /// Until when repetitions are recognised.
    pub expires_at: Timestamp,
}

impl<C> Request<C> {
    /// A command and who sends it, in which flow.
    pub fn new(command: C, metadata: Metadata) -> Self {
        Self { command, metadata, idempotency: None, guards: Vec::new(), claims: Vec::new() }
    }

    /// Makes it happen once.
    #[must_use]
    pub fn once(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = Some(idempotency);
        self
    }

    /// Refuses the command, as a conflict, unless `stream` still stands at `version` when it commits.
    #[must_use]
    pub fn guard(mut self, stream: StreamId, version: Version) -> Self {
        let expected = if version == Version::NONE { Expected::NoStream } else { Expected::Exact(version) };
        self.guards.push(Guard { stream, expected });
        self
    }

    /// Takes or gives back a unique key in the same transaction.
    #[must_use]
    pub fn claim(mut self, claim: Claim) -> Self {
        self.claims.push(claim);
        self
    }
}
