//! The pure heart of Gallae.
//!
//! A domain written against this crate cannot reach a store, a clock, a broker or a runtime: everything here is a
//! plain value or a plain function. Four verbs carry the whole model:
//!
//! * [`Decide::decide`] turns a command into events, or a [`Rejection`];
//! * [`Aggregate::evolve`] folds an event into the state that decides;
//! * [`Projection::project`] folds an event into a view that answers queries;
//! * a [`Saga`] declares a graph of named steps, each with the way to undo it.
//!
//! Time, ids and randomness arrive as inputs, so replay, tests and simulation agree with production.

// Lets the derives name `::gallae_core` inside this crate's own tests as well.
extern crate self as gallae_core;

mod aggregate;
mod command;
mod event;
mod ids;
mod metadata;
mod place;
mod projection;
pub mod saga;
mod time;
mod upcast;

pub use aggregate::{Aggregate, Decide, DecisionContext, Rejection, RejectionKind};
pub use command::{AnyCommand, AnyRejection, AnyState, ClaimChange, Command, EncodedEvent};
pub use event::{
    DecodeError, EncodeError, Event, EventSet, EventType, Recorded, RecordedEvent, StoredMetadata,
};
pub use gallae_macros::{Event, EventSet};
pub use ids::{CommandId, CorrelationId, EventId, Id, InvalidId, SagaId, StreamId};
pub use metadata::{Actor, InvalidMetadata, InvalidTraceContext, Metadata, TraceContext};
pub use place::{Position, Version};
pub use projection::{
    CounterProjection, Field, FieldKind, FieldValue, Increment, Projection, SearchDocument, View, ViewKey,
};
pub use saga::Saga;
pub use time::Timestamp;
pub use upcast::{Upcaster, decode, decode_into_set};

/// What the derives expand to; not for people.
#[doc(hidden)]
pub mod __private {
    pub use serde;
    pub use serde_json;
}
