//! Idempotency keys for what operators do.
//!
//! The key of a command commits with its events. What an operator asks for is no command: a saga's engine records it in its own
//! time, together with what else has happened to the saga, and projections and the relay keep it in stores of their own. So the
//! record of the key follows the effect here, in an append that holds nothing else.
//!
//! Between the two the process may die or the store go away. Then the key is unknown, and the repetition is carried out. That is
//! safe because none of these acts adds up; each says how things shall be:
//!
//! * a saga that is cancelled already, or has nothing left to retry, is left as it is; one that is paused, resumed or abandoned
//!   already refuses, with the status that was asked for;
//! * holding and letting go of a projection or of the relay sets a mark that is set;
//! * rebuild, verify, repair and sync compute from the log what they computed before;
//! * parked events that were taken up are parked no more, and giving one up names its position.
//!
//! What has begun is finished although the client hangs up, so that its record follows in every case but those two.

use crate::PlatformState;
use axum::{
    body::Body,
    extract::{FromRef, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use gallae_http::{
    Flight, IdempotencyKey, Problem, RequestContext, at_position,
    auth::{AccessTokens, Operator},
    codes, fingerprint, read_body, replayed_header,
};
use gallae_ports::{AppendBatch, AppendError, IdempotencyRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use utoipa::openapi::{
    ObjectBuilder, PathItem, RefOr, Required,
    path::{Operation, Parameter, ParameterBuilder, ParameterIn},
    schema::Type,
};
use utoipa_axum::router::OpenApiRouter;

/// How long a repetition is recognised.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// A reply larger than this is a fault of the program: operators get short ones.
const LARGEST_REPLY: usize = 1024 * 1024;

/// What of a reply's headers a repetition gets as well.
const KEPT_HEADERS: [HeaderName; 2] = [header::CONTENT_TYPE, header::LOCATION];

/// Lets every route of `router` that changes something honour `Idempotency-Key`, and say so in the document. All of them must be
/// for operators.
pub(crate) fn honoured<S>(mut router: OpenApiRouter<S>, state: S) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    PlatformState: FromRef<S>,
    Arc<AccessTokens>: FromRef<S>,
{
    for path in router.get_openapi_mut().paths.paths.values_mut() {
        for operation in changing(path) {
            operation.parameters.get_or_insert_default().push(RefOr::T(parameter()));
        }
    }
    router.route_layer(middleware::from_fn_with_state(state, once::<S>))
}

async fn once<S>(State(state): State<S>, request: Request, next: Next) -> Response
where
    S: Clone + Send + Sync + 'static,
    PlatformState: FromRef<S>,
    Arc<AccessTokens>: FromRef<S>,
{
    if request.method().is_safe() {
        return next.run(request).await;
    }
    match Keyed::read(request, &state).await {
        Ok((None, request)) => next.run(request).await,
        Ok((Some(keyed), request)) => {
            let server = PlatformState::from_ref(&state);
            let supervisor = server.platform.supervisor().clone();
            let work = async move { keyed.answer(&server, request, next).await };
            supervisor.to_the_end(work).await.unwrap_or_else(IntoResponse::into_response)
        }
        Err(problem) => problem.into_response(),
    }
}

/// A request with a key, while it is worked on.
struct Keyed {
    key: String,
    fingerprint: String,
    context: RequestContext,
    _flight: Flight,
}

/// A reply as it is kept.
#[derive(Deserialize, Serialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    /// Whether it said where in the log its effect is.
    positioned: bool,
    body: String,
}

impl Keyed {
    /// The request, and its key if it has one. Only operators get as far as having one.
    async fn read<S>(request: Request, state: &S) -> Result<(Option<Self>, Request), Problem>
    where
        S: Send + Sync,
        PlatformState: FromRef<S>,
        Arc<AccessTokens>: FromRef<S>,
    {
        let (mut parts, body) = request.into_parts();
        let IdempotencyKey(Some(key)) = IdempotencyKey::from_request_parts(&mut parts, state).await? else {
            return Ok((None, Request::from_parts(parts, body)));
        };
        let Operator(caller) = Operator::from_request_parts(&mut parts, state).await?;
        let body = read_body(Request::from_parts(parts.clone(), body)).await?;
        let path =
            parts.extensions.get::<MatchedPath>().map_or_else(|| parts.uri.path(), MatchedPath::as_str);
        let route = format!("{} {path}", parts.method);
        let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path(), |target| target.as_str());
        let content = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
        let key = IdempotencyKey::scoped(&key, &caller.context.actor.to_string(), &route);
        let flight = PlatformState::from_ref(state).in_flight.begin(&key)?;
        let fingerprint = fingerprint(&route, &json!([target, content]));
        let keyed = Self { key, fingerprint, context: caller.context, _flight: flight };
        Ok((Some(keyed), Request::from_parts(parts, Body::from(body))))
    }

    /// The first answer, or what is done now.
    async fn answer(self, server: &PlatformState, request: Request, next: Next) -> Result<Response, Problem> {
        let store = server.platform.store();
        let now = server.platform.clock().now();
        if let Some(record) = store.idempotency(&self.key, now).await? {
            return self.repeated(server, record).await;
        }
        let response = next.run(request).await;
        if !response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let body =
            axum::body::to_bytes(body, LARGEST_REPLY).await.map_err(|error| Problem::internal(&error))?;
        let kept = Kept::of(parts.status, &parts.headers, &body);
        let response = serde_json::to_vec(&kept).map_err(|error| Problem::internal(&error))?;
        let mut batch = AppendBatch::new(now, Arc::new(self.context.metadata()));
        batch.idempotency = Some(IdempotencyRecord {
            key: self.key.clone(),
            fingerprint: self.fingerprint.clone(),
            response: Bytes::from(response),
            expires_at: now.after(KEEP),
        });
        match store.append(batch).await {
            Ok(_) => Ok(Response::from_parts(parts, Body::from(body))),
            // Another node was asked at the same moment.
            Err(AppendError::Duplicate(record)) => self.repeated(server, record).await,
            Err(AppendError::Unavailable(_) | AppendError::Indeterminate(_)) => Err(unkept()),
            Err(error) => Err(Problem::internal(&error)),
        }
    }

    async fn repeated(&self, server: &PlatformState, record: IdempotencyRecord) -> Result<Response, Problem> {
        if record.fingerprint != self.fingerprint {
            let detail = "Use a new Idempotency-Key for a new request.";
            return Err(Problem::new(codes::IDEMPOTENCY_KEY_REUSED, detail));
        }
        let kept: Kept =
            serde_json::from_slice(&record.response).map_err(|error| Problem::internal(&error))?;
        let positioned = kept.positioned;
        let response = replayed_header(kept.into_response());
        if !positioned {
            return Ok(response);
        }
        // The effect is at or before the present head: reading from there on sees it.
        Ok(at_position(server.platform.store().head().await?, response))
    }
}

impl Kept {
    fn of(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name: &HeaderName| {
            let value = headers.get(name)?.to_str().ok()?;
            Some((name.as_str().to_owned(), value.to_owned()))
        };
        Self {
            status: status.as_u16(),
            headers: KEPT_HEADERS.iter().filter_map(text).collect(),
            positioned: headers.contains_key("gallae-position"),
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }
}

impl IntoResponse for Kept {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

fn unkept() -> Problem {
    let detail = "It was done, but its key could not be kept. Repeat it with the same key: doing it twice changes nothing more.";
    Problem::new(codes::OUTCOME_UNKNOWN, detail).member("written", true).retry_after(Duration::from_secs(1))
}

fn changing(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.post, &mut path.put, &mut path.patch, &mut path.delete].into_iter().flatten()
}

fn parameter() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some("^[!-~]([ -~]*[!-~])?$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Makes repeating the request harmless: a repetition gets the first answer."))
        .schema(Some(text))
        .build()
}
