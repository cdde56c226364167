//! Every port in memory: for tests, and in production the in-process broker and locks of the embedded profile.
//!
//! [`MemoryLog`] is the event store with everything that shares its database. It keeps the promises of a durable store except
//! durability, and shows faults on request, so that the code above can be tested against them.

mod clock;
mod entropy;
mod log;

pub use clock::ManualClock;
pub use entropy::SeededEntropy;
pub use log::{Fault, MemoryLog};
