//! Orders: from placed to delivered, cancelled or refunded.
//!
//! `PENDING → CONFIRMED → APPROVED → SHIPPED → DELIVERED`. A pending order ends `CANCELLED` when its checkout turns back; from the
//! confirmation on money has moved, so the way back is a refund, and an order is `REFUNDED` when all of it was paid back.

pub mod commands;
mod customer;
mod event;
mod item;
mod order;
mod refund;
mod rejection;
mod status;

pub use customer::{Customer, ShippingAddress};
pub use event::{OrderCreated, OrderEvent, OrderSummary};
pub use item::{OrderItem, StockLine, distinct_product_ids, stock_lines};
pub use order::{Order, PaymentReference, Placed, Refund, RefundOutcome};
pub use refund::{RefundRequest, ReturnedItem};
pub use rejection::OrderRejection;
pub use status::{OrderSource, OrderStatus, PaymentMethod};

#[cfg(test)]
pub(crate) mod examples;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
