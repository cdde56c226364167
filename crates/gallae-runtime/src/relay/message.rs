//! Events as messages: CloudEvents 1.0.2 in Kafka's binary mode.

use gallae_core::{DecodeError, RecordedEvent};
use gallae_ports::Message;
use std::{fmt, sync::Arc};

/// Decides to which topics, besides that of its category, an event is published a second time.
pub type Route = Arc<dyn Fn(&RecordedEvent) -> Vec<String> + Send + Sync>;

/// How events become messages.
#[derive(Clone)]
pub struct Mapping {
    namespace: Arc<str>,
    also: Route,
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Mapping {
    /// Events of `namespace`, such as `commerce`: the first part of CloudEvents types, and their source.
    pub fn new(namespace: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), also: Arc::new(|_| Vec::new()) }
    }

    /// Publishes events to further topics besides `{category}-events`.
    #[must_use]
    pub fn also(mut self, route: impl Fn(&RecordedEvent) -> Vec<String> + Send + Sync + 'static) -> Self {
        self.also = Arc::new(route);
        self
    }

    /// The messages of an event: first to `{category}-events`, then wherever else it is wanted.
    ///
    /// # Errors
    /// When the event's metadata cannot be read.
    pub fn messages(&self, event: &RecordedEvent) -> Result<Vec<Message>, DecodeError> {
        let headers = self.headers(event)?;
        let mut topics = vec![format!("{}-events", event.stream.category())];
        topics.extend((self.also)(event));
        let message = |topic| Message {
            topic,
            key: event.stream.clone(),
            position: event.position,
            headers: headers.clone(),
            payload: event.payload.clone(),
        };
        Ok(topics.into_iter().map(message).collect())
    }

    fn headers(&self, event: &RecordedEvent) -> Result<Vec<(&'static str, String)>, DecodeError> {
        let metadata = event.metadata.get()?;
        let event_type = format!("{}.{}.v{}", self.namespace, event.event_type, event.schema_version);
        let mut headers = vec![
            ("eventType", event.event_type.to_string()),
            ("aggregateId", event.stream.key().to_owned()),
            ("version", event.version.to_string()),
            ("position", event.position.to_string()),
            ("correlationId", metadata.correlation_id.to_string()),
            ("content-type", "application/json".to_owned()),
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", event.id.to_string()),
            ("ce_source", format!("/{}/{}", self.namespace, event.stream.category())),
            ("ce_type", event_type),
            ("ce_subject", event.stream.to_string()),
            ("ce_time", event.time.to_string()),
            // The extension asks for a string whose order is the events' order: fixed width.
            ("ce_sequence", format!("{:020}", event.position.get())),
            ("ce_correlationid", metadata.correlation_id.to_string()),
        ];
        if let Some(causation) = metadata.causation_id {
            headers.push(("ce_causationid", causation.to_string()));
        }
        if let Some(trace) = &metadata.trace {
            headers.push(("traceparent", trace.traceparent().to_owned()));
            headers.push(("ce_traceparent", trace.traceparent().to_owned()));
            if let Some(state) = trace.tracestate() {
                headers.push(("tracestate", state.to_owned()));
                headers.push(("ce_tracestate", state.to_owned()));
            }
        }
        Ok(headers)
    }
}
