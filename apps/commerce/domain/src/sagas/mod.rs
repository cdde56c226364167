//! The shop's sagas: buying, and paying back.

pub mod checkout;
pub mod notifications;
pub mod refund;

pub use checkout::{Checkout, CheckoutInput};
pub use refund::{Refund, RefundInput};

#[cfg(test)]
mod tests;
