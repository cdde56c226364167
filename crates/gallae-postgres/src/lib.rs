//! Every port on PostgreSQL: the log for several nodes, made for clusters that fail over.
//!
//! ```text
//!               ┌─ batcher ── one session of its own ──────┐
//!   append ─────┘                                          ▼
//!   decide, lease, due timers ── write pool ──────────► primary ──► standbys
//!   history, traces, queries ─── read pool ──────────────────────────► any
//! ```

mod connect;
mod direct;
mod error;
mod fault;
mod figures;
mod log;
mod migrations;
mod pool;
mod pool_session;
mod postgres;
mod schema;
mod settings;
mod target;
mod tls;
pub mod views;

pub use error::OpenError;
pub use log::PostgresLog;
pub use pool::PoolFigures;
pub use postgres::{PoolsFigures, Postgres};
pub use settings::Settings;
