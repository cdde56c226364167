//! The catalogue: its write API and its read API.

mod body;
mod editor;
pub mod queries;
mod read;
mod reply;
mod write;

use crate::Shop;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<Shop> {
    OpenApiRouter::new().routes(routes!(write::create_book, read::list_books)).routes(routes!(
        write::replace_book,
        write::change_book,
        write::delete_book,
        read::get_book
    ))
}
