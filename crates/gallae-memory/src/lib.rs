//! Every port in memory: for tests, and in production the in-process broker and locks of the embedded profile.
//!
//! [`MemoryLog`] is the event store with everything that shares its database; [`MemoryViews`], [`MemorySearch`] and
//! [`MemoryCounters`] hold what projections maintain. They keep the promises of durable stores except durability.
//! [`MemoryBroker`] and [`MemoryLocks`] are what a shop on one node runs on.

mod broker;
mod clock;
mod conditions;
mod counters;
mod entropy;
mod generations;
mod locks;
mod log;
mod search;
mod views;

pub use broker::MemoryBroker;
pub use clock::ManualClock;
pub use counters::MemoryCounters;
pub use entropy::SeededEntropy;
pub use generations::MemoryProjections;
pub use locks::MemoryLocks;
pub use log::{Fault, MemoryLog};
pub use search::MemorySearch;
pub use views::MemoryViews;
