//! Something about a book changes.

use crate::books::{Book, BookDetails, BookEvent, BookPatch, BookRejection};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Changes a book of the catalogue. Orders placed before keep their price and title.
#[derive(Clone, Debug)]
pub struct UpdateBook {
    /// Which.
    pub book: Id<Book>,
    /// How.
    pub change: BookChange,
}

/// All of a book, or parts of it.
#[derive(Clone, Debug)]
pub enum BookChange {
    /// What is absent is cleared.
    Replace(BookDetails),
    /// What is absent stays.
    Patch(BookPatch),
}

impl Command for UpdateBook {
    const NAME: &'static str = "book.update";
    type Aggregate = Book;

    fn target(&self) -> Id<Book> {
        self.book
    }
}

impl Decide<UpdateBook> for Book {
    fn decide(&self, command: &UpdateBook, _: &DecisionContext<'_>) -> Result<Vec<BookEvent>, BookRejection> {
        let before = self.listed().ok_or(BookRejection::NotFound)?;
        let after = match &command.change {
            BookChange::Replace(details) => details.clone(),
            BookChange::Patch(patch) => patch.apply(before),
        };
        after.check()?;
        Ok(if after == *before { vec![] } else { vec![BookEvent::Updated(after)] })
    }
}
