//! Real servers as ordinary processes on loopback addresses, for tests, benchmarks and developers: no container engine,
//! no fixed port, nothing left behind.
//!
//! A server is started under its guard, waited for by speaking to it, and ended by its process id when the guard is
//! dropped; a watchdog does the same when this process is killed. Its data lives in a temporary folder that goes with it.
//!
//! ```no_run
//! use gallae_lab_servers::{Database, Postgres};
//!
//! # fn main() -> Result<(), gallae_lab_servers::ServerError> {
//! // A database of one's own on the server that the tests share.
//! let database = Database::create(Postgres::shared()?)?;
//! let url = database.url();
//!
//! // A server of one's own, to break.
//! let mut server = Postgres::start()?;
//! server.kill()?;
//! server.start_again()?;
//! # let _ = url; Ok(()) }
//! ```

#![allow(clippy::print_stderr, reason = "what could not be cleaned up is said where the tests are read")]

mod account;
mod error;
mod folder;
mod nginx;
mod packages;
mod pgbouncer;
mod port;
mod postgres;
mod process;
mod proxy;
mod tool;
mod watchdog;

pub use error::ServerError;
pub use nginx::Nginx;
pub use packages::{NGINX, PACKAGES, PGBOUNCER, POSTGRES, Package, is_debian};
pub use pgbouncer::PgBouncer;
pub use postgres::{Database, KeptPostgres, Postgres, PostgresOptions, PostgresUrl, Row, SHARED_POSTGRES};
pub use proxy::{Fault, Message, Moment, Proxy, Side};

use port::on_free_port;

/// Sixteen letters that no other process made. The standard library seeds its hash maps from the system's randomness.
fn random_word() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
