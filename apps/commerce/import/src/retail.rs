//! UCI Online Retail (`InvoiceNo, StockCode, …`) to sales, cancellations and stock adjustments.
//!
//! [`read`] groups lines into invoices, [`classify`] says what each line is. The rules, in the order they are asked:
//!
//! | line | becomes |
//! |---|---|
//! | a field that does not parse, or out of bounds | rejected |
//! | invoice `A…` | rejected: a bad-debt adjustment, no goods |
//! | code of a charge (postage, fees, discounts, …) | rejected: not a product |
//! | invoice `C…` | a refund of earlier purchases of the same customer and product, else rejected |
//! | negative quantity | a stock adjustment, if the product is sold anywhere in the file, else rejected |
//! | price zero or below | rejected: not a sale |
//! | everything else | an item of a sale, at its historic price |
//!
//! Codes are compared in upper case: the file writes the same product as `85123A` and `85123a`. Times in the file are
//! local times of the United Kingdom without a zone; they are taken as UTC. Amounts are pounds sterling, in pence here.

mod catalogue;
mod classify;
mod purchases;
mod read;
mod reason;

pub use catalogue::Product;
pub use classify::{Adjustment, Cancellation, Classified, Entry, RefundLine, Sale, SaleLine, classify};
pub use purchases::RefundPart;
pub use read::{Customer, Invoice, Line, MAX_PRICE, MAX_QUANTITY, Sheet, read};
pub use reason::Reason;

/// The currency of every amount in the file.
pub const CURRENCY: &str = "GBP";
