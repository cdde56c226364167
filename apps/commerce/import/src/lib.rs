//! Reads real books and real retail invoices, and says of every line what the shop should do with it.
//!
//! Pure: bytes in, values out. No clock, no randomness, no store: the same file always gives the same result, which is
//! what lets an import be interrupted and repeated. A line that cannot be used is never dropped: it comes back as a
//! [`Rejected`] with its line number and a reason, and [`Tally`] proves that every line was counted once.
//!
//! - [`books`]: goodbooks-10k to catalogue rows.
//! - [`retail`]: UCI Online Retail to sales, cancellations and stock adjustments.
//! - [`payment`]: the fixed table that decides how the payment of an imported invoice ends.

pub mod books;
pub mod isbn;
pub mod payment;
pub mod retail;

mod pence;
mod table;

use std::io;

/// A line of the input that the import does not use, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected<R> {
    /// The line of the file, the header being line 1.
    pub line: u64,
    /// Why it was not used.
    pub reason: R,
}

/// The file as a whole cannot be read. Single bad lines are [`Rejected`] instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The header lacks a column that the import needs.
    #[error("the header has no column `{column}`: this is not the expected file")]
    MissingColumn {
        /// The name that was looked for.
        column: &'static str,
    },
    /// The header itself is not CSV in UTF-8.
    #[error("the header is not CSV in UTF-8")]
    Header(#[source] csv::Error),
    /// Reading failed in the middle. Nothing was imported from this file: read it again.
    #[error("reading the file failed, nothing was imported from it")]
    Io(#[source] io::Error),
}

/// Where the lines of a retail file went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Lines read, without the header.
    pub lines_in: u64,
    /// Lines that became items of an order.
    pub ordered: u64,
    /// Lines that became refunds of earlier purchases.
    pub refunded: u64,
    /// Lines that changed stock.
    pub adjusted: u64,
    /// Lines that were not used, each with a reason.
    pub rejected: u64,
}

impl Tally {
    /// Whether every line that came in went to exactly one place.
    pub fn adds_up(&self) -> bool {
        self.lines_in == self.ordered + self.refunded + self.adjusted + self.rejected
    }
}
