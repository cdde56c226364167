//! What the projector does with events, free of the types of any one projection.

mod cache;
mod compare;
mod counter;
mod document;
mod store;

pub(super) use counter::CounterFold;
pub(super) use document::DocumentFold;
pub(super) use store::{Documents, SearchDocuments, ViewDocuments};

use super::{ProjectionKind, parked::Parked, report::Difference};
use gallae_core::{DecodeError, EventType, Position, RecordedEvent, ViewKey};
use gallae_ports::{ApplyError, BoxFuture, CounterBucket, ProjectionSpec, ProjectionStore, Slot, StoreFault};
use std::{
    any::Any,
    collections::{BTreeSet, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// How many rows are read at once when rows are compared or repaired.
const ROWS_PER_READ: usize = 500;

/// A projection together with the store that it writes to.
pub(super) trait Fold: Send + Sync + 'static {
    fn spec(&self) -> &ProjectionSpec;

    fn kind(&self) -> ProjectionKind;

    fn store(&self) -> &dyn ProjectionStore;

    /// A writer of one generation. It must be that generation's only writer.
    fn writer(&self, slot: Slot) -> Box<dyn Writer>;

    /// The last source position of the rows with these keys, where there are such rows.
    fn changed_at<'a>(
        &'a self,
        slot: &'a Slot,
        keys: &'a [ViewKey],
    ) -> BoxFuture<'a, Result<Vec<Option<Position>>, StoreFault>>;

    /// Looks for rows that differ while the live generation may be moving. What it finds may be a matter of timing; what
    /// it does not find is equal.
    fn survey<'a>(&'a self, live: &'a Slot, shadow: &'a Slot) -> BoxFuture<'a, Result<Suspects, StoreFault>>;

    /// The rows that differ. Both generations stand still, at the same position.
    fn compare<'a>(
        &'a self,
        live: &'a Slot,
        shadow: &'a Slot,
        suspects: &'a BTreeSet<ViewKey>,
    ) -> BoxFuture<'a, Result<Differences, StoreFault>>;

    /// Gives the live rows that differ the content of the shadow's. The live cursor stands `at`.
    fn repair<'a>(
        &'a self,
        at: Position,
        shadow: &'a Slot,
        differing: &'a [RowKey],
    ) -> BoxFuture<'a, Result<(), ApplyError>>;
}

/// Folds events into one generation: `fold` prepares a change in memory, `apply` commits it together with the cursor.
pub(super) trait Writer: Send + Sync {
    /// Folds these events on top of what the generation holds. Events of parked keys are set aside. `again` is the
    /// parked key whose events are tried once more: those that its row already contains are left out.
    fn fold<'a>(
        &'a mut self,
        events: &'a [Arc<RecordedEvent>],
        parked: &'a Parked,
        again: Option<&'a ViewKey>,
    ) -> BoxFuture<'a, Result<Folded, StoreFault>>;

    /// The keys that the prepared change writes.
    fn touched(&self) -> Vec<ViewKey>;

    /// Commits the prepared change and moves the cursor. After an error nothing is prepared and nothing is cached.
    fn apply(&mut self, from: Position, to: Position, epoch: u64) -> BoxFuture<'_, Result<(), ApplyError>>;

    /// Drops the prepared change.
    fn abandon(&mut self);
}

/// What became of a batch of events.
#[derive(Debug, Default)]
pub(super) struct Folded {
    /// Whether there is anything to commit.
    pub(super) changed: bool,
    /// Events to park, in position order.
    pub(super) refused: Vec<Refused>,
}

/// An event that could not be folded, or waits behind one.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) key: ViewKey,
    pub(super) event: Arc<RecordedEvent>,
    /// Why, or that it waits.
    pub(super) error: String,
    /// Whether it was tried at all.
    pub(super) tried: bool,
}

impl Refused {
    fn poison(key: ViewKey, event: &Arc<RecordedEvent>, error: String) -> Self {
        Self { key, event: Arc::clone(event), error, tried: true }
    }

    fn waiting(key: ViewKey, event: &Arc<RecordedEvent>) -> Self {
        let error = "waits behind an earlier event of its key".to_owned();
        Self { key, event: Arc::clone(event), error, tried: false }
    }
}

/// Rows that may differ.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    pub(super) keys: BTreeSet<ViewKey>,
    /// Rows that differ beyond those whose keys are kept.
    pub(super) beyond: u64,
    /// Rows looked at.
    pub(super) rows: u64,
}

/// Rows that differ.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Rows looked at, as far as the survey has not counted them.
    pub(super) rows: u64,
    /// The first of them, with their contents.
    pub(super) listed: Vec<Difference>,
    /// All of them.
    pub(super) keys: Vec<RowKey>,
}

/// A row that differs, as a repair needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RowKey {
    View(ViewKey),
    /// With the sum that it should have.
    Bucket(CounterBucket),
}

/// Which event types a projection listens to, looked up before anything is decoded.
#[derive(Clone, Debug)]
struct Listens(Arc<HashSet<&'static str>>);

impl Listens {
    fn to(types: Vec<EventType>) -> Self {
        Self(Arc::new(types.into_iter().map(|known| known.name).collect()))
    }

    fn hears(&self, event: &RecordedEvent) -> bool {
        self.0.contains(&*event.event_type)
    }
}

/// The key under which an event is parked that cannot be read: its stream.
fn stream_key(event: &RecordedEvent) -> ViewKey {
    ViewKey::from(event.stream.as_str())
}

/// Runs code of the application; a panic becomes an error in words.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| format!("it panicked: {}", panic_text(&*panic)))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

fn decode_error(error: &DecodeError) -> String {
    crate::supervisor::error_chain(error)
}
