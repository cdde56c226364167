//! What is ordered.

use super::OrderRejection;
use crate::{books::Book, money::Money};
use gallae_core::Id;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderItem {
    /// As the outside world calls it: a book's id, or a code of its own.
    pub product_id: String,
    /// The book of the catalogue; absent for an item that is not in it, which has no stock either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub book: Option<Id<Book>>,
    /// As printed on the invoice.
    pub name: String,
    /// Pieces, at least one.
    pub quantity: u32,
    /// For one piece.
    pub unit_price: Money,
}

impl OrderItem {
    /// A book of the catalogue, at the catalogue's price.
    ///
    /// # Errors
    /// [`OrderRejection::UnknownProduct`] if the catalogue does not list it, [`OrderRejection::PriceChanged`] if the price that
    /// the customer saw is no longer the catalogue's.
    pub fn from_catalogue(
        id: Id<Book>,
        book: &Book,
        quantity: u32,
        seen: Option<Money>,
    ) -> Result<Self, OrderRejection> {
        let product_id = id.to_string();
        let Some(details) = book.listed() else {
            return Err(OrderRejection::UnknownProduct { product_id });
        };
        if let Some(seen) = seen.filter(|seen| *seen != details.price) {
            return Err(OrderRejection::PriceChanged { product_id, seen, current: details.price });
        }
        Ok(Self {
            product_id,
            book: Some(id),
            name: details.title.clone(),
            quantity,
            unit_price: details.price,
        })
    }
}

/// How many copies of a book an order needs, over all its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLine {
    /// Which.
    pub book: Id<Book>,
    /// Copies.
    pub quantity: u32,
}

/// The copies needed, one line per book, in the order of their ids. Items outside the catalogue need none.
pub fn stock_lines(items: impl IntoIterator<Item = (Option<Id<Book>>, u32)>) -> Vec<StockLine> {
    let mut lines = BTreeMap::<Id<Book>, u32>::new();
    for (book, quantity) in items {
        if let Some(book) = book {
            // The pieces of an order were counted in 32 bits when it was placed.
            *lines.entry(book).or_default() += quantity;
        }
    }
    lines.into_iter().map(|(book, quantity)| StockLine { book, quantity }).collect()
}

/// The product ids of `items`, each once, sorted: what tells a second order for the same things.
pub fn distinct_product_ids(items: &[OrderItem]) -> Vec<String> {
    let distinct: BTreeSet<&str> = items.iter().map(|item| item.product_id.as_str()).collect();
    distinct.into_iter().map(str::to_owned).collect()
}
