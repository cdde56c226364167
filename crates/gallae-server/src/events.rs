//! Recorded events, as routes show them.

use crate::words::time;
use gallae_core::RecordedEvent;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An event of the log, whole.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventBody {
    /// Place in the whole log.
    pub position: u64,
    /// The stream it belongs to.
    pub stream: String,
    /// Place in that stream.
    pub version: u64,
    /// Names the event.
    #[schema(format = Uuid)]
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of the payload's schema.
    pub schema_version: u32,
    /// When it was decided.
    #[schema(format = DateTime)]
    pub time: String,
    /// The business flow.
    pub correlation_id: Option<String>,
    /// The event or command that caused it.
    #[schema(format = Uuid)]
    pub causation_id: Option<String>,
    /// The command that decided it.
    #[schema(format = Uuid)]
    pub command_id: Option<String>,
    /// On whose behalf: `anonymous`, `user:UUID` or `system:NAME`.
    pub actor: Option<String>,
    /// The node that wrote it.
    pub node: Option<String>,
    /// The W3C trace it is part of.
    pub trace_id: Option<String>,
    /// Its payload.
    pub data: Value,
}

impl EventBody {
    /// Shows an event. Metadata and payload that cannot be read are shown as absent.
    pub fn of(event: &RecordedEvent) -> Self {
        let metadata = event.metadata.get().ok();
        Self {
            position: event.position.get(),
            stream: event.stream.to_string(),
            version: event.version.get(),
            id: event.id.to_string(),
            kind: event.event_type.to_string(),
            schema_version: event.schema_version,
            time: time(event.time),
            correlation_id: metadata.map(|metadata| metadata.correlation_id.to_string()),
            causation_id: metadata.and_then(|metadata| metadata.causation_id).map(|id| id.to_string()),
            command_id: metadata.and_then(|metadata| metadata.command_id).map(|id| id.to_string()),
            actor: metadata.map(|metadata| metadata.actor.to_string()),
            node: metadata.map(|metadata| metadata.node.to_string()),
            trace_id: metadata
                .and_then(|metadata| metadata.trace.as_ref())
                .map(|trace| trace.trace_id().to_owned()),
            data: serde_json::from_slice(&event.payload).unwrap_or(Value::Null),
        }
    }
}
