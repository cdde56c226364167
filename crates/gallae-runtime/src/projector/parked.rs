//! Which keys wait behind a poison event.

use super::fold::{Fold, Refused};
use gallae_core::{Position, ViewKey};
use gallae_ports::{Clock, DeadLetter, DeadLetterStore, Slot, StoreFault};
use std::collections::{HashMap, HashSet};

/// More letters than any store is asked for at once.
pub(super) const ALL_LETTERS: usize = 1_000_000;

/// The parked events of one projection, as its writer needs them: a key is parked from a position on, so that a batch
/// folded again after a crash parks the same events and no earlier ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Parked {
    since: HashMap<ViewKey, Position>,
    positions: HashSet<Position>,
}

impl Parked {
    /// What the dead letters of a projection say. Letters that the row of their key already contains are left over from
    /// a crash between two commits and are taken off.
    pub(super) async fn load(
        letters: &dyn DeadLetterStore,
        fold: &dyn Fold,
        slot: &Slot,
    ) -> Result<Self, StoreFault> {
        let name = fold.spec().name;
        let keys = letters.parked_keys(name).await?;
        if keys.is_empty() {
            return Ok(Self::default());
        }
        for (key, changed_at) in keys.iter().zip(fold.changed_at(slot, &keys).await?) {
            if let Some(changed_at) = changed_at {
                letters.discard(name, key, changed_at).await?;
            }
        }
        let mut parked = Self::default();
        for letter in letters.dead_letters(Some(name), None, ALL_LETTERS).await? {
            parked.park(letter.key, letter.position);
        }
        Ok(parked)
    }

    /// The same positions, without the keys: what a recomputation leaves out so as to be comparable.
    pub(super) fn positions_alone(self) -> Self {
        Self { since: HashMap::new(), positions: self.positions }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// Whether an event of `key` at `position` has to wait.
    pub(super) fn holds(&self, key: &ViewKey, position: Position) -> bool {
        self.since.get(key).is_some_and(|since| *since <= position)
    }

    /// Whether this very event is parked.
    pub(super) fn contains(&self, position: Position) -> bool {
        self.positions.contains(&position)
    }

    pub(super) fn since(&self, key: &ViewKey) -> Option<Position> {
        self.since.get(key).copied()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &ViewKey> {
        self.since.keys()
    }

    pub(super) fn add(&mut self, refused: &[Refused]) {
        for refused in refused {
            self.park(refused.key.clone(), refused.event.position);
        }
    }

    fn park(&mut self, key: ViewKey, position: Position) {
        let since = self.since.entry(key).or_insert(position);
        *since = position.min(*since);
        self.positions.insert(position);
    }
}

/// Letters for events that a fold has just refused.
pub(super) fn letters(projection: &str, refused: &[Refused], clock: &dyn Clock) -> Vec<DeadLetter> {
    let parked_at = clock.now();
    let letter = |refused: &Refused| DeadLetter {
        projection: projection.to_owned(),
        key: refused.key.clone(),
        position: refused.event.position,
        event_type: refused.event.event_type.to_string(),
        error: refused.error.clone(),
        attempts: u32::from(refused.tried),
        parked_at,
    };
    refused.iter().map(letter).collect()
}
