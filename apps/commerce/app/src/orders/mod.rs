//! Orders: placing, following, cancelling, operating, searching.

mod body;
mod cancel;
mod confirm;
mod duplicate;
mod history;
mod operate;
mod place;
pub mod queries;
mod read;
mod reply;
mod search;
mod stream;

pub(crate) use reply::AmountReply;

use crate::Shop;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Routes that answer under `/orders` and `/api/orders`.
pub(crate) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new()
        .routes(routes!(place::place_order, read::list_orders))
        .routes(routes!(stream::stream_orders))
        .routes(routes!(read::get_order, cancel::cancel_order))
        .routes(routes!(confirm::confirm_order))
        .routes(routes!(operate::approve_order))
        .routes(routes!(operate::ship_order))
        .routes(routes!(operate::deliver_order))
        .routes(routes!(history::order_events))
}

/// Routes that answer under `/api` alone.
pub(crate) fn search_routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new().routes(routes!(search::search_orders))
}
