//! A book as the API shows it.

use crate::http::{CurrencyCode, Time};
use commerce_domain::{books::BookDetails, projections::BookView, stock::StockLevels};
use gallae_core::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A book of the catalogue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BookReply {
    /// Order it under this `productId`.
    id: Uuid,
    title: String,
    author: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    isbn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// In minor units of the currency.
    price: i64,
    currency: CurrencyCode,
    /// For people.
    #[schema(example = "₩15,000")]
    formatted_price: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    published_year: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<StockReply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Time>,
}

/// Where the copies of a book are.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StockReply {
    /// Can be ordered.
    available: u64,
    /// Promised to orders that are not confirmed yet.
    reserved: u64,
    /// Belong to confirmed orders.
    sold: u64,
}

/// A page of books.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct BooksPage {
    pub(super) books: Vec<BookReply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) page: Option<u32>,
    pub(super) limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total_pages: Option<u64>,
    /// Send it as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
}

impl BookReply {
    /// A book as a command left it.
    pub(super) fn decided(id: Uuid, details: &BookDetails) -> Self {
        Self {
            id,
            title: details.title.clone(),
            author: details.author.clone(),
            isbn: details.isbn.clone(),
            description: details.description.clone(),
            price: details.price.amount,
            currency: CurrencyCode(details.price.currency),
            formatted_price: details.price.to_string(),
            published_year: details.published_year,
            language: details.language.clone(),
            stock: None,
            created_at: None,
            updated_at: None,
        }
    }

    /// A book as the view shows it; `None` if the catalogue does not list it.
    pub(super) fn viewed(view: &BookView) -> Option<Self> {
        let time = |at: Option<Timestamp>| at.map(Time);
        let StockLevels { available, reserved, sold, .. } = view.stock;
        Some(Self {
            stock: Some(StockReply { available, reserved, sold }),
            created_at: time(view.created_at),
            updated_at: time(view.updated_at),
            ..Self::decided(view.id?.uuid(), view.listed()?)
        })
    }
}
