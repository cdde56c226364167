//! Time and chance, as inputs.

use crate::BoxFuture;
use gallae_core::Timestamp;
use std::{fmt, time::Duration};
use uuid::Uuid;

/// The only source of time. Production reads the machine's; tests and simulation hand out their own.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock: for timestamps that are stored, never for elapsed time.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment; never goes back. For measuring and deadlines within the process.
    fn monotonic(&self) -> Duration;

    /// Returns after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The only source of ids and chance.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// A new UUIDv7, later than those this source made before.
    fn uuid(&self) -> Uuid;

    /// A number in `0.0..1.0`.
    fn fraction(&self) -> f64;
}
