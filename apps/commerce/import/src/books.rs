//! goodbooks-10k (`books.csv`) to rows of the catalogue.
//!
//! The file has no price and no stock. Both are derived from `book_id` by [`price_krw`] and [`stock`], so that they are
//! invented once and for all, and the same everywhere. Image addresses are external and never read.

use crate::isbn::{self, Isbn};
use crate::table::{Row, Table};
use crate::{ReadError, Rejected};
use std::collections::HashMap;
use std::io::Read;

/// One book, ready for the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookRow {
    /// The line of the file, the header being line 1.
    pub line: u64,
    /// `book_id` of the file: rank by popularity, unique.
    pub book_id: u32,
    /// Its number, rebuilt from the ISBN-10.
    pub isbn: Isbn,
    /// At least one, in the order of the file.
    pub authors: Vec<String>,
    /// Year of first publication; negative years are before the common era.
    pub year: Option<i16>,
    /// The title of this edition, series included.
    pub title: String,
    /// The title in the language it was written in.
    pub original_title: Option<String>,
    /// The language code as the file has it (`eng`, `en-US`, `spa`).
    pub language: Option<String>,
    /// Price in won, see [`price_krw`].
    pub price_krw: i64,
    /// Copies on hand, see [`stock`].
    pub stock: u32,
}

/// What a file of books holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    /// Lines read, without the header: always `rows.len() + rejected.len()`.
    pub lines_in: u64,
    /// The usable ones, in the order of the file.
    pub rows: Vec<BookRow>,
    /// The others.
    pub rejected: Vec<Rejected<Reason>>,
}

/// Why a line of the file is not a book.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Not a CSV record of the header's length in UTF-8.
    #[error("not a readable record: {detail}")]
    Unreadable {
        /// What the CSV reader says.
        detail: String,
    },
    /// A field that must be there is empty or does not parse.
    #[error("`{column}` is not usable: `{value}`")]
    BadField {
        /// Which column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// An earlier line already has this `book_id`.
    #[error("book {book_id} was already on line {first_line}")]
    Duplicate {
        /// The id seen twice.
        book_id: u32,
        /// Where it was seen first.
        first_line: u64,
    },
}

impl Reason {
    /// A stable word for reports.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "UNREADABLE",
            Self::BadField { .. } => "BAD_FIELD",
            Self::Duplicate { .. } => "DUPLICATE",
        }
    }
}

/// Price in won: `8000 + 100 × (book_id × 97 mod 301)`, thus a multiple of 100 from 8,000 to 38,000.
pub fn price_krw(book_id: u32) -> i64 {
    8_000 + 100 * (i64::from(book_id) * 97 % 301)
}

/// Copies on hand: `20 + (book_id × 37 mod 181)`, thus from 20 to 200.
pub fn stock(book_id: u32) -> u32 {
    let copies = u64::from(book_id) * 37 % 181;
    20 + u32::try_from(copies).expect("a remainder of 181 fits")
}

/// Reads a whole file. A bad line is rejected and the others go on; only an unreadable file is an error.
pub fn read(reader: impl Read) -> Result<Books, ReadError> {
    let mut table = Table::open(reader, COLUMNS)?;
    let mut books = Books { lines_in: 0, rows: Vec::new(), rejected: Vec::new() };
    let mut seen = HashMap::new();
    while let Some(row) = table.next()? {
        books.lines_in += 1;
        let (line, read) = match row {
            Row::Broken { line, detail } => (line, Err(Reason::Unreadable { detail })),
            Row::Fields { line, fields } => (line, book(line, fields)),
        };
        let unique = read.and_then(|book| match seen.get(&book.book_id) {
            Some(&first_line) => Err(Reason::Duplicate { book_id: book.book_id, first_line }),
            None => Ok(book),
        });
        match unique {
            Ok(book) => {
                seen.insert(book.book_id, line);
                books.rows.push(book);
            }
            Err(reason) => books.rejected.push(Rejected { line, reason }),
        }
    }
    Ok(books)
}

const COLUMNS: [&str; 7] =
    ["book_id", "isbn", "authors", "original_publication_year", "original_title", "title", "language_code"];

fn book(line: u64, fields: [&str; 7]) -> Result<BookRow, Reason> {
    let [id, isbn, authors, year, original_title, title, language] = fields;
    let bad = |column, value: &str| Reason::BadField { column, value: value.to_owned() };
    let book_id = id.parse().map_err(|_| bad("book_id", id))?;
    let authors: Vec<String> =
        authors.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if authors.is_empty() {
        return Err(bad("authors", ""));
    }
    if title.is_empty() {
        return Err(bad("title", ""));
    }
    Ok(BookRow {
        line,
        book_id,
        isbn: isbn::from_isbn10(isbn),
        authors,
        year: parse_year(year).map_err(|()| bad("original_publication_year", year))?,
        title: title.to_owned(),
        original_title: present(original_title),
        language: present(language),
        price_krw: price_krw(book_id),
        stock: stock(book_id),
    })
}

fn present(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The file writes years as floats: `2008.0`, `-720.0`.
fn parse_year(text: &str) -> Result<Option<i16>, ()> {
    if text.is_empty() {
        return Ok(None);
    }
    text.strip_suffix(".0").unwrap_or(text).parse().map(Some).map_err(|_| ())
}
