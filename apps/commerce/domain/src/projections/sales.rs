//! The figures of the dashboard.
//!
//! Everything about an order counts in the bucket in which it was placed, so the orders of a period by their present status
//! always add up to the orders of that period. Money counts when it came or went.

use super::OrderOrPaymentEvent;
use crate::{orders::OrderEvent, payments::PaymentEvent};
use gallae_core::{CounterProjection, Increment, Recorded};

/// Counts orders, pieces and money.
#[derive(Clone, Copy, Debug)]
pub struct Sales;

/// The names of the counters.
pub mod counters {
    use crate::{money::Currency, orders::OrderStatus};

    /// Orders placed.
    pub const ORDERS: &str = "orders";
    /// Pieces of confirmed orders.
    pub const ITEMS_SOLD: &str = "items.sold";
    /// Pieces that came back with a refund.
    pub const ITEMS_RETURNED: &str = "items.returned";

    /// Orders that now stand at `status`.
    pub fn orders(status: OrderStatus) -> String {
        format!("orders.{status}")
    }

    /// Money captured less money paid back, in minor units.
    pub fn revenue(currency: Currency) -> String {
        format!("revenue.{currency}")
    }

    /// Money paid back, in minor units.
    pub fn refunds(currency: Currency) -> String {
        format!("refunds.{currency}")
    }
}

impl CounterProjection for Sales {
    const NAME: &'static str = "sales";
    const REVISION: u32 = 1;
    type Events = OrderOrPaymentEvent;

    fn count(event: &Recorded<OrderOrPaymentEvent>) -> Vec<Increment> {
        match &event.event {
            OrderOrPaymentEvent::Order(event) => count_order(event),
            OrderOrPaymentEvent::Payment(event) => count_payment(event),
        }
    }
}

fn count_order(event: &OrderEvent) -> Vec<Increment> {
    if let OrderEvent::Created(created) = event {
        return vec![
            Increment::new(counters::ORDERS, created.placed_at, 1),
            Increment::new(counters::orders(event.status()), created.placed_at, 1),
        ];
    }
    let Some(before) = event.before() else { return vec![] };
    let (at, after) = (before.placed_at, event.status());
    let mut increments = Vec::new();
    if after != before.status {
        increments.push(Increment::new(counters::orders(before.status), at, -1));
        increments.push(Increment::new(counters::orders(after), at, 1));
    }
    match event {
        OrderEvent::Confirmed { .. } => {
            increments.push(Increment::new(counters::ITEMS_SOLD, at, signed(before.pieces)));
        }
        OrderEvent::Refunded { returned_pieces, .. } if *returned_pieces > 0 => {
            increments.push(Increment::new(counters::ITEMS_RETURNED, at, signed(*returned_pieces)));
        }
        _ => {}
    }
    increments
}

fn count_payment(event: &PaymentEvent) -> Vec<Increment> {
    match event {
        PaymentEvent::Completed { amount, captured_at, .. } => {
            vec![Increment::new(counters::revenue(amount.currency), *captured_at, amount.amount)]
        }
        PaymentEvent::Refunded { amount, refunded_at, .. } => vec![
            Increment::new(counters::revenue(amount.currency), *refunded_at, -amount.amount),
            Increment::new(counters::refunds(amount.currency), *refunded_at, amount.amount),
        ],
        _ => vec![],
    }
}

/// Pieces of an order are counted in 32 bits when it is placed.
fn signed(pieces: u64) -> i64 {
    i64::try_from(pieces).unwrap_or(i64::MAX)
}
