//! What the routes of users take and give.

use crate::http::{RoleName, Time};
use commerce_domain::users::{Profile, Role};
use gallae_core::Timestamp;
use gallae_http::auth::TokenPair;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A person who wants to join.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RegisterBody {
    /// An address nobody else has here, whatever its case.
    #[schema(format = Email, min_length = 3, max_length = 254, example = "user@example.com")]
    pub(super) email: String,
    /// 8 to 128 characters.
    #[schema(format = Password, min_length = 8, max_length = 128, example = "password123")]
    pub(super) password: String,
    /// Given name.
    #[schema(min_length = 1, max_length = 100, example = "길동")]
    pub(super) first_name: String,
    /// Family name.
    #[serde(default)]
    #[schema(max_length = 100, example = "홍")]
    pub(super) last_name: String,
}

/// An address and its password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LoginBody {
    #[schema(max_length = 254, example = "user@example.com")]
    pub(super) email: String,
    #[schema(format = Password, max_length = 128, example = "password123")]
    pub(super) password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RefreshBody {
    /// From the last log-in or refresh.
    #[schema(max_length = 256)]
    pub(super) refresh_token: String,
}

/// A session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionReply {
    /// Send it as `Authorization: Bearer …`.
    access_token: String,
    /// Exchange it once at `POST /auth/refresh`.
    refresh_token: String,
    /// `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds that the access token is valid.
    expires_in: u64,
    user: UserReply,
}

impl SessionReply {
    pub(super) fn new(tokens: TokenPair, user: UserReply) -> Self {
        let TokenPair { access, expires_in, refresh } = tokens;
        Self {
            access_token: access,
            refresh_token: refresh,
            token_type: "Bearer",
            expires_in: expires_in.as_secs(),
            user,
        }
    }
}

/// A user.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserReply {
    id: Uuid,
    email: String,
    first_name: String,
    last_name: String,
    role: RoleName,
    /// `ACTIVE`.
    #[schema(example = "ACTIVE")]
    status: &'static str,
    /// When they joined, once the views know.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Time>,
}

impl UserReply {
    pub(super) fn new(id: Uuid, profile: Profile, role: Role, created_at: Option<Timestamp>) -> Self {
        Self {
            id,
            email: profile.email.into(),
            first_name: profile.first_name,
            last_name: profile.last_name,
            role: RoleName(role),
            status: "ACTIVE",
            created_at: created_at.map(Time),
        }
    }
}
