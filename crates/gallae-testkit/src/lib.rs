//! For applications' own tests.
//!
//! * [`given`] … `when` … `then`: what an aggregate decides, without a runtime.
//! * [`projection()`] and [`counters`]: what events become for queries; [`assert_interleaving_does_not_matter`] proves that a
//!   projection does not depend on how streams interleave.
//! * [`saga`]: a saga on the real engine, in memory, with a clock that the test moves and participants that do as told;
//!   [`saga::every_step_fails`] makes each step fail in each way and checks how the saga ends.
//! * [`History`]: events as the log holds them.
//!
//! Everything panics with a difference that names what was expected: it is for tests alone.
//!
//! ```
//! use gallae_core::{Aggregate, Command, Decide, DecisionContext, Event, Id};
//! use gallae_testkit::given;
//! # use std::convert::Infallible;
//! # #[derive(Clone, Debug, PartialEq, Event)]
//! # enum LampEvent { #[event(name = "LampSwitchedOn", version = 1)] On }
//! # #[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
//! # struct Lamp { on: bool }
//! # impl Aggregate for Lamp {
//! #     const TYPE: &'static str = "lamp";
//! #     type Event = LampEvent;
//! #     type Rejection = Infallible;
//! #     fn evolve(&mut self, LampEvent::On: &LampEvent) { self.on = true; }
//! # }
//! # #[derive(Debug)]
//! # struct SwitchOn(Id<Lamp>);
//! # impl Command for SwitchOn {
//! #     const NAME: &'static str = "lamp.switch_on";
//! #     type Aggregate = Lamp;
//! #     fn target(&self) -> Id<Lamp> { self.0 }
//! # }
//! # impl Decide<SwitchOn> for Lamp {
//! #     fn decide(&self, _: &SwitchOn, _: &DecisionContext<'_>) -> Result<Vec<LampEvent>, Infallible> {
//! #         Ok(if self.on { vec![] } else { vec![LampEvent::On] })
//! #     }
//! # }
//! given::<Lamp>([]).when(SwitchOn(Id::derived("desk"))).then([LampEvent::On]);
//! given::<Lamp>([LampEvent::On]).when(SwitchOn(Id::derived("desk"))).then_nothing();
//! ```

mod difference;
mod given;
mod history;
mod interleaving;
mod projection;
pub mod saga;
mod tier;

pub use gallae_memory::{ManualClock as FixedClock, SeededEntropy};
pub use given::{Given, Then, When, given};
pub use history::History;
pub use interleaving::{
    assert_counting_does_not_depend_on_interleaving, assert_interleaving_does_not_matter,
};
pub use projection::{Counted, Projected, counters, projection};
pub use tier::nightly;

use gallae_core::{Actor, Metadata, Timestamp};

/// The time in tests that name no other: 2023-11-14T22:13:20Z.
pub const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// Metadata for tests that do not care: anonymous, on `node-1`, in the flow `test-flow`.
pub fn metadata() -> Metadata {
    match "test-flow".parse() {
        Ok(flow) => Metadata::new(flow, Actor::Anonymous, "node-1"),
        Err(error) => unreachable!("a literal: {error}"),
    }
}
