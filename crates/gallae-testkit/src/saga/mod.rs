//! Sagas on the real engine, in memory: time moves only when nothing else does, chance is seeded, participants do as told.
//!
//! A [`Scenario`] is built with [`scenario`], run with [`Scenario::run`], and judged by what it [`Ended`] as.
//! [`every_step_fails`] runs one scenario again and again, with one thing going wrong each time.
//!
//! These functions are called from plain `#[test]`s: they start a runtime of their own.

mod ended;
mod every_step;
mod failing;
mod participant;
mod scenario;

pub use ended::Ended;
pub use every_step::every_step_fails;
pub use participant::{Executed, Reply};
pub use scenario::{Scenario, scenario};
