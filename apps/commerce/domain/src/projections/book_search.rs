//! Books found by text.

use crate::{
    books::{BookDetails, BookEvent},
    money::Money,
};
use gallae_core::{Field, FieldValue, Projection, Recorded, SearchDocument, Timestamp, View, ViewKey};
use serde::{Deserialize, Serialize};

/// One document per listed book.
#[derive(Clone, Copy, Debug)]
pub struct BookSearch;

/// A book as a list of hits shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BookDocument {
    /// Which.
    pub book_id: String,
    /// Its title.
    pub title: String,
    /// Its authors.
    pub author: String,
    /// Its number, or nothing.
    pub isbn: String,
    /// What it costs.
    pub price: Option<Money>,
    /// When it came into the catalogue.
    pub created_at: Option<Timestamp>,
    /// Whether it left the catalogue.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl View for BookDocument {
    const FIELDS: &'static [Field] =
        &[Field::text("author"), Field::integer("price"), Field::integer("created_at")];

    fn fields(&self) -> Vec<FieldValue> {
        let price = self.price.map(|price| price.amount);
        vec![self.author.as_str().into(), price.into(), self.created_at.into()]
    }

    fn removed(&self) -> bool {
        self.deleted
    }
}

impl SearchDocument for BookDocument {
    const TEXT: &'static [&'static str] = &["title", "author", "isbn"];

    fn text(&self) -> Vec<String> {
        vec![self.title.clone(), self.author.clone(), self.isbn.clone()]
    }
}

impl Projection for BookSearch {
    const NAME: &'static str = "book-search";
    const REVISION: u32 = 1;
    type Events = BookEvent;
    type View = BookDocument;

    fn key(event: &Recorded<BookEvent>) -> Option<ViewKey> {
        Some(event.stream().key().into())
    }

    fn project(view: &mut BookDocument, event: &Recorded<BookEvent>) {
        match &event.event {
            BookEvent::Created(details) => {
                view.book_id = event.stream().key().to_owned();
                view.created_at = Some(event.time());
                view.describe(details);
            }
            BookEvent::Updated(details) => view.describe(details),
            BookEvent::Deleted {} => view.deleted = true,
        }
    }
}

impl BookDocument {
    fn describe(&mut self, details: &BookDetails) {
        self.title.clone_from(&details.title);
        self.author.clone_from(&details.author);
        self.isbn = details.isbn.clone().unwrap_or_default();
        self.price = Some(details.price);
    }
}
