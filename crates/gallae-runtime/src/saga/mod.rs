//! Running sagas.
//!
//! ```text
//!   event ─► triggers ─► [SagaStarted + row]  in the event's own append
//!                               │ hint
//!   timers, sweep, operators ─► queue ─► drive ─► plan ─► append ─► call ─► plan ─► append ─► …
//! ```
//!
//! * A transition is one append: the saga's events at their expected version, its row, timers and effects, the events of its
//!   local steps, all under the fence of the lease.
//! * A plan chains all that can be decided without the outside world; a call leaves only after its `StepDispatched` is durable.
//! * An unknown outcome is found out before the saga goes on or turns back.
//! * What is in memory is a hint. A new owner finds everything from rows, timers and streams.

mod calls;
mod dependencies;
mod describe;
mod drive;
mod effects;
mod engine;
mod gate;
mod instance;
mod ledger;
mod observe;
mod operator;
mod ownership;
mod queue;
mod recovery;
mod registry;
mod roster;
mod row;
mod script;
mod start;
mod statistics;
#[cfg(test)]
mod tests;

mod transition;
mod visit;
mod writer;

pub use dependencies::{BreakerPolicy, BreakerState, DependencyState, Limits, Rate};
pub use describe::{SagaDescription, SagaView, SagaViewError, TimelineEntry};
pub use effects::{CallOutcome, EffectCall, EffectHandler, Effects, QueryOutcome, Resolution};
pub use engine::{SagaEngine, SagaEngineError, SagaSettings};
pub use operator::{Intervention, InterventionError};
pub use registry::{Registration, RegistryError, register, register_graph};
pub use statistics::{DefinitionStatistics, Durations, SagaStatistics};

pub(crate) use engine::SagaEngineParts;
pub(crate) use registry::SagaRegistry;
pub(crate) use start::SagaTriggers;
