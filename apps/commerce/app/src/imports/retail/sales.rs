//! Invoices: orders of the past, each with its checkout.

use super::{
    super::{
        ImportError,
        sending::{Sent, send},
    },
    customers::Known,
    order_id, product_id,
    settled::{Refusal, settled},
};
use commerce_domain::{
    money::{Currency, Money},
    orders::{OrderItem, OrderSource, PaymentMethod, ShippingAddress, commands::PlaceOrder},
    sagas::Checkout,
};
use commerce_import::retail::{Sale, SaleLine};
use gallae_core::{Rejection, Timestamp, saga::SagaStatus};
use gallae_runtime::Platform;

/// An order that stands, and how its checkout ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) new: bool,
    pub(super) checkout: SagaStatus,
}

/// Places the order of an invoice and waits until its checkout has ended: what comes later may refund it.
pub(super) async fn place(
    platform: &Platform,
    sale: &Sale,
    customer: &Known,
) -> Result<Result<Placed, Refusal>, ImportError> {
    let order = order_id(&sale.invoice);
    let command = PlaceOrder {
        order,
        customer: customer.customer.clone(),
        items: sale.lines.iter().map(item).collect(),
        // The country is all that the file knows of the address.
        shipping_address: ShippingAddress {
            country: Some(sale.country.clone()).filter(|country| !country.is_empty()),
            ..ShippingAddress::line(if sale.country.is_empty() { "unknown" } else { &sale.country })
        },
        payment_method: PaymentMethod::Card,
        placed_at: Some(Timestamp::from_micros(sale.placed_at)),
        source: OrderSource::Import,
        reference: Some(sale.invoice.clone()),
        window: None,
    };
    let new = match send(platform, order.uuid(), command).await? {
        Sent::Accepted(new) => new,
        Sent::Refused(rejection) => return Ok(Err(Refusal::new(rejection.code(), rejection.to_string()))),
        Sent::Taken(owner) => return Ok(Err(Refusal::new("TAKEN", format!("it belongs to {owner}")))),
    };
    let row = settled(platform, Checkout::id(order)).await?;
    Ok(Ok(Placed { new, checkout: row.status }))
}

fn item(line: &SaleLine) -> OrderItem {
    OrderItem {
        product_id: line.code.clone(),
        book: Some(product_id(&line.code)),
        name: if line.name.is_empty() { line.code.clone() } else { line.name.clone() },
        quantity: line.quantity,
        unit_price: Money::new(line.unit_price, Currency::Gbp),
    }
}
