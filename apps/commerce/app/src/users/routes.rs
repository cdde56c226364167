//! `/auth`.

use super::{
    body::{LoginBody, RefreshBody, RegisterBody, SessionReply, UserReply},
    register::{MAX_PASSWORD, NewUser, RegisterError, register},
};
use crate::{
    Shop, codes,
    http::{Answer, ReadRefusals, WriteRefusals, body_of},
};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use commerce_domain::{
    projections::{UserView, UserViews},
    users::{Email, Profile, Role},
};
use gallae_core::{Id, Projection, ViewKey};
use gallae_http::{
    Problem, RequestContext, StrictJson,
    auth::{Caller, LoginError, RefreshError},
};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new()
        .routes(routes!(register_user))
        .routes(routes!(log_in))
        .routes(routes!(refresh))
        .routes(routes!(log_out))
        .routes(routes!(me))
}

/// The name of `/auth/me` in an earlier shop.
pub(crate) fn aliases() -> Router<Shop> {
    Router::new().route("/auth/profile", get(me))
}

/// Join.
#[utoipa::path(
    post, path = "/auth/register", tag = "Authentication", operation_id = "register",
    request_body = RegisterBody,
    responses((status = 201, description = "Welcome.", body = UserReply), WriteRefusals)
)]
async fn register_user(
    State(shop): State<Shop>,
    context: RequestContext,
    StrictJson { value: body, .. }: StrictJson<RegisterBody>,
) -> Result<Answer, Problem> {
    let email: Email = body.email.parse().map_err(|error| {
        let detail = format!("{error}");
        Problem::new(codes::INVALID_EMAIL, "Nothing was stored.").field(
            "/email",
            codes::INVALID_EMAIL.code,
            detail,
        )
    })?;
    let profile = Profile { email, first_name: body.first_name, last_name: body.last_name };
    let new = NewUser { profile: profile.clone(), password: body.password, role: Role::User };
    let (user, receipt) = register(&shop, new, context.metadata()).await?;
    let reply = body_of(&UserReply::new(user.uuid(), profile, Role::User, None))?;
    Ok(Answer::of(StatusCode::CREATED, &receipt, reply))
}

/// Begin a session.
///
/// A wrong password and an unknown address get the same answer after the same time.
#[utoipa::path(
    post, path = "/auth/login", tag = "Authentication", operation_id = "login",
    request_body = LoginBody,
    responses((status = 200, description = "A session.", body = SessionReply), WriteRefusals)
)]
async fn log_in(
    State(shop): State<Shop>,
    StrictJson { value: body, .. }: StrictJson<LoginBody>,
) -> Result<Response, Problem> {
    if body.email.len() > 254 || body.password.chars().count() > MAX_PASSWORD {
        return Err(wrong());
    }
    let id = shop.accounts.login(&body.email, body.password).await.map_err(refused)?;
    // A credential without a user is a registration that ended half-way: registering again goes on.
    let (profile, role, _) = shop.user(Id::new(id)).await?.ok_or_else(wrong)?;
    let tokens = shop.accounts.begin(id, role.as_str()).await.map_err(expired)?;
    Ok(session(SessionReply::new(tokens, UserReply::new(id, profile, role, None))))
}

/// Exchange a refresh token for the next session.
///
/// Each refresh token works once. One that is used again was copied: all sessions that descend from its log-in end.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "Authentication", operation_id = "refresh",
    request_body = RefreshBody,
    responses((status = 200, description = "The next session.", body = SessionReply), WriteRefusals)
)]
async fn refresh(
    State(shop): State<Shop>,
    StrictJson { value: body, .. }: StrictJson<RefreshBody>,
) -> Result<Response, Problem> {
    let id = shop.accounts.owner(&body.refresh_token).await.map_err(expired)?;
    let (profile, role, _) = shop.user(Id::new(id)).await?.ok_or_else(|| expired(RefreshError::Refused))?;
    let tokens = shop.accounts.refresh(&body.refresh_token, role.as_str()).await.map_err(expired)?;
    Ok(session(SessionReply::new(tokens, UserReply::new(id, profile, role, None))))
}

/// End a session: its refresh tokens stop working.
#[utoipa::path(
    post, path = "/auth/logout", tag = "Authentication", operation_id = "logout",
    request_body = RefreshBody,
    responses((status = 204, description = "It is over, or was unknown."), WriteRefusals)
)]
async fn log_out(
    State(shop): State<Shop>,
    StrictJson { value: body, .. }: StrictJson<RefreshBody>,
) -> Result<StatusCode, Problem> {
    shop.accounts.end(&body.refresh_token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who I am.
#[utoipa::path(
    get, path = "/auth/me", tag = "Authentication", operation_id = "me", security(("bearer" = [])),
    responses((status = 200, description = "The caller.", body = UserReply), ReadRefusals)
)]
async fn me(State(shop): State<Shop>, caller: Caller) -> Result<Json<UserReply>, Problem> {
    let profile = shop.profile(&caller).await?;
    let role = shop.user(Id::new(caller.user)).await?.map_or(Role::User, |(_, role, _)| role);
    let view = shop.views.get(UserViews::NAME, &ViewKey::from(caller.user.to_string())).await?;
    let view: Option<UserView> = view.and_then(|view| serde_json::from_slice(&view.document).ok());
    let created_at = view.and_then(|view| view.created_at);
    Ok(Json(UserReply::new(caller.user, profile, role, created_at)))
}

/// Tokens are for nobody's cache.
fn session(reply: SessionReply) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response()
}

fn wrong() -> Problem {
    Problem::new(codes::INVALID_CREDENTIALS, "Check both and try again.")
}

fn refused(error: LoginError) -> Problem {
    match error {
        LoginError::Wrong => wrong(),
        LoginError::Locked { wait } => {
            Problem::new(codes::LOGIN_LOCKED, "Retry-After says when to try again.").retry_after(wait)
        }
        LoginError::Unavailable(fault) => fault.into(),
        other => Problem::internal(&other),
    }
}

fn expired(error: RefreshError) -> Problem {
    match error {
        RefreshError::Refused => Problem::new(codes::INVALID_REFRESH_TOKEN, "Log in again."),
        RefreshError::Unavailable(fault) => fault.into(),
        other => Problem::internal(&other),
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Password => Self::new(
                codes::INVALID_PASSWORD,
                "8 to 128 characters. Nothing was stored.",
            )
            .field("/password", codes::INVALID_PASSWORD.code, "8 to 128 characters"),
            RegisterError::EmailTaken => Self::new(codes::EMAIL_TAKEN, "Log in, or use another address."),
            RegisterError::Rejected(rejection) => Self::from_rejection(&rejection),
            RegisterError::Hashing(error) => Self::internal(&error),
            RegisterError::Send(error) => error.into(),
            RegisterError::Unavailable(fault) => fault.into(),
            RegisterError::Peek(error) => error.into(),
        }
    }
}
