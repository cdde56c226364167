//! What can be asked of a book.

mod create_book;
mod delete_book;
mod update_book;

pub use create_book::CreateBook;
pub use delete_book::DeleteBook;
pub use update_book::{BookChange, UpdateBook};
