//! Figures for operators, and each customer's own.

mod figures;
mod mine;
mod period;
mod reply;
mod routes;

use crate::Shop;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new().routes(routes!(routes::dashboard))
}
