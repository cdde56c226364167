//! What an operator can do about a saga. Every act is an event of the saga, with its reason and who did it.

use crate::PlatformState;
use axum::{
    Json,
    extract::{FromRequest, Request, State},
    http::header,
    response::{IntoResponse, Response},
};
use gallae_core::{SagaId, saga::Cause};
use gallae_http::{Problem, StrictJson, StrictPath, at_position, auth::Operator, codes};
use gallae_runtime::saga::{Intervention, InterventionError};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

const MAX_REASON_CHARS: usize = 500;

/// Why an operator does it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// In words; kept with the saga.
    #[schema(min_length = 1, max_length = 500, pattern = "\\S", example = "결제사 장애 복구 확인")]
    pub reason: String,
}

/// Where a saga stands after an intervention.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct InterventionBody {
    /// The saga.
    #[schema(format = Uuid)]
    pub saga_id: String,
    /// Its status.
    pub status: String,
    /// Whether anything was to be changed.
    pub changed: bool,
}

/// Makes what waits due at once, and sets a stuck saga going again. The body may be left out.
#[utoipa::path(post, path = "/retry/{sagaId}", tag = "Sagas", security(("bearer" = [])),
    params(("sagaId" = String, Path, description = "The saga", format = Uuid)), request_body = Option<Reason>,
    responses((status = 200, body = InterventionBody)))]
pub(super) async fn retry(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictPath(saga): StrictPath<SagaId>,
    OptionalReason(reason): OptionalReason,
) -> Result<Response, Problem> {
    let reason = reason.unwrap_or_else(|| "retried by an operator".to_owned());
    done(saga, server.platform.sagas().retry(saga, reason, caller.context.actor).await)
}

/// The same as `/retry/{sagaId}`, with a reason.
#[utoipa::path(post, path = "/{id}/retry", tag = "Sagas", security(("bearer" = [])),
    params(("id" = String, Path, description = "The saga", format = Uuid)), request_body = Reason,
    responses((status = 200, body = InterventionBody)))]
pub(super) async fn retry_by_id(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictPath(saga): StrictPath<SagaId>,
    GivenReason(reason): GivenReason,
) -> Result<Response, Problem> {
    done(saga, server.platform.sagas().retry(saga, reason, caller.context.actor).await)
}

/// Undoes what the saga did, in reverse order. The body may be left out. 409 past the point of no return.
#[utoipa::path(post, path = "/compensate/{sagaId}", tag = "Sagas", security(("bearer" = [])),
    params(("sagaId" = String, Path, description = "The saga", format = Uuid)), request_body = Option<Reason>,
    responses((status = 200, body = InterventionBody)))]
pub(super) async fn compensate(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictPath(saga): StrictPath<SagaId>,
    OptionalReason(reason): OptionalReason,
) -> Result<Response, Problem> {
    let reason = reason.unwrap_or_else(|| "compensated by an operator".to_owned());
    done(saga, server.platform.sagas().cancel(saga, Cause::Operator, reason, caller.context.actor).await)
}

/// The same as `/compensate/{sagaId}`, with a reason.
#[utoipa::path(post, path = "/{id}/compensate", tag = "Sagas", security(("bearer" = [])),
    params(("id" = String, Path, description = "The saga", format = Uuid)), request_body = Reason,
    responses((status = 200, body = InterventionBody)))]
pub(super) async fn compensate_by_id(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictPath(saga): StrictPath<SagaId>,
    GivenReason(reason): GivenReason,
) -> Result<Response, Problem> {
    done(saga, server.platform.sagas().cancel(saga, Cause::Operator, reason, caller.context.actor).await)
}

/// Holds the saga: nothing new begins. Answers to calls under way are still recorded, and its deadline keeps running.
#[utoipa::path(post, path = "/{id}/pause", tag = "Sagas", security(("bearer" = [])),
    params(("id" = String, Path, description = "The saga", format = Uuid)), request_body = Reason,
    responses((status = 200, body = InterventionBody)))]
pub(super) async fn pause(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictPath(saga): StrictPath<SagaId>,
    GivenReason(reason): GivenReason,
) -> Result<Response, Problem> {
    done(saga, server.platform.sagas().pause(saga, reason, caller.context.actor).await)
}

