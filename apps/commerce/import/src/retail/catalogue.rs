//! The catalogue that a retail file implies.

use super::{Entry, SaleLine};
use std::collections::BTreeMap;

/// A product that the file sells at least once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// `StockCode` in upper case.
    pub code: String,
    /// Its description at its first sale, or the code where that is empty.
    pub name: String,
    /// Its price at its first sale, in pence.
    pub price: i64,
    /// Units to open the stock with: all that the file sells and writes off, rounded up to whole hundreds. So no
    /// historic order ever lacks stock, whatever the order of lines; refunds only add to it.
    pub opening_stock: u64,
}

/// Products by code, from entries in the order of time.
pub(super) fn products(entries: &[Entry]) -> Vec<Product> {
    let mut products: BTreeMap<&str, Product> = BTreeMap::new();
    for line in entries.iter().flat_map(Entry::sale_lines) {
        let product = products.entry(&line.code).or_insert_with(|| first_sold(line));
        product.opening_stock += u64::from(line.quantity);
    }
    for entry in entries {
        if let Entry::Adjustment(adjustment) = entry
            && let Some(product) = products.get_mut(adjustment.code.as_str())
        {
            product.opening_stock += u64::from(adjustment.written_off);
        }
    }
    let mut products: Vec<Product> = products.into_values().collect();
    for product in &mut products {
        product.opening_stock = product.opening_stock.next_multiple_of(100);
    }
    products
}

fn first_sold(line: &SaleLine) -> Product {
    let name = if line.name.is_empty() { &line.code } else { &line.name };
    Product { code: line.code.clone(), name: name.clone(), price: line.unit_price, opening_stock: 0 }
}
