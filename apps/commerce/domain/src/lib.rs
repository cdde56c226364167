//! The reference shop's domain: users, books, stock, orders, payments, the sagas between them, and what queries read.
//!
//! Everything here is a plain value or a pure function over the vocabulary of [`gallae_core`]. There is no clock, no id
//! generator, no I/O: times and ids arrive in commands. One file per command; the listing of the `commands` folders is the list of
//! what the shop can do.

pub mod books;
pub mod money;
pub mod orders;
pub mod payments;
pub mod projections;
pub mod sagas;
pub mod stock;
pub mod users;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod given;
