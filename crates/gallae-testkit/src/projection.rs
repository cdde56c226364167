//! What events become for queries.

use crate::history::{History, read};
use gallae_core::{
    CounterProjection, FieldKind, FieldValue, Projection, RecordedEvent, Timestamp, View, ViewKey,
};
use std::{collections::BTreeMap, sync::Arc};

/// Starts without views.
pub fn projection<P: Projection>() -> Projected<P> {
    Projected { views: BTreeMap::new() }
}

/// The views of a projection, as its runtime would keep them: each goes through its stored form after every event, and
/// one that says it is removed is dropped.
#[derive(Clone, Debug)]
pub struct Projected<P: Projection> {
    views: BTreeMap<ViewKey, P::View>,
}

impl<P: Projection> Projected<P> {
    /// Folds what has happened.
    ///
    /// # Panics
    /// When an event or a view does not survive being stored, or a view's fields are not those that it declares.
    #[track_caller]
    #[must_use]
    pub fn feed(mut self, history: &History) -> Self {
        self.fold(&history.recorded());
        self
    }

    #[track_caller]
    pub(crate) fn fold(&mut self, events: &[Arc<RecordedEvent>]) {
        for event in events.iter().filter_map(read::<P::Events>) {
            let Some(key) = P::key(&event) else { continue };
            let mut view = self.views.remove(&key).unwrap_or_default();
            P::project(&mut view, &event);
            if !view.removed() {
                self.views.insert(key, stored(&view));
            }
        }
    }

    /// One view.
    pub fn view(&self, key: impl Into<ViewKey>) -> Option<&P::View> {
        self.views.get(&key.into())
    }

    /// All of them, by key.
    pub fn views(&self) -> &BTreeMap<ViewKey, P::View> {
        &self.views
    }
}

#[track_caller]
fn stored<V: View>(view: &V) -> V {
    let fits = |(field, value): (&gallae_core::Field, &FieldValue)| match value {
        FieldValue::Null => true,
        FieldValue::Integer(_) => field.kind == FieldKind::Integer,
        FieldValue::Text(_) => field.kind == FieldKind::Text,
    };
    let fields = view.fields();
    assert!(
        fields.len() == V::FIELDS.len() && V::FIELDS.iter().zip(&fields).all(fits),
        "the view declares {:?} and gives {fields:?}",
        V::FIELDS
    );
    let read = serde_json::to_vec(view).and_then(|json| serde_json::from_slice::<V>(&json));
    let read = read.unwrap_or_else(|error| panic!("{view:?} does not survive being stored: {error}"));
    assert_eq!(read, *view, "the view comes back from its store changed");
    read
}

/// Starts with every counter at nothing.
pub fn counters<C: CounterProjection>() -> Counted {
    Counted { counts: BTreeMap::new(), count: increments::<C> }
}

type Increments = Vec<(String, Timestamp, i64)>;

/// Counters over time.
#[derive(Clone, Debug)]
pub struct Counted {
    counts: BTreeMap<(String, Timestamp), i64>,
    count: fn(&Arc<RecordedEvent>) -> Increments,
}

impl Counted {
    /// Counts what has happened.
    ///
    /// # Panics
    /// When an event does not survive being stored.
    #[track_caller]
    #[must_use]
    pub fn feed(mut self, history: &History) -> Self {
        self.fold(&history.recorded());
        self
    }

    #[track_caller]
    pub(crate) fn fold(&mut self, events: &[Arc<RecordedEvent>]) {
        for (counter, at, by) in events.iter().flat_map(self.count) {
            *self.counts.entry((counter, at)).or_default() += by;
        }
    }

    /// A counter over all time.
    pub fn total(&self, counter: &str) -> i64 {
        self.counts.iter().filter(|((name, _), _)| name == counter).map(|(_, by)| by).sum()
    }

    /// A counter from `from` on and before `until`.
    pub fn between(&self, counter: &str, from: Timestamp, until: Timestamp) -> i64 {
        let within = |name: &str, at: Timestamp| name == counter && from <= at && at < until;
        self.counts.iter().filter(|((name, at), _)| within(name, *at)).map(|(_, by)| by).sum()
    }

    pub(crate) fn counts(&self) -> &BTreeMap<(String, Timestamp), i64> {
        &self.counts
    }
}

fn increments<C: CounterProjection>(event: &Arc<RecordedEvent>) -> Increments {
    let event = read::<C::Events>(event);
    let increments = event.map(|event| C::count(&event)).unwrap_or_default();
    increments.into_iter().map(|increment| (increment.counter, increment.at, increment.by)).collect()
}
