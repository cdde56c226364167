//! Aggregates: the state that decides.

use crate::{Event, Metadata, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;

/// A consistency boundary: one stream of events and the state they fold into.
///
/// The default value is the aggregate before its first event. The state is serialisable so that it can be snapshotted;
/// a snapshot is dropped when `SNAPSHOT_REVISION` changes and never changes a result.
pub trait Aggregate:
    Default + Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Stable; the category of its streams: lower case letters and digits, no dash.
    const TYPE: &'static str;
    /// Raise it when the shape or the meaning of the state changes.
    const SNAPSHOT_REVISION: u32 = 1;
    /// What can happen to it.
    type Event: Event;
    /// How it says no.
    type Rejection: Rejection;

    /// Folds one event into the state. Total: what is in the log has happened.
    fn evolve(&mut self, event: &Self::Event);
}

/// The one function that decides a command. Pure: it may be called again after a conflict.
///
/// An empty vector means *accepted, nothing to do*.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not decide `{C}`",
    label = "there is no `impl Decide<{C}> for {Self}`",
    note = "write `impl Decide<{C}> for {Self}` next to the command"
)]
pub trait Decide<C: ?Sized>: Aggregate {
    /// Decides what happens when `command` reaches this state.
    ///
    /// # Errors
    /// The domain's rejection; nothing is stored.
    fn decide(&self, command: &C, cx: &DecisionContext<'_>) -> Result<Vec<Self::Event>, Self::Rejection>;
}

/// What a decision may depend on besides state and command.
#[derive(Clone, Copy, Debug)]
pub struct DecisionContext<'a> {
    /// The time of the decision; becomes the time of its events.
    pub now: Timestamp,
    /// Who asks, in which flow.
    pub metadata: &'a Metadata,
}

/// The domain says no. The code is part of the API: it never changes once released.
pub trait Rejection: std::error::Error + Send + Sync + 'static {
    /// Stable, SCREAMING_SNAKE, such as `INSUFFICIENT_STOCK`.
    fn code(&self) -> &'static str;

    /// Whether the state refuses or the request itself.
    fn kind(&self) -> RejectionKind {
        RejectionKind::Conflict
    }

    /// Facts a client can act on, such as the current price; an object or null.
    fn facts(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

/// An aggregate that never says no.
impl Rejection for std::convert::Infallible {
    fn code(&self) -> &'static str {
        match *self {}
    }
}

/// Why the domain said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectionKind {
    /// The aggregate's present state refuses; HTTP 409.
    Conflict,
    /// Well formed, but the domain never accepts it; HTTP 422.
    Unprocessable,
    /// There is no such aggregate; HTTP 404.
    NotFound,
    /// Not this actor's business; HTTP 403.
    Forbidden,
}
