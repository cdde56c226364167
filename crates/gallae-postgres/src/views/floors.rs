//! What this store has said of each projection, and does not take back.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Where live rows stand: their generation, and how often it was changed. Both only rise, except that a failover may lose the
/// newest changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) generation: i64,
    pub(super) changes: i64,
}

/// The newest place said of each projection.
#[derive(Debug, Default)]
pub(super) struct Floors(Mutex<HashMap<String, Place>>);

impl Floors {
    /// What readers of a projection must at least see.
    pub(super) fn of(&self, projection: &str) -> Place {
        self.lock().get(projection).copied().unwrap_or_default()
    }

    /// Whoever asks from now on sees at least this.
    pub(super) fn raise(&self, projection: &str, place: Place) {
        let mut floors = self.lock();
        match floors.get_mut(projection) {
            Some(floor) => *floor = place.max(*floor),
            None => drop(floors.insert(projection.to_owned(), place)),
        }
    }

    /// The primary itself stands at `actual` while the floor was `floor`: what is between is lost.
    pub(super) fn lower(&self, projection: &str, floor: Place, actual: Place) {
        if let Some(current) = self.lock().get_mut(projection)
            && *current == floor
        {
            *current = actual;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
