//! A book leaves the catalogue.

use crate::books::{Book, BookEvent, BookRejection};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Takes a book out of the catalogue for good.
#[derive(Clone, Debug)]
pub struct DeleteBook {
    /// Which.
    pub book: Id<Book>,
}

impl Command for DeleteBook {
    const NAME: &'static str = "book.delete";
    type Aggregate = Book;

    fn target(&self) -> Id<Book> {
        self.book
    }
}

impl Decide<DeleteBook> for Book {
    fn decide(&self, _: &DeleteBook, _: &DecisionContext<'_>) -> Result<Vec<BookEvent>, BookRejection> {
        match &self.details {
            None => Err(BookRejection::NotFound),
            Some(_) if self.deleted => Ok(vec![]),
            Some(_) => Ok(vec![BookEvent::Deleted {}]),
        }
    }
}
