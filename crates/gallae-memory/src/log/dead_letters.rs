//! Parked events.

use super::{MemoryLog, ready};
use gallae_core::{Position, ViewKey};
use gallae_ports::{BoxFuture, DeadLetter, DeadLetterStore, StoreFault};
use std::collections::{BTreeMap, BTreeSet};

/// By position, then projection.
pub(super) type DeadLetters = BTreeMap<(Position, String), DeadLetter>;

impl DeadLetterStore for MemoryLog {
    fn park(&self, letters: Vec<DeadLetter>) -> BoxFuture<'_, Result<(), StoreFault>> {
        let mut state = self.state();
        for letter in letters {
            let parked = state
                .dead_letters
                .entry((letter.position, letter.projection.clone()))
                .or_insert_with(|| letter.clone());
            (parked.error, parked.attempts) = (letter.error, letter.attempts);
        }
        ready(())
    }

    fn parked_keys(&self, projection: &str) -> BoxFuture<'_, Result<Vec<ViewKey>, StoreFault>> {
        let state = self.state();
        let letters = state.dead_letters.values().filter(|letter| letter.projection == projection);
        let keys: BTreeSet<&ViewKey> = letters.map(|letter| &letter.key).collect();
        ready(keys.into_iter().cloned().collect())
    }

    fn dead_letters(
        &self,
        projection: Option<&str>,
        key: Option<&ViewKey>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreFault>> {
        let state = self.state();
        let letters = state.dead_letters.values().filter(|letter| {
            projection.is_none_or(|wanted| letter.projection == wanted)
                && key.is_none_or(|wanted| letter.key == *wanted)
        });
        ready(letters.take(limit).cloned().collect())
    }

    fn discard(
        &self,
        projection: &str,
        key: &ViewKey,
        up_to: Position,
    ) -> BoxFuture<'_, Result<u64, StoreFault>> {
        let mut state = self.state();
        let before = state.dead_letters.len();
        state.dead_letters.retain(|(position, _), letter| {
            !(letter.projection == projection && letter.key == *key && *position <= up_to)
        });
        ready((before - state.dead_letters.len()) as u64)
    }
}