/// Lets a paused saga go on.
#[utoipa::path(post, path = "/{id}/resume", tag = "Sagas", security(("bearer" = [])),
    params(("id" = String, Path, description = "The saga", format = Uuid)), request_body = Reason,
    responses((status = 200, body = InterventionBody)))]
pub(super) async fn resume(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictPath(saga): StrictPath<SagaId>,
    GivenReason(reason): GivenReason,
) -> Result<Response, Problem> {
    done(saga, server.platform.sagas().resume(saga, reason, caller.context.actor).await)
}

/// Calls the saga off on the customer's behalf: its effects are undone in reverse order. 409 past the point of no return.
#[utoipa::path(post, path = "/{id}/cancel", tag = "Sagas", security(("bearer" = [])),
    params(("id" = String, Path, description = "The saga", format = Uuid)), request_body = Reason,
    responses((status = 200, body = InterventionBody)))]
pub(super) async fn cancel(
    State(server): State<PlatformState>,
    Operator(caller): Operator,
    StrictPath(saga): StrictPath<SagaId>,
    GivenReason(reason): GivenReason,
) -> Result<Response, Problem> {
    done(saga, server.platform.sagas().cancel(saga, Cause::UserCancel, reason, caller.context.actor).await)
}

/// A body that must be there.
pub(super) struct GivenReason(String);

/// A body that may be left out, as in the first clients of these routes.
pub(super) struct OptionalReason(Option<String>);

impl<S: Send + Sync> FromRequest<S> for GivenReason {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let StrictJson { value, .. } = StrictJson::<Reason>::from_request(request, state).await?;
        Ok(Self(value.check()?))
    }
}

impl<S: Send + Sync> FromRequest<S> for OptionalReason {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers();
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let no_body =
            length.is_none_or(|length| length == "0") && !headers.contains_key(header::TRANSFER_ENCODING);
        if no_body {
            return Ok(Self(None));
        }
        let StrictJson { value, .. } = StrictJson::<Option<Reason>>::from_request(request, state).await?;
        Ok(Self(value.map(Reason::check).transpose()?))
    }
}

impl Reason {
    fn check(self) -> Result<String, Problem> {
        if self.reason.trim().is_empty() || self.reason.chars().count() > MAX_REASON_CHARS {
            let detail = "1 to 500 characters that say why";
            return Err(Problem::new(codes::INVALID_BODY, format!("reason: {detail}. Nothing was changed."))
                .field("/reason", codes::INVALID_BODY.code, detail));
        }
        Ok(self.reason)
    }
}

fn done(saga: SagaId, outcome: Result<Intervention, InterventionError>) -> Result<Response, Problem> {
    let Intervention { status, position } = outcome.map_err(problem)?;
    let body = InterventionBody {
        saga_id: saga.to_string(),
        status: status.to_string(),
        changed: position.is_some(),
    };
    Ok(match position {
        Some(position) => at_position(position, Json(body)),
        None => Json(body).into_response(),
    })
}

/// Nothing was changed, unless it says so.
pub fn problem(error: InterventionError) -> Problem {
    let detail = format!("Nothing was changed: {error}.");
    match error {
        InterventionError::NotFound(_) => Problem::not_found("saga"),
        InterventionError::Ended { status } => {
            Problem::new(codes::SAGA_ENDED, detail).member("sagaStatus", status.as_str())
        }
        InterventionError::TooLate => Problem::new(codes::SAGA_PAST_PIVOT, detail),
        InterventionError::Refused { status, .. } => {
            Problem::new(codes::SAGA_STATE_REFUSES, detail).member("sagaStatus", status.as_str())
        }
        InterventionError::Unavailable => Problem::new(codes::STORE_UNAVAILABLE, detail)
            .member("written", false)
            .retry_after(Duration::from_secs(1)),
        InterventionError::Unknown => {
            let detail = "It is not known whether it was recorded. Look at the saga before you try again.";
            Problem::new(codes::OUTCOME_UNKNOWN, detail).member("written", "unknown")
        }
        InterventionError::Unrunnable(_) => Problem::new(codes::SAGA_UNRUNNABLE, detail),
        other => Problem::internal(&other),
    }
}
