//! Products, their opening stock, and what was written off.

use super::{
    super::{
        ImportError,
        sending::{Sent, send, send_once},
    },
    SOURCE, product_id,
    settled::Refusal,
};
use commerce_domain::{
    books::{BookDetails, BookRejection, commands::CreateBook},
    money::{Currency, Money},
    stock::commands::{AdjustStock, ReceiveStock},
};
use commerce_import::retail::{Adjustment, Product};
use gallae_core::Rejection;
use gallae_runtime::Platform;
use std::collections::HashMap;

/// Lists a product at the price of its first sale and puts its opening stock on the shelf. `true` if this run listed it.
pub(super) async fn bring(platform: &Platform, product: &Product) -> Result<bool, ImportError> {
    let Product { code, name, price, opening_stock } = product;
    let book = product_id(code);
    let details = BookDetails {
        title: name.clone(),
        author: "Online Retail".to_owned(),
        isbn: None,
        description: Some(format!("Product {code} of the Online Retail data set")),
        price: Money::new(*price, Currency::Gbp),
        published_year: None,
        language: None,
    };
    let new = match send(platform, book.uuid(), CreateBook { book, details }).await? {
        Sent::Accepted(new) => new,
        // Listed by an earlier file at another first price, or changed by an operator: it stays as it is.
        Sent::Refused(BookRejection::AlreadyExists | BookRejection::Deleted) => false,
        Sent::Refused(rejection) => return Err(stopped(code, &rejection.to_string())),
        Sent::Taken(owner) => return Err(stopped(code, &format!("it belongs to {owner}"))),
    };
    let quantity = u32::try_from(*opening_stock).map_err(|_| stopped(code, "its stock does not fit"))?;
    // The quantity is part of the key: a longer file that needs more of a product gets more, the same file nothing.
    let key = format!("{SOURCE}:{code}:opening:{quantity}");
    match send_once(platform, book.uuid(), ReceiveStock { book, quantity }, key).await? {
        Sent::Accepted(_) => Ok(new),
        Sent::Refused(rejection) => Err(stopped(code, &rejection.to_string())),
        Sent::Taken(owner) => Err(stopped(code, &format!("its stock belongs to {owner}"))),
    }
}

/// An adjustment, and which of its invoice's adjustments of this product it is: what names it whatever its line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbered<'a> {
    pub(super) adjustment: &'a Adjustment,
    number: u32,
}

pub(super) fn numbered<'a>(adjustments: &[&'a Adjustment]) -> Vec<Numbered<'a>> {
    let mut seen: HashMap<(&str, &str), u32> = HashMap::new();
    let mut number = |adjustment: &'a Adjustment| {
        let count = seen.entry((&adjustment.invoice, &adjustment.code)).or_default();
        *count += 1;
        *count
    };
    adjustments.iter().map(|one| Numbered { adjustment: one, number: number(one) }).collect()
}

/// Takes units off the shelf. `true` if this run did it.
pub(super) async fn adjust(
    platform: &Platform,
    Numbered { adjustment, number }: &Numbered<'_>,
) -> Result<Result<bool, Refusal>, ImportError> {
    let Adjustment { invoice, code, written_off, remark, .. } = adjustment;
    let book = product_id(code);
    let by = i32::try_from(*written_off).map_err(|_| stopped(code, "what is written off does not fit"))?;
    let reason = if remark.is_empty() { "written off" } else { remark };
    let command = AdjustStock { book, by: -by, reason: format!("{reason} (invoice {invoice})") };
    let key = format!("{SOURCE}:{invoice}:{code}:{number}:written-off:{written_off}");
    Ok(match send_once(platform, book.uuid(), command, key).await? {
        Sent::Accepted(new) => Ok(new),
        Sent::Refused(rejection) => Err(Refusal::new(rejection.code(), rejection.to_string())),
        Sent::Taken(owner) => Err(Refusal::new("TAKEN", format!("its stock belongs to {owner}"))),
    })
}

fn stopped(code: &str, reason: &str) -> ImportError {
    ImportError::Stopped { what: format!("product {code}"), reason: reason.to_owned() }
}
