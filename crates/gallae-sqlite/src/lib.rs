//! Every port embedded in SQLite: the default for a first run and for small deployments.
//!
//! ```text
//!   data directory
//!   ├─ gallae.lock   held by the one process that writes here; says who
//!   ├─ log.db        the log and everything that commits with it
//!   └─ views.db      views, search and counters: all of it can be folded from the log again
//! ```

mod connection;
mod error;
mod load;
mod lock;
pub mod log;
mod migrations;
pub mod views;

pub use error::OpenError;
pub use log::{SqliteLog, SqliteOptions};
