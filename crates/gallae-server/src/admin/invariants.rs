//! What must always hold.

use crate::PlatformState;
use axum::{Json, extract::State};
use gallae_http::{Problem, auth::Operator};
use gallae_ports::{BoxFuture, CheckDepth, StoreFault};
use serde::Serialize;
use utoipa::ToSchema;

/// What must always hold in an application, such as that money adds up.
pub trait Invariants: Send + Sync + 'static {
    /// Looks, and says what it found. Answers within seconds.
    fn check(&self) -> BoxFuture<'_, Result<Vec<InvariantCheck>, StoreFault>>;
}

/// One thing that must always hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct InvariantCheck {
    /// Its name, such as `stock`.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// How many things were looked at.
    pub checked: u64,
    /// One sentence per violation, the first hundred; empty if it holds.
    pub violations: Vec<String>,
}

/// Every check.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InvariantReport {
    /// Whether all hold.
    pub ok: bool,
    /// Each of them.
    pub invariants: Vec<InvariantCheck>,
}

/// Checks what must always hold: that the tail of the log is sound, and what the application adds.
#[utoipa::path(get, path = "/admin/invariants", tag = "Operations", security(("bearer" = [])),
    responses((status = 200, body = InvariantReport)))]
pub(super) async fn invariants(
    State(server): State<PlatformState>,
    _operator: Operator,
) -> Result<Json<InvariantReport>, Problem> {
    let tail = server.platform.store().check(CheckDepth::Tail).await?;
    let mut invariants = vec![InvariantCheck {
        name: "log-tail".to_owned(),
        ok: tail.damage.is_empty(),
        checked: tail.events,
        violations: tail.damage,
    }];
    if let Some(application) = &server.invariants {
        invariants.extend(application.check().await?);
    }
    let ok = invariants.iter().all(|invariant| invariant.ok);
    Ok(Json(InvariantReport { ok, invariants }))
}
