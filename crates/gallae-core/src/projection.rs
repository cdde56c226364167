//! Projections: pure folds from events to what queries read.

use crate::{EventSet, Recorded, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fmt, sync::Arc};

/// Folds events into views, one view per key.
///
/// The runtime owns batching, the cursor, transactions, retries, dead letters and rebuilds. Order is guaranteed within a
/// stream; a projection must not depend on how streams interleave, and `gallae-testkit` proves that it does not.
pub trait Projection: Send + Sync + 'static {
    /// Stable, such as `order-summaries`.
    const NAME: &'static str;
    /// Raise it when the fold changes: the views are rebuilt beside the live ones at the next start.
    const REVISION: u32;
    /// What it listens to.
    type Events: EventSet;
    /// What it maintains.
    type View: View;

    /// The view this event changes, or none.
    fn key(event: &Recorded<Self::Events>) -> Option<ViewKey>;

    /// Changes the view. A view seen for the first time starts as its default.
    fn project(view: &mut Self::View, event: &Recorded<Self::Events>);
}

/// A document that a projection maintains and queries read.
pub trait View:
    Default + Clone + PartialEq + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The fields that queries may filter and sort by. Part of the stored shape: a change needs a new `REVISION`.
    const FIELDS: &'static [Field];

    /// The values of `FIELDS`, in that order.
    fn fields(&self) -> Vec<FieldValue>;

    /// Whether the view is gone. The store drops it; a later event would start from the default again.
    fn removed(&self) -> bool {
        false
    }
}

/// A view that is also found by text.
pub trait SearchDocument: View {
    /// The names of the text fields, most important first.
    const TEXT: &'static [&'static str];

    /// The text of each, in the order of `TEXT`.
    fn text(&self) -> Vec<String>;
}

/// Counts events into buckets of time, for dashboards. Pure: an event always yields the same increments.
pub trait CounterProjection: Send + Sync + 'static {
    /// Stable, such as `sales`.
    const NAME: &'static str;
    /// Raise it when the counting changes.
    const REVISION: u32;
    /// What it listens to.
    type Events: EventSet;

    /// What this event adds or takes away.
    fn count(event: &Recorded<Self::Events>) -> Vec<Increment>;
}

/// A change to one counter in the bucket of time that holds `at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Increment {
    /// The counter, such as `revenue.KRW` or `orders.PENDING`.
    pub counter: String,
    /// When it counts.
    pub at: Timestamp,
    /// May be negative.
    pub by: i64,
}

impl Increment {
    /// `counter` changes by `by` at `at`.
    pub fn new(counter: impl Into<String>, at: Timestamp, by: i64) -> Self {
        Self { counter: counter.into(), at, by }
    }
}

/// The identity of a view within its projection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ViewKey(Arc<str>);

impl ViewKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl<T: AsRef<str>> From<T> for ViewKey {
    fn from(key: T) -> Self {
        Self(key.as_ref().into())
    }
}
impl fmt::Display for ViewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A field that queries may filter and sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Lower case letters, digits and underscores.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
}

impl Field {
    /// A field of text.
    pub const fn text(name: &'static str) -> Self {
        Self { name, kind: FieldKind::Text }
    }
    /// A field of whole numbers: amounts in minor units, instants in microseconds, counts.
    pub const fn integer(name: &'static str) -> Self {
        Self { name, kind: FieldKind::Integer }
    }
}

/// What a [`Field`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Text, compared byte by byte.
    Text,
    /// A signed 64-bit number.
    Integer,
}

/// The value of a [`Field`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// Nothing; sorts first.
    Null,
    /// A number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<i64> for FieldValue {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}
impl From<Timestamp> for FieldValue {
    fn from(at: Timestamp) -> Self {
        Self::Integer(at.as_micros())
    }
}
impl<T: Into<FieldValue>> From<Option<T>> for FieldValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
