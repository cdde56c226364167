//! What must always add up, checked from the log and the provider's own record: used by `doctor` and by operators.

mod book;
mod order;
mod report;
mod routes;
mod scan;

pub use report::{Report, Violation};
pub use scan::{CheckError, check};

use crate::Shop;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new().routes(routes!(routes::invariants))
}
