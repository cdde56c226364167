//! What the shop's routes have in common.

mod change;
mod openapi;
mod reply;
mod sealed;
mod words;

pub(crate) use change::Change;
pub use openapi::Documentation;
pub(crate) use openapi::{ReadRefusals, WriteRefusals};
pub(crate) use reply::{Answer, body_of};
pub(crate) use sealed::Sealed;
pub(crate) use words::{
    CurrencyCode, Method, PaymentState, RefundState, RoleName, SagaState, Shipping, Status, Time,
};

use crate::{Shop, books, dashboard, orders, users};
use axum::Router;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

/// Every route of the shop with its description, to be merged with the platform's. Orders answer under `/api/orders` as well.
pub fn router(shop: Shop) -> OpenApiRouter {
    let (aliases, _) = orders::routes().split_for_parts();
    OpenApiRouter::with_openapi(Documentation::openapi())
        .merge(users::routes())
        .merge(users::operators())
        .merge(books::routes())
        .merge(orders::routes())
        .merge(orders::search_routes())
        .merge(dashboard::routes())
        .merge(OpenApiRouter::from(Router::new().nest("/api", aliases)))
        .merge(OpenApiRouter::from(users::aliases()))
        .with_state(shop)
}
