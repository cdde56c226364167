//! Lines to invoices, keeping line numbers.

use super::Reason;
use crate::pence::{self, PenceError};
use crate::table::{Row, Table};
use crate::{ReadError, Rejected};
use jiff::{civil::DateTime, tz::TimeZone};
use std::collections::HashMap;
use std::io::Read;

/// Most units on one line, either way; the full data set goes up to 80,995.
pub const MAX_QUANTITY: i64 = 100_000;
/// Highest price of a unit in pence, either way; the full data set goes up to 3,897,000.
pub const MAX_PRICE: i64 = 10_000_000;

/// A file, line by line accounted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Lines read, without the header.
    pub lines_in: u64,
    /// Invoices in the order of their first line.
    pub invoices: Vec<Invoice>,
    /// Lines that are not part of any invoice.
    pub rejected: Vec<Rejected<Reason>>,
}

/// The lines that share an invoice number, not yet judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// `InvoiceNo`; a leading `C` or `A` says what it is.
    pub number: String,
    /// Who bought.
    pub customer: Customer,
    /// Country of the customer.
    pub country: String,
    /// Time of its first line, microseconds UTC. (Some invoices run over two minutes.)
    pub placed_at: i64,
    /// At least one.
    pub lines: Vec<Line>,
}

/// One line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The line of the file, the header being line 1.
    pub number: u64,
    /// `StockCode` in upper case.
    pub code: String,
    /// `Description`; empty or a remark (`damages`) on some lines that are not sales.
    pub description: String,
    /// Units, negative when goods come back or are written off.
    pub quantity: i64,
    /// Price of a unit in pence.
    pub price: i64,
}

/// Who an invoice belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Customer {
    /// `CustomerID` of the file.
    Known(u32),
    /// The file names nobody.
    Guest,
}

impl Customer {
    /// The address of the user that stands for this customer: `customer-17850@example.com`, or `guest@example.com`.
    pub fn email(&self) -> String {
        match self {
            Self::Known(id) => format!("customer-{id}@example.com"),
            Self::Guest => "guest@example.com".to_owned(),
        }
    }
}

/// Reads a whole file. A bad line is rejected and the others go on; only an unreadable file is an error.
pub fn read(reader: impl Read) -> Result<Sheet, ReadError> {
    let mut table = Table::open(reader, COLUMNS)?;
    let mut sheet = Sheet { lines_in: 0, invoices: Vec::new(), rejected: Vec::new() };
    let mut places: HashMap<String, usize> = HashMap::new();
    while let Some(row) = table.next()? {
        sheet.lines_in += 1;
        let (line, read) = match row {
            Row::Broken { line, detail } => (line, Err(Reason::Unreadable { detail })),
            Row::Fields { line, fields } => (line, parse(line, fields)),
        };
        let filed = read.and_then(|record| file(&mut sheet.invoices, &mut places, record));
        if let Err(reason) = filed {
            sheet.rejected.push(Rejected { line, reason });
        }
    }
    Ok(sheet)
}

const COLUMNS: [&str; 8] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
];

struct Record<'a> {
    invoice: &'a str,
    customer: Customer,
    country: &'a str,
    placed_at: i64,
    line: Line,
}

fn parse(number: u64, fields: [&str; 8]) -> Result<Record<'_>, Reason> {
    let [invoice, code, description, quantity, date, price, customer, country] = fields;
    let bad = |column, value: &str| Reason::BadField { column, value: value.to_owned() };
    if invoice.is_empty() {
        return Err(bad("InvoiceNo", invoice));
    }
    if code.is_empty() {
        return Err(bad("StockCode", code));
    }
    let units: i64 = quantity.parse().map_err(|_| bad("Quantity", quantity))?;
    let pence = pence::parse(price).map_err(|fault| match fault {
        PenceError::NotAnAmount => bad("UnitPrice", price),
        PenceError::FinerThanAPenny => Reason::FinerThanAPenny { value: price.to_owned() },
    })?;
    within("Quantity", quantity, units, MAX_QUANTITY)?;
    within("UnitPrice", price, pence, MAX_PRICE)?;
    let customer = match customer {
        "" => Customer::Guest,
        id => Customer::Known(id.parse().map_err(|_| bad("CustomerID", id))?),
    };
    let line = Line {
        number,
        code: code.to_ascii_uppercase(),
        description: description.to_owned(),
        quantity: units,
        price: pence,
    };
    let placed_at = micros_utc(date).ok_or_else(|| bad("InvoiceDate", date))?;
    Ok(Record { invoice, customer, country, placed_at, line })
}

/// Bounds keep every later sum inside an `i64`: a line is at most 10^12 pence.
fn within(column: &'static str, text: &str, value: i64, bound: i64) -> Result<(), Reason> {
    match (-bound..=bound).contains(&value) {
        true => Ok(()),
        false => Err(Reason::OutOfBounds { column, value: text.to_owned() }),
    }
}

fn micros_utc(text: &str) -> Option<i64> {
    let local: DateTime = text.parse().ok()?;
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

fn file(
    invoices: &mut Vec<Invoice>,
    places: &mut HashMap<String, usize>,
    record: Record<'_>,
) -> Result<(), Reason> {
    if let Some(&place) = places.get(record.invoice) {
        let invoice = &mut invoices[place];
        if invoice.customer != record.customer {
            return Err(Reason::OtherCustomer);
        }
        invoice.lines.push(record.line);
        return Ok(());
    }
    places.insert(record.invoice.to_owned(), invoices.len());
    invoices.push(Invoice {
        number: record.invoice.to_owned(),
        customer: record.customer,
        country: record.country.to_owned(),
        placed_at: record.placed_at,
        lines: vec![record.line],
    });
    Ok(())
}
