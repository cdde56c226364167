//! What every request carries: who, in which flow, under which trace.

use crate::{Problem, codes};
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use gallae_core::{Actor, CorrelationId, Metadata, TraceContext};
use gallae_ports::Entropy;
use std::sync::Arc;
use uuid::Uuid;

const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");
const REQUEST: HeaderName = HeaderName::from_static("x-request-id");
const NODE: HeaderName = HeaderName::from_static("x-node-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The context of one request, made by [`attach_context`].
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Names this request alone.
    pub request_id: Uuid,
    /// The business flow: the client's, or a new one.
    pub correlation_id: CorrelationId,
    /// Our span within the client's trace, or a new trace.
    pub trace: TraceContext,
    /// This node.
    pub node: Arc<str>,
    /// Who asks, once a token has been checked.
    pub actor: Actor,
}

impl RequestContext {
    /// Metadata for a command of this request.
    pub fn metadata(&self) -> Metadata {
        let mut metadata =
            Metadata::new(self.correlation_id.clone(), self.actor.clone(), Arc::clone(&self.node));
        metadata.causation_id = Some(self.request_id);
        metadata.trace = Some(self.trace.clone());
        metadata
    }

    /// The same context on behalf of somebody.
    #[must_use]
    pub fn acting_as(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let missing = || Problem::new(codes::INTERNAL, "The request has no context.");
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

/// What [`attach_context`] works from.
#[derive(Clone, Debug)]
pub struct ContextLayer {
    /// This node.
    pub node: Arc<str>,
    /// Makes ids.
    pub entropy: Arc<dyn Entropy>,
}

/// Middleware that gives a request its context and says it back in the reply's headers.
pub async fn attach_context(State(layer): State<ContextLayer>, mut request: Request, next: Next) -> Response {
    let context = match context_of(&layer, request.headers()) {
        Ok(context) => context,
        Err(problem) => return problem.into_response(),
    };
    request.extensions_mut().insert(context.clone());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    put(headers, CORRELATION, context.correlation_id.as_str());
    put(headers, REQUEST, &context.request_id.to_string());
    put(headers, NODE, &context.node);
    put(headers, TRACEPARENT, context.trace.traceparent());
    response
}

fn context_of(layer: &ContextLayer, headers: &HeaderMap) -> Result<RequestContext, Problem> {
    let text = |name: &HeaderName| headers.get(name).map(HeaderValue::to_str);
    let request_id = layer.entropy.uuid();
    let correlation_id = match text(&CORRELATION) {
        None => CorrelationId::new(request_id),
        Some(Ok(text)) => text.parse().map_err(|error| bad_correlation(&error))?,
        Some(Err(error)) => return Err(bad_correlation(&error)),
    };
    // A broken trace context is ignored, as the standard asks: tracing must not fail a request.
    let parent = text(&TRACEPARENT).and_then(Result::ok);
    let state = text(&TRACESTATE).and_then(Result::ok);
    let parent = parent.and_then(|parent| TraceContext::parse(parent, state).ok());
    let trace = span(&*layer.entropy, parent.as_ref());
    Ok(RequestContext {
        request_id,
        correlation_id,
        trace,
        node: Arc::clone(&layer.node),
        actor: Actor::Anonymous,
    })
}

fn bad_correlation(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(codes::INVALID_HEADER, format!("X-Correlation-Id: {error}."))
}

/// A new span, within `parent`'s trace if there is one.
fn span(entropy: &dyn Entropy, parent: Option<&TraceContext>) -> TraceContext {
    let (_, span) = entropy.uuid().as_u64_pair();
    let (trace_id, flags) = match parent {
        Some(parent) => (parent.trace_id().to_owned(), &parent.traceparent()[53..]),
        None => (entropy.uuid().simple().to_string(), "01"),
    };
    let text = format!("00-{trace_id}-{:016x}-{flags}", span | 1);
    let state = parent.and_then(TraceContext::tracestate);
    TraceContext::parse(&text, state)
        .unwrap_or_else(|_| unreachable!("ids of 32 and 16 hex digits, not zero"))
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
