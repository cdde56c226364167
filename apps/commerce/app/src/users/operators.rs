//! `/admin/users`: what operators see of users, and change about them.

use super::{
    body::UserReply,
    register::{NewUser, RoleError, change_role, id_of, register},
};
use crate::{
    Shop, codes,
    http::{Answer, ReadRefusals, RoleName, WriteRefusals, body_of},
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use commerce_domain::{
    projections::{UserView, UserViews},
    users::{Email, Profile, Role},
};
use gallae_core::Projection;
use gallae_http::{
    AtLeast, PageParams, Problem, StrictJson, StrictPath, StrictQuery, at_position, auth::Operator,
};
use gallae_ports::{Condition, Order, ViewQuery};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Routes for operators.
pub fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show)).routes(routes!(set_role))
}

/// A person that an operator brings in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewUserBody {
    /// An address nobody else has here, whatever its case.
    #[schema(format = Email, min_length = 3, max_length = 254, example = "boss@example.com")]
    email: String,
    /// 8 to 128 characters.
    #[schema(format = Password, min_length = 8, max_length = 128, example = "password123")]
    password: String,
    /// Given name.
    #[schema(min_length = 1, max_length = 100, example = "길동")]
    first_name: String,
    /// Family name.
    #[serde(default)]
    #[schema(max_length = 100, example = "홍")]
    last_name: String,
    /// What they may do.
    #[serde(default)]
    #[schema(value_type = RoleName, default = "user")]
    role: Role,
}

/// What somebody may do from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RoleBody {
    #[schema(value_type = RoleName)]
    role: Role,
}

/// A role, and whether it is new.
#[derive(Serialize, ToSchema)]
struct RoleReply {
    id: Uuid,
    email: String,
    role: RoleName,
    /// False when they had it already.
    changed: bool,
}

/// Users by address.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UsersPage {
    users: Vec<UserReply>,
    total: u64,
    page: u32,
    limit: u32,
    total_pages: u64,
}

/// Which users.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UsersQuery {
    /// Only with this role.
    #[param(value_type = Option<RoleName>)]
    role: Option<Role>,
    /// From 1.
    #[param(minimum = 1, maximum = 1000000)]
    page: Option<u32>,
    /// Users a page, 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Make a user, or an operator.
#[utoipa::path(
    post, path = "/admin/users", tag = "Operations", operation_id = "createUser", security(("bearer" = [])),
    request_body = NewUserBody,
    responses((status = 201, description = "They can log in.", body = UserReply), WriteRefusals)
)]
async fn create(
    State(shop): State<Shop>,
    Operator(caller): Operator,
    StrictJson { value: body, .. }: StrictJson<NewUserBody>,
) -> Result<Answer, Problem> {
    let NewUserBody { email, password, first_name, last_name, role } = body;
    let email: Email = email.parse().map_err(|error| {
        let detail = format!("{error}");
        Problem::new(codes::INVALID_EMAIL, "Nothing was stored.").field("/email", codes::INVALID_EMAIL.code, detail)
    })?;
    let profile = Profile { email, first_name, last_name };
    let new = NewUser { profile: profile.clone(), password, role };
    let (user, receipt) = register(&shop, new, caller.context.metadata()).await?;
    tracing::info!(%user, role = role.as_str(), by = %caller.user, "an operator made a user");
    let reply = body_of(&UserReply::new(user.uuid(), profile, role, None))?;
    Ok(Answer::of(StatusCode::CREATED, &receipt, reply))
}

/// Users, by address.
#[utoipa::path(
    get, path = "/admin/users", tag = "Operations", operation_id = "listUsers", security(("bearer" = [])), params(UsersQuery),
    responses((status = 200, description = "A page.", body = UsersPage, headers(("Gallae-Position" = u64))), ReadRefusals)
)]
async fn list(
    State(shop): State<Shop>,
    _operator: Operator,
    at_least: AtLeast,
    StrictQuery(UsersQuery { role, page, limit }): StrictQuery<UsersQuery>,
) -> Result<Response, Problem> {
    let page = PageParams { page, limit, cursor: None };
    page.check()?;
    let position = shop.reached(UserViews::NAME, &at_least).await?;
    let query = ViewQuery {
        conditions: role.map(|role| Condition::is("role", role.as_str())).into_iter().collect(),
        order: Some(Order { field: "email", descending: false }),
        paging: page.paging(),
        count: true,
    };
    let found = shop.views.query(UserViews::NAME, &query).await?;
    let users = found.rows.iter().filter_map(|row| serde_json::from_slice::<UserView>(&row.document).ok());
    let total = found.total.unwrap_or(0);
    let reply = UsersPage {
        users: users.filter_map(reply_of).collect(),
        total,
        page: page.page(),
        limit: page.limit(),
        total_pages: page.total_pages(total),
    };
    Ok(at_position(position, Json(reply)).into_response())
}

/// One user, by address.
#[utoipa::path(
    get, path = "/admin/users/{email}", tag = "Operations", operation_id = "showUser", security(("bearer" = [])),
    params(("email" = String, Path, description = "Their address.")),
    responses((status = 200, description = "The user.", body = UserReply), ReadRefusals)
)]
async fn show(
    State(shop): State<Shop>,
    _operator: Operator,
    StrictPath(email): StrictPath<String>,
) -> Result<Json<UserReply>, Problem> {
    let unknown = || Problem::not_found("user");
    let email: Email = email.parse().map_err(|_| unknown())?;
    let user = id_of(&shop, &email).await?.ok_or_else(unknown)?;
    let (profile, role, _) = shop.user(user).await?.ok_or_else(unknown)?;
    Ok(Json(UserReply::new(user.uuid(), profile, role, None)))
}

/// Make somebody an operator, or a user again. It counts from their next log-in or refresh on.
#[utoipa::path(
    post, path = "/admin/users/{email}/role", tag = "Operations", operation_id = "changeRole", security(("bearer" = [])),
    params(("email" = String, Path, description = "Their address.")), request_body = RoleBody,
    responses((status = 200, description = "It is so from now on.", body = RoleReply), WriteRefusals)
)]
async fn set_role(
    State(shop): State<Shop>,
    Operator(caller): Operator,
    StrictPath(email): StrictPath<String>,
    StrictJson { value: RoleBody { role }, .. }: StrictJson<RoleBody>,
) -> Result<Response, Problem> {
    let email: Email = email.parse().map_err(|_| Problem::not_found("user"))?;
    let changed = change_role(&shop, &email, role, caller.context.metadata()).await;
    let (user, receipt) = changed.map_err(|error| match error {
        RoleError::Unknown { email } => {
            Problem::new(codes::USER_NOT_FOUND, format!("Nobody has registered as {email}."))
        }
        RoleError::Unavailable(fault) => fault.into(),
        RoleError::Send(error) => error.into(),
    })?;
    tracing::info!(%user, role = role.as_str(), by = %caller.user, "an operator changed a role");
    let changed = receipt.events > 0;
    let reply = RoleReply { id: user.uuid(), email: email.into(), role: RoleName(role), changed };
    Ok(at_position(receipt.position, Json(reply)))
}

fn reply_of(view: UserView) -> Option<UserReply> {
    Some(UserReply::new(view.id?.uuid(), view.profile?, view.role, view.created_at))
}
