//! The reference shop: its routes, its payments, its wiring, its command line.

pub mod books;
pub mod cli;
pub mod codes;
pub mod dashboard;
pub mod http;
pub mod imports;
pub mod invariants;
mod node;
pub mod notifications;
pub mod orders;
pub mod payments;
pub mod settings;
mod shop;
pub mod users;
pub mod wiring;

pub use http::router;
pub use node::{Configuration, ConfigurationError, LEDGER_FILE, Node, OpenError, ServeError, serve};
pub use shop::{Shop, ShopParts};
