//! Calls to participants outside.

use super::dependencies::{Dependencies, Limits};
use gallae_core::{
    SagaId,
    saga::{Direction, EffectKey},
};
use gallae_ports::BoxFuture;
use serde_json::Value;
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

/// Speaks to one participant, such as a payment provider.
///
/// The engine makes a call only after it is durable that it is about to, and may make it again with the same key: after a crash,
/// after an unknown outcome, from a successor while a predecessor still runs. The participant must execute a key at most once, and
/// answer a repetition with the first answer.
pub trait EffectHandler: Send + Sync + 'static {
    /// Makes the call. A call that takes longer than the step's attempt timeout is dropped and counts as [`CallOutcome::Unknown`].
    fn call(&self, call: EffectCall) -> BoxFuture<'_, CallOutcome>;

    /// Asks what became of a call.
    fn query<'a>(&'a self, key: &'a EffectKey, operation: &'a str) -> BoxFuture<'a, QueryOutcome>;

    /// How the outcome of `operation` is found out when it is unknown.
    fn resolution(&self, _operation: &str) -> Resolution {
        Resolution::Query
    }
}

/// What is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectCall {
    /// The idempotency key: the same for every attempt, node and epoch.
    pub key: EffectKey,
    /// Who calls.
    pub saga: SagaId,
    /// For which step.
    pub step: &'static str,
    /// To do it or to undo it.
    pub direction: Direction,
    /// What is asked.
    pub operation: &'static str,
    /// The request's body; the same in every attempt.
    pub body: Value,
    /// The epoch of the caller's lease. A participant may refuse an epoch lower than one it has seen of this saga.
    pub epoch: u64,
    /// From 1.
    pub attempt: u32,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallOutcome {
    /// It was executed.
    Succeeded(Value),
    /// The participant said no, finally, and did nothing.
    Rejected {
        /// Stable code.
        code: String,
        /// In words.
        reason: String,
    },
    /// It certainly did not happen; another attempt may work.
    Transient(String),
    /// It certainly did not happen; the participant asks for patience. Does not count as an attempt.
    Throttled {
        /// How long to wait at least.
        retry_after: Duration,
    },
    /// It may have happened: the connection broke, or no answer came in time.
    Unknown(String),
    /// It did not happen and never can: a bug or a broken contract. The saga waits for an operator.
    Permanent(String),
}

/// What became of a call, by the participant's own record.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryOutcome {
    /// It was executed, with this answer.
    Executed(Value),
    /// It was refused.
    Refused {
        /// Stable code.
        code: String,
        /// In words.
        reason: String,
    },
    /// It was not executed, and no earlier copy of the call is still under way: only a new one would execute it.
    NotExecuted,
    /// Still not known; the engine asks again.
    Unknown,
}

/// How an unknown outcome becomes known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// By asking: [`EffectHandler::query`].
    Query,
    /// By sending the same call with the same key again.
    Resend,
    /// Not at all: the participant has neither queries nor keys. The saga waits for an operator.
    Impossible,
}

/// The handler of each dependency.
#[derive(Clone, Default)]
pub struct Effects {
    handlers: BTreeMap<&'static str, Arc<dyn EffectHandler>>,
    limits: BTreeMap<String, Limits>,
}

impl Effects {
    /// No handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds, or replaces, the handler of a dependency.
    #[must_use]
    pub fn with(mut self, dependency: &'static str, handler: Arc<dyn EffectHandler>) -> Self {
        self.handlers.insert(dependency, handler);
        self
    }

    /// Sets the limits of calls to a dependency; [`Limits::default`] otherwise.
    #[must_use]
    pub fn limited(mut self, dependency: impl Into<String>, limits: Limits) -> Self {
        self.limits.insert(dependency.into(), limits);
        self
    }

    /// Names that limits were set for and that no handler has.
    pub(crate) fn unknown_limits(&self) -> Vec<&str> {
        self.limits.keys().map(String::as_str).filter(|name| self.handler(name).is_none()).collect()
    }

    /// Each dependency, unused yet.
    pub(super) fn dependencies(&self) -> Dependencies {
        let limits = |name: &str| self.limits.get(name).copied().unwrap_or_default();
        Dependencies::new(self.handlers.keys().map(|name| (*name, limits(name))))
    }

    pub(super) fn handler(&self, dependency: &str) -> Option<&Arc<dyn EffectHandler>> {
        self.handlers.get(dependency)
    }
}

impl fmt::Debug for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.handlers.keys()).finish()
    }
}
