//! The catalogue with what is on the shelf.

use crate::{
    books::{Book, BookDetails, BookEvent},
    stock::{StockEvent, StockLevels},
};
use gallae_core::{EventSet, Field, FieldValue, Id, Projection, Recorded, Timestamp, Version, View, ViewKey};
use serde::{Deserialize, Serialize};

/// One view per book, from its own events and its stock's.
#[derive(Clone, Copy, Debug)]
pub struct BookViews;

/// What [`BookViews`] listens to.
#[derive(Clone, Debug, EventSet)]
pub enum BookOrStockEvent {
    /// Of the book.
    Book(BookEvent),
    /// Of its stock.
    Stock(StockEvent),
}

/// A book as queries show it. A view that is not listed is a deleted book, or stock whose book is not known yet: filter by
/// `listed = 1`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BookView {
    /// Which.
    pub id: Option<Id<Book>>,
    /// The version of the book that it shows; its stock does not count.
    pub version: Version,
    /// What the catalogue says.
    pub details: Option<BookDetails>,
    /// Whether it left the catalogue.
    pub deleted: bool,
    /// Where its copies are.
    pub stock: StockLevels,
    /// When it came into the catalogue.
    pub created_at: Option<Timestamp>,
    /// When its details last changed.
    pub updated_at: Option<Timestamp>,
}

impl BookView {
    /// What the catalogue says, while it lists the book.
    pub fn listed(&self) -> Option<&BookDetails> {
        self.details.as_ref().filter(|_| !self.deleted)
    }
}

impl View for BookView {
    const FIELDS: &'static [Field] = &[
        Field::integer("listed"),
        Field::text("title"),
        Field::text("author"),
        Field::integer("price"),
        Field::integer("created_at"),
    ];

    fn fields(&self) -> Vec<FieldValue> {
        let details = self.details.as_ref();
        vec![
            i64::from(self.listed().is_some()).into(),
            details.map(|book| book.title.as_str()).into(),
            details.map(|book| book.author.as_str()).into(),
            details.map(|book| book.price.amount).into(),
            self.created_at.into(),
        ]
    }
}

impl Projection for BookViews {
    const NAME: &'static str = "book-views";
    const REVISION: u32 = 1;
    type Events = BookOrStockEvent;
    type View = BookView;

    fn key(event: &Recorded<BookOrStockEvent>) -> Option<ViewKey> {
        match &event.event {
            BookOrStockEvent::Book(_) => Some(event.stream().key().into()),
            BookOrStockEvent::Stock(stock) => Some(stock.book().to_string().into()),
        }
    }

    fn project(view: &mut BookView, event: &Recorded<BookOrStockEvent>) {
        match &event.event {
            BookOrStockEvent::Stock(stock) => {
                view.id = Some(stock.book());
                view.stock = stock.levels();
            }
            BookOrStockEvent::Book(book) => {
                view.id = event.id();
                view.version = event.version();
                view.updated_at = Some(event.time());
                match book {
                    BookEvent::Created(details) => {
                        view.created_at = Some(event.time());
                        view.details = Some(details.clone());
                    }
                    BookEvent::Updated(details) => view.details = Some(details.clone()),
                    BookEvent::Deleted {} => view.deleted = true,
                }
            }
        }
    }
}
