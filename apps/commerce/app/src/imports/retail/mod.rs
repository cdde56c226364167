//! A file of retail invoices: customers, products, orders, refunds, adjustments.
//!
//! The data set has products, the shop has books: a product becomes an item of the catalogue under an id derived from its
//! code, titled by its description at its first sale. Prices are those of the invoices, not the catalogue's.

mod customers;
mod products;
mod refunds;
mod report;
mod sales;
mod settled;

pub use report::{Amounts, OrdersReport};

use super::{ImportError, OnProgress, Progress, sending::through};
use commerce_domain::{books::Book, orders::Order};
use commerce_import::retail::{Adjustment, Cancellation, Classified, Entry, Sale, classify, read};
use gallae_core::Id;
use gallae_runtime::Platform;
use report::Ledger;

/// Names everything that is derived from this kind of file.
const SOURCE: &str = "online-retail";

/// Feeds a file of Online Retail invoices through the dispatcher, in the order in which each thing needs the others: customers and
/// products, then orders until their checkouts have ended, then refunds until they are paid, then adjustments.
///
/// # Errors
/// See [`ImportError`].
pub async fn import_orders(
    platform: &Platform,
    file: Vec<u8>,
    progress: OnProgress<'_>,
) -> Result<OrdersReport, ImportError> {
    progress(Progress { phase: "reading".to_owned(), done: 0, total: 0 });
    // Half a million lines take seconds: not on a thread that answers requests.
    let reading = tokio::task::spawn_blocking(move || read(file.as_slice()).map(classify)).await;
    let classified = reading.map_err(|_| ImportError::Reading)??;
    let Classified { lines_in, entries, products, rejected } = classified;
    let (sales, cancellations, adjustments) = by_kind(&entries);
    let mut ledger = Ledger::new(lines_in, rejected);

    let known = customers::of(&sales);
    let bring = |at: usize| customers::bring(platform, known[at]);
    let brought = through(known.len(), "customers", progress, bring).await?;
    let customers = ledger.customers(known.iter().copied().zip(brought));

    let bring = |at: usize| products::bring(platform, &products[at]);
    ledger.products(through(products.len(), "products", progress, bring).await?);

    let place = |at: usize| sales::place(platform, sales[at], &customers[&sales[at].customer]);
    let placed = through(sales.len(), "orders", progress, place).await?;
    ledger.sales(sales.iter().copied().zip(placed));

    let requests = refunds::requests(&cancellations);
    let ask = |at: usize| refunds::ask(platform, &requests[at]);
    let refunded = through(requests.len(), "refunds", progress, ask).await?;
    ledger.refunds(&cancellations, requests.iter().zip(refunded));

    let adjustments = products::numbered(&adjustments);
    let adjust = |at: usize| products::adjust(platform, &adjustments[at]);
    let adjusted = through(adjustments.len(), "adjustments", progress, adjust).await?;
    ledger.adjustments(adjustments.iter().map(|one| one.adjustment.line).zip(adjusted));
    Ok(ledger.close())
}

/// The item of the catalogue that always stands for a product.
fn product_id(code: &str) -> Id<Book> {
    Id::derived(&format!("{SOURCE}:{code}"))
}

/// The order that always stands for an invoice.
fn order_id(invoice: &str) -> Id<Order> {
    Id::derived(&format!("{SOURCE}:{invoice}"))
}

fn by_kind(entries: &[Entry]) -> (Vec<&Sale>, Vec<&Cancellation>, Vec<&Adjustment>) {
    let (mut sales, mut cancellations, mut adjustments) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::Sale(sale) => sales.push(sale),
            Entry::Cancellation(cancellation) => cancellations.push(cancellation),
            Entry::Adjustment(adjustment) => adjustments.push(adjustment),
        }
    }
    (sales, cancellations, adjustments)
}
