//! What each line of a file is.

use super::catalogue::{self, Product};
use super::purchases::{Purchase, Purchases, RefundPart};
use super::{Customer, Invoice, Line, Reason, Sheet};
use crate::payment::{self, Outcome};
use crate::{Rejected, Tally};
use std::collections::HashSet;

/// A file, every line of it judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// Lines that came in.
    pub lines_in: u64,
    /// What to do, in the order of time, then of the file: a refund always comes after what it refunds.
    pub entries: Vec<Entry>,
    /// What the catalogue needs before the first entry, by code.
    pub products: Vec<Product>,
    /// Lines not used, by line number.
    pub rejected: Vec<Rejected<Reason>>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Place an order.
    Sale(Sale),
    /// Refund parts of earlier orders.
    Cancellation(Cancellation),
    /// Correct the stock.
    Adjustment(Adjustment),
}

/// An order of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// `InvoiceNo`, unique in the file.
    pub invoice: String,
    /// Who bought.
    pub customer: Customer,
    /// Country of the customer.
    pub country: String,
    /// Microseconds UTC.
    pub placed_at: i64,
    /// How its payment ends, by [`payment::outcome`].
    pub payment: Outcome,
    /// At least one; the same product may be on several lines.
    pub lines: Vec<SaleLine>,
}

/// An item of a [`Sale`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaleLine {
    /// The line of the file.
    pub line: u64,
    /// `StockCode` in upper case.
    pub code: String,
    /// `Description`.
    pub name: String,
    /// Units, at least one.
    pub quantity: u32,
    /// What was paid for a unit, in pence.
    pub unit_price: i64,
}

/// A cancellation of which at least one line matches earlier purchases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// `InvoiceNo`, beginning with `C`.
    pub invoice: String,
    /// Who gives back.
    pub customer: Customer,
    /// Microseconds UTC.
    pub placed_at: i64,
    /// The lines that match.
    pub lines: Vec<RefundLine>,
}

/// A line of a [`Cancellation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundLine {
    /// The line of the file.
    pub line: u64,
    /// `StockCode` in upper case.
    pub code: String,
    /// The purchases that it takes back; their quantities add up to the line's.
    pub parts: Vec<RefundPart>,
}

/// Units written off, outside any sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// `InvoiceNo`.
    pub invoice: String,
    /// The line of the file.
    pub line: u64,
    /// `StockCode` in upper case.
    pub code: String,
    /// Units that leave the stock, at least one.
    pub written_off: u32,
    /// The file's remark (`damages`, `check`), often empty.
    pub remark: String,
    /// Microseconds UTC.
    pub placed_at: i64,
}

impl Sale {
    /// What the order costs, in pence.
    pub fn total(&self) -> i64 {
        self.lines.iter().map(|line| i64::from(line.quantity) * line.unit_price).sum()
    }
}

impl Cancellation {
    /// What is returned, in pence.
    pub fn total(&self) -> i64 {
        let parts = self.lines.iter().flat_map(|line| &line.parts);
        parts.map(|part| i64::from(part.quantity) * part.unit_price).sum()
    }
}

impl Entry {
    pub(super) fn sale_lines(&self) -> &[SaleLine] {
        match self {
            Self::Sale(sale) => &sale.lines,
            Self::Cancellation(_) | Self::Adjustment(_) => &[],
        }
    }
}

impl Classified {
    /// Counts the lines in what came out. It adds up unless a line was lost or used twice.
    pub fn tally(&self) -> Tally {
        let rejected = self.rejected.len() as u64;
        let mut tally = Tally { lines_in: self.lines_in, rejected, ..Tally::default() };
        for entry in &self.entries {
            match entry {
                Entry::Sale(sale) => tally.ordered += sale.lines.len() as u64,
                Entry::Cancellation(cancellation) => tally.refunded += cancellation.lines.len() as u64,
                Entry::Adjustment(_) => tally.adjusted += 1,
            }
        }
        tally
    }
}

/// Judges every line, see the table of [`crate::retail`].
pub fn classify(mut sheet: Sheet) -> Classified {
    sheet.invoices.sort_by_key(|invoice| invoice.placed_at);
    let mut judge = Judge {
        sold: sheet.invoices.iter().flat_map(sold_codes).collect(),
        purchases: Purchases::default(),
        entries: Vec::new(),
        rejected: sheet.rejected,
    };
    for invoice in &sheet.invoices {
        match invoice.number.as_bytes().first() {
            Some(b'A') => judge.reject_all(invoice, &Reason::BadDebt),
            Some(b'C') => judge.cancellation(invoice),
            _ => judge.sale(invoice),
        }
    }
    let Judge { entries, mut rejected, .. } = judge;
    rejected.sort_by_key(|rejected| rejected.line);
    Classified { lines_in: sheet.lines_in, products: catalogue::products(&entries), entries, rejected }
}

