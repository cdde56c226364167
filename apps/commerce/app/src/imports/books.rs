//! Books into the catalogue and onto the shelf.

use super::{
    Count, ImportError, OnProgress, RejectedLine,
    sending::{Sent, send, send_once, through},
};
use commerce_domain::{
    books::{Book, BookDetails, BookRejection, commands::CreateBook},
    money::{Currency, Money},
    stock::{StockRejection, commands::ReceiveStock},
};
use commerce_import::{
    books::{BookRow, Books, read},
    isbn::Isbn,
};
use gallae_core::{Id, Rejection};
use gallae_runtime::Platform;
use serde::{Deserialize, Serialize};

/// What an import of books did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BooksReport {
    /// Lines of the file, without the header.
    pub lines_in: u64,
    /// Books of the catalogue.
    pub books: Count,
    /// Copies put on the shelf by this run.
    pub copies: u64,
    /// Lines that were not used, by line.
    pub rejected: Vec<RejectedLine>,
}

impl BooksReport {
    /// Whether every line went to exactly one place.
    pub fn adds_up(&self) -> bool {
        self.lines_in == self.books.all() + self.rejected.len() as u64
    }
}

/// Puts the books of a goodbooks-10k file into the catalogue, with their price and stock by rule. A book that is there already
/// stays as it is, also where an operator changed it.
///
/// # Errors
/// See [`ImportError`].
pub async fn import_books(
    platform: &Platform,
    file: &[u8],
    progress: OnProgress<'_>,
) -> Result<BooksReport, ImportError> {
    let Books { lines_in, rows, rejected } = read(file)?;
    let outcomes = through(rows.len(), "books", progress, |at| bring(platform, &rows[at])).await?;
    let mut report = BooksReport { lines_in, books: Count::default(), copies: 0, rejected: Vec::new() };
    let unread = rejected.into_iter().map(|one| RejectedLine {
        line: one.line,
        code: one.reason.code().to_owned(),
        reason: one.reason.to_string(),
    });
    report.rejected.extend(unread);
    for (row, outcome) in rows.iter().zip(outcomes) {
        match outcome {
            Ok(Brought { new, copies }) => {
                report.books.add(new);
                report.copies += u64::from(copies);
            }
            Err(rejected) => report.rejected.push(RejectedLine { line: row.line, ..rejected }),
        }
    }
    report.rejected.sort_by_key(|rejected| rejected.line);
    Ok(report)
}

/// The book that always stands for a row.
fn id_of(row: &BookRow) -> Id<Book> {
    Id::derived(&format!("goodbooks-10k:{}", row.book_id))
}

struct Brought {
    new: bool,
    copies: u32,
}

async fn bring(platform: &Platform, row: &BookRow) -> Result<Result<Brought, RejectedLine>, ImportError> {
    let book = id_of(row);
    let new = match send(platform, book.uuid(), CreateBook { book, details: details(row) }).await? {
        Sent::Accepted(new) => new,
        Sent::Refused(BookRejection::AlreadyExists | BookRejection::Deleted) => false,
        Sent::Refused(rejection) => return Ok(Err(refused(&rejection))),
        Sent::Taken(owner) => return Ok(Err(taken(&owner))),
    };
    let key = format!("goodbooks-10k:{}:stock", row.book_id);
    let stocked = send_once(platform, book.uuid(), ReceiveStock { book, quantity: row.stock }, key).await?;
    let copies = if matches!(stocked, Sent::<StockRejection>::Accepted(true)) { row.stock } else { 0 };
    Ok(Ok(Brought { new, copies }))
}

fn details(row: &BookRow) -> BookDetails {
    let isbn = match &row.isbn {
        Isbn::Valid(isbn) => Some(isbn.to_string()),
        Isbn::Missing | Isbn::Invalid(_) => None,
    };
    let original = row.original_title.as_ref().filter(|original| **original != row.title);
    BookDetails {
        title: row.title.clone(),
        author: row.authors.join(", "),
        isbn,
        description: original.map(|original| format!("Original title: {original}")),
        price: Money::new(row.price_krw, Currency::Krw),
        published_year: row.year.map(i32::from),
        language: row.language.clone(),
    }
}

fn refused(rejection: &BookRejection) -> RejectedLine {
    RejectedLine { line: 0, code: rejection.code().to_owned(), reason: rejection.to_string() }
}

fn taken(owner: &str) -> RejectedLine {
    RejectedLine { line: 0, code: "TAKEN".to_owned(), reason: format!("it belongs to {owner}") }
}
