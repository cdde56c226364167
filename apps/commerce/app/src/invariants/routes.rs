//! `GET /admin/invariants`.

use super::{CheckError, Report, check};
use crate::{Shop, http::ReadRefusals};
use axum::{Json, extract::State};
use gallae_http::{Problem, auth::Operator, codes};
use std::time::Duration;

/// Whether money, stock, orders and sagas add up: from the whole log and the provider's own record.
///
/// Reads every event, so a large log takes its time; `commerce doctor` does the same without a server.
#[utoipa::path(
    get, path = "/admin/invariants", tag = "Operations", operation_id = "invariants", security(("bearer" = [])),
    responses((status = 200, description = "What was found.", body = Report), ReadRefusals)
)]
pub(super) async fn invariants(
    State(shop): State<Shop>,
    _operator: Operator,
) -> Result<Json<Report>, Problem> {
    let report = check(&**shop.platform.store(), &*shop.gateway).await;
    report.map(Json).map_err(|error| match error {
        CheckError::Read(error) => error.into(),
        CheckError::Store(fault) => fault.into(),
        CheckError::Gateway(error) => {
            Problem::new(codes::STORE_UNAVAILABLE, format!("The provider's record cannot be read: {error}."))
                .member("written", false)
                .retry_after(Duration::from_secs(1))
        }
        other => Problem::internal(&other),
    })
}
