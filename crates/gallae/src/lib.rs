//! Gallae: a CQRS, event-sourcing and saga platform.
//!
//! An application depends on this crate. Its domain is plain Rust over [`core`]; [`Platform`] runs it; [`Embedded`] keeps
//! everything in one folder, and [`in_memory`] keeps nothing.
//!
//! ```
//! use gallae::prelude::*;
//!
//! #[derive(Clone, Debug, PartialEq, Event)]
//! enum LampEvent {
//!     #[event(name = "LampSwitchedOn", version = 1)]
//!     On,
//! }
//!
//! #[derive(Clone, Debug, Default, Serialize, Deserialize)]
//! #[serde(crate = "gallae::serde")]
//! struct Lamp {
//!     on: bool,
//! }
//!
//! impl Aggregate for Lamp {
//!     const TYPE: &'static str = "lamp";
//!     type Event = LampEvent;
//!     type Rejection = Infallible;
//!     fn evolve(&mut self, LampEvent::On: &LampEvent) {
//!         self.on = true;
//!     }
//! }
//!
//! #[derive(Debug)]
//! struct SwitchOn(Id<Lamp>);
//!
//! impl Command for SwitchOn {
//!     const NAME: &'static str = "lamp.switch_on";
//!     type Aggregate = Lamp;
//!     fn target(&self) -> Id<Lamp> {
//!         self.0
//!     }
//! }
//!
//! impl Decide<SwitchOn> for Lamp {
//!     fn decide(&self, _: &SwitchOn, _: &DecisionContext<'_>) -> Result<Vec<LampEvent>, Infallible> {
//!         Ok(if self.on { vec![] } else { vec![LampEvent::On] })
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let platform = Platform::builder(gallae::in_memory()).aggregate::<Lamp>().build()?;
//! let desk = Id::derived("desk");
//! platform.run(SwitchOn(desk)).await?;
//! assert!(platform.peek::<Lamp>(desk).await?.0.on);
//! # Ok(()) }
//! ```

mod embedded;

pub use embedded::{Embedded, in_memory};
pub use gallae_core as core;
pub use gallae_ports as ports;
pub use gallae_runtime as runtime;
pub use gallae_runtime::{Platform, PlatformBuilder, Roles};
pub use gallae_sqlite::OpenError;
pub use serde;

/// What nearly every application names.
pub mod prelude {
    pub use crate::{Embedded, Platform};
    pub use gallae_core::{
        Actor, Aggregate, ClaimChange, Command, CorrelationId, Decide, DecisionContext, Event, EventSet,
        Field, FieldValue, Id, Metadata, Position, Projection, Recorded, Rejection, Saga, StreamId,
        Timestamp, Version, View, ViewKey,
        saga::{
            SagaCommand, SagaContext, SagaEnd, SagaGraph, Start, Step, call, compensable, local, pivot,
            retriable,
        },
    };
    pub use gallae_runtime::{
        dispatcher::{Receipt, Request, SendError},
        projector,
    };
    pub use serde::{Deserialize, Serialize};
    pub use std::convert::Infallible;
}
