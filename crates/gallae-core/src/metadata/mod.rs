//! What travels beside every event: who, why, where, and under which trace.

mod format;

pub use format::InvalidMetadata;
pub(crate) use format::{read, write};

use crate::{CommandId, CorrelationId, InvalidId};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};
use uuid::Uuid;

/// Facts about the writing of an event, shared by all events of one append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The business flow this belongs to.
    pub correlation_id: CorrelationId,
    /// The event or command that directly caused this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// The command that decided it. A command takes effect once however often it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<CommandId>,
    /// On whose behalf.
    pub actor: Actor,
    /// The node that wrote it.
    pub node: Arc<str>,
    /// The distributed trace it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceContext>,
    /// Anything else worth keeping; small.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
}

impl Metadata {
    /// Metadata with nothing but what every event must have.
    pub fn new(correlation_id: CorrelationId, actor: Actor, node: impl Into<Arc<str>>) -> Self {
        Self {
            correlation_id,
            causation_id: None,
            command_id: None,
            actor,
            node: node.into(),
            trace: None,
            extra: BTreeMap::new(),
        }
    }

    /// Metadata for what follows from the event or command `cause`: same flow and trace, new cause, no command yet.
    #[must_use]
    pub fn caused_by(&self, cause: Uuid) -> Self {
        Self { causation_id: Some(cause), command_id: None, ..self.clone() }
    }
}

/// On whose behalf something happens. Written as `anonymous`, `user:UUID` or `system:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// Nobody known.
    Anonymous,
    /// A person who logged in.
    User(Uuid),
    /// A part of the platform, such as a saga or an import.
    System(Arc<str>),
}

impl Actor {
    /// The person, when it is one.
    pub fn user(&self) -> Option<Uuid> {
        match self {
            Self::User(id) => Some(*id),
            _ => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::System(name) => write!(f, "system:{name}"),
        }
    }
}
impl FromStr for Actor {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let wrong = || InvalidId::new("actor", text, "anonymous, user:UUID or system:NAME");
        match text.split_once(':') {
            None if text == "anonymous" => Ok(Self::Anonymous),
            Some(("user", id)) => Uuid::try_parse(id).map(Self::User).map_err(|_| wrong()),
            Some(("system", name)) => Ok(Self::System(name.into())),
            _ => Err(wrong()),
        }
    }
}
impl TryFrom<String> for Actor {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}
impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}

/// A W3C trace context: the `traceparent` header in its version-00 form, and the optional `tracestate`.
/// Source: W3C Trace Context, Recommendation of 23 November 2021.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TraceContextText", into = "TraceContextText")]
pub struct TraceContext {
    parent: Arc<str>,
    state: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
struct TraceContextText {
    parent: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Arc<str>>,
}

/// The header is not a version-00 `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent: expected 00-<32 hex>-<16 hex>-<2 hex> with ids that are not all zero")]
pub struct InvalidTraceContext;

impl TraceContext {
    /// Reads a `traceparent` header. A `tracestate` over 512 bytes is dropped, as the standard allows.
    pub fn parse(parent: &str, state: Option<&str>) -> Result<Self, InvalidTraceContext> {
        let fields: Vec<&str> = parent.split('-').collect();
        let hex = |text: &str, len| {
            text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let nonzero = |text: &str| text.bytes().any(|b| b != b'0');
        match fields[..] {
            ["00", trace, span, flags]
                if hex(trace, 32) && hex(span, 16) && hex(flags, 2) && nonzero(trace) && nonzero(span) =>
            {
                let state = state.filter(|state| !state.is_empty() && state.len() <= 512);
                Ok(Self { parent: parent.into(), state: state.map(Into::into) })
            }
            _ => Err(InvalidTraceContext),
        }
    }

    /// The header as it travels.
    pub fn traceparent(&self) -> &str {
        &self.parent
    }

    /// The vendor header, if any.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The 32 hex digits that name the trace.
    pub fn trace_id(&self) -> &str {
        &self.parent[3..35]
    }
}

impl TryFrom<TraceContextText> for TraceContext {
    type Error = InvalidTraceContext;
    fn try_from(text: TraceContextText) -> Result<Self, InvalidTraceContext> {
        Self::parse(&text.parent, text.state.as_deref())
    }
}
impl From<TraceContext> for TraceContextText {
    fn from(context: TraceContext) -> Self {
        Self { parent: context.parent, state: context.state }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_contexts_are_read_as_the_standard_says() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::parse(good, Some("vendor=1")).unwrap();
        assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.tracestate(), Some("vendor=1"));
        for bad in [
            "",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert!(TraceContext::parse(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn metadata_round_trips_and_omits_what_is_absent() {
        let metadata = Metadata::new("c-1".parse().unwrap(), Actor::System("import".into()), "node-1");
        let text = serde_json::to_string(&metadata).unwrap();
        assert_eq!(text, r#"{"correlationId":"c-1","actor":"system:import","node":"node-1"}"#);
        assert_eq!(serde_json::from_str::<Metadata>(&text).unwrap(), metadata);
        assert!("robot".parse::<Actor>().is_err());
    }
}
