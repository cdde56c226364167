//! A book comes into the catalogue.

use crate::books::{Book, BookDetails, BookEvent, BookRejection};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Adds a book. Adding the same book twice is nothing to do.
#[derive(Clone, Debug)]
pub struct CreateBook {
    /// Made by the caller, or derived from the code that the outside world gave it.
    pub book: Id<Book>,
    /// Everything about it.
    pub details: BookDetails,
}

impl Command for CreateBook {
    const NAME: &'static str = "book.create";
    type Aggregate = Book;

    fn target(&self) -> Id<Book> {
        self.book
    }
}

impl Decide<CreateBook> for Book {
    fn decide(&self, command: &CreateBook, _: &DecisionContext<'_>) -> Result<Vec<BookEvent>, BookRejection> {
        match &self.details {
            _ if self.deleted => Err(BookRejection::Deleted),
            Some(details) if *details == command.details => Ok(vec![]),
            Some(_) => Err(BookRejection::AlreadyExists),
            None => {
                command.details.check()?;
                Ok(vec![BookEvent::Created(command.details.clone())])
            }
        }
    }
}
