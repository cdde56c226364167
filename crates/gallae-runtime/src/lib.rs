//! The flow from command to event to view, free of any backend.
//!
//! ```text
//! command ─► dispatcher ─► decide ─► append ─► log ─► projector ─► views, search, counters
//!                ▲                              │
//!                └────────── saga ◄─────────────┤
//!                                               └─► relay ─► broker
//! ```

pub mod dispatcher;
mod environment;
mod lease;
mod pace;
mod platform;
pub mod projector;
pub mod relay;
pub mod saga;
mod supervisor;

pub use environment::{SystemClock, SystemEntropy};
pub use platform::{BuildError, BuildErrors, Platform, PlatformBuilder, Roles, StateError};
pub use supervisor::{Backoff, Supervisor, TaskState};