/// Codes that stand for charges, fees, discounts and samples; gift vouchers begin with `GIFT_`. (A pattern would not do:
/// `DCGSSBOY` is a product.)
const CHARGES: [&str; 10] = ["AMAZONFEE", "B", "BANK CHARGES", "C2", "CRUK", "D", "DOT", "M", "POST", "S"];

fn is_charge(code: &str) -> bool {
    CHARGES.contains(&code) || code.starts_with("GIFT_")
}

enum Kind {
    Sold(u32),
    WrittenOff(u32),
}

/// What a line of an invoice without `C` or `A` is, by itself.
fn kind(line: &Line) -> Result<Kind, Reason> {
    if is_charge(&line.code) {
        return Err(Reason::Charge { code: line.code.clone() });
    }
    let units = units(line);
    match line.quantity {
        0 => Err(Reason::ZeroQuantity),
        ..0 => Ok(Kind::WrittenOff(units)),
        _ if line.price <= 0 => Err(Reason::Free),
        _ => Ok(Kind::Sold(units)),
    }
}

fn units(line: &Line) -> u32 {
    u32::try_from(line.quantity.unsigned_abs()).expect("bounded by MAX_QUANTITY when it was read")
}

fn sold_codes(invoice: &Invoice) -> impl Iterator<Item = &str> {
    let is_sale = !invoice.number.starts_with(['A', 'C']);
    let lines = invoice.lines.iter().filter(move |line| is_sale && matches!(kind(line), Ok(Kind::Sold(_))));
    lines.map(|line| line.code.as_str())
}

struct Judge<'a> {
    sold: HashSet<&'a str>,
    purchases: Purchases<'a>,
    entries: Vec<Entry>,
    rejected: Vec<Rejected<Reason>>,
}

impl<'a> Judge<'a> {
    fn reject(&mut self, line: &Line, reason: Reason) {
        self.rejected.push(Rejected { line: line.number, reason });
    }

    fn reject_all(&mut self, invoice: &Invoice, reason: &Reason) {
        for line in &invoice.lines {
            self.reject(line, reason.clone());
        }
    }

    fn sale(&mut self, invoice: &'a Invoice) {
        let payment = payment::outcome(&invoice.number);
        let mut lines = Vec::new();
        for line in &invoice.lines {
            match kind(line) {
                Err(reason) => self.reject(line, reason),
                Ok(Kind::WrittenOff(units)) => self.write_off(invoice, line, units),
                Ok(Kind::Sold(units)) => {
                    self.remember(invoice, line, units, payment);
                    lines.push(SaleLine {
                        line: line.number,
                        code: line.code.clone(),
                        name: line.description.clone(),
                        quantity: units,
                        unit_price: line.price,
                    });
                }
            }
        }
        if !lines.is_empty() {
            self.entries.push(Entry::Sale(Sale {
                invoice: invoice.number.clone(),
                customer: invoice.customer,
                country: invoice.country.clone(),
                placed_at: invoice.placed_at,
                payment,
                lines,
            }));
        }
    }

    fn remember(&mut self, invoice: &'a Invoice, line: &'a Line, units: u32, payment: Outcome) {
        if let Customer::Known(customer) = invoice.customer {
            let purchase = Purchase {
                invoice: &invoice.number,
                line: line.number,
                left: units,
                unit_price: line.price,
                paid: payment == Outcome::Approved,
            };
            self.purchases.record(customer, &line.code, purchase);
        }
    }

    fn write_off(&mut self, invoice: &Invoice, line: &Line, units: u32) {
        if !self.sold.contains(line.code.as_str()) {
            return self.reject(line, Reason::NeverSold);
        }
        self.entries.push(Entry::Adjustment(Adjustment {
            invoice: invoice.number.clone(),
            line: line.number,
            code: line.code.clone(),
            written_off: units,
            remark: line.description.clone(),
            placed_at: invoice.placed_at,
        }));
    }

    fn cancellation(&mut self, invoice: &'a Invoice) {
        let mut lines = Vec::new();
        for line in &invoice.lines {
            match self.refund(invoice.customer, line) {
                Ok(parts) => lines.push(RefundLine { line: line.number, code: line.code.clone(), parts }),
                Err(reason) => self.reject(line, reason),
            }
        }
        if !lines.is_empty() {
            self.entries.push(Entry::Cancellation(Cancellation {
                invoice: invoice.number.clone(),
                customer: invoice.customer,
                placed_at: invoice.placed_at,
                lines,
            }));
        }
    }

    fn refund(&mut self, customer: Customer, line: &'a Line) -> Result<Vec<RefundPart>, Reason> {
        if is_charge(&line.code) {
            return Err(Reason::Charge { code: line.code.clone() });
        }
        match line.quantity {
            0 => return Err(Reason::ZeroQuantity),
            1.. => return Err(Reason::PositiveCancellation),
            ..0 if line.price <= 0 => return Err(Reason::Free),
            ..0 => {}
        }
        let Customer::Known(customer) = customer else { return Err(Reason::GuestCancellation) };
        self.purchases.take(customer, &line.code, units(line), line.price)
    }
}
