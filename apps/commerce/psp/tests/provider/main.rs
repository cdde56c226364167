//! The provider from the outside, each promise of the crate's page by itself.

mod desk;

mod crash;
mod keys;
mod ledger;
mod money;
mod triggers;
