//! Taking parked events up again.

use super::{
    error::OperationError,
    live::Live,
    parked::{ALL_LETTERS, Parked},
    report::Unparked,
};
use gallae_core::{Position, RecordedEvent, ViewKey};
use gallae_ports::DeadLetter;
use std::sync::Arc;

impl Live<'_> {
    /// Folds the parked events of a key in order, on top of its view, as far as they go.
    ///
    /// The rows are committed before the letters are taken off. A crash in between is harmless for views, whose rows say
    /// which events they contain. Counters, and events that could not even be read when they were parked, have no such
    /// mark: after a crash in just that moment the event counts twice, which a verification finds and a repair mends.
    pub(super) async fn retry(&mut self, key: &ViewKey) -> Result<Unparked, OperationError> {
        let letters = self.letters(key).await?;
        if letters.is_empty() {
            return Err(OperationError::NotParked);
        }
        self.fold_again(key, letters).await
    }

    /// Gives up the first parked event of a key and folds those that wait behind it.
    pub(super) async fn discard(&mut self, key: &ViewKey) -> Result<Unparked, OperationError> {
        let mut letters = self.letters(key).await?;
        let Some(first) = letters.first() else { return Err(OperationError::NotParked) };
        let store = &*self.this.ports.dead_letters;
        let discarded = store.discard(self.this.name(), key, first.position).await?;
        tracing::warn!(
            projection = self.this.name(),
            key = %key,
            position = first.position.get(),
            "a parked event was given up by an operator"
        );
        letters.remove(0);
        let outcome = self.fold_again(key, letters).await?;
        Ok(Unparked { discarded, ..outcome })
    }

    /// The parked events of a key that the cursor has passed. Later ones are folded with their batch.
    async fn letters(&self, key: &ViewKey) -> Result<Vec<DeadLetter>, OperationError> {
        let store = &*self.this.ports.dead_letters;
        let mut letters = store.dead_letters(Some(self.this.name()), Some(key), ALL_LETTERS).await?;
        letters.retain(|letter| letter.position <= self.cursor);
        Ok(letters)
    }

    async fn fold_again(
        &mut self,
        key: &ViewKey,
        letters: Vec<DeadLetter>,
    ) -> Result<Unparked, OperationError> {
        let (store, name) = (Arc::clone(&self.this.ports.dead_letters), self.this.name());
        let mut events = Vec::with_capacity(letters.len());
        for letter in &letters {
            events.extend(self.event(letter.position).await?);
        }
        let free = Parked::default();
        let mut folded = self.writer.fold(&events, &free, Some(key)).await?;
        let mut still = None;
        if !folded.refused.is_empty() {
            // Up to the first that fails again: what comes after it waits, whichever view it would change.
            let refused = folded.refused.remove(0);
            events.retain(|event| event.position < refused.event.position);
            self.writer.abandon();
            self.writer.fold(&events, &free, Some(key)).await?;
            still = Some(refused);
        }
        self.writer.apply(self.cursor, self.cursor, self.epoch).await?;
        let applied = events.len();
        if let Some(last) = events.last() {
            store.discard(name, key, last.position).await?;
        }
        if let Some(refused) = still {
            let letter = letters.iter().find(|letter| letter.position == refused.event.position);
            let again = |letter: &DeadLetter| DeadLetter {
                error: refused.error.clone(),
                attempts: letter.attempts + 1,
                ..letter.clone()
            };
            store.park(letter.map(again).into_iter().collect()).await?;
        }
        self.parked = Parked::load(&*store, &*self.this.fold, &self.slot).await?;
        Ok(Unparked { applied: applied as u64, discarded: 0, parked: (letters.len() - applied) as u64 })
    }

    async fn event(&self, position: Position) -> Result<Option<Arc<RecordedEvent>>, OperationError> {
        let before = Position::new(position.get().saturating_sub(1));
        Ok(self.this.ports.log.read_all(before, 1).await?.pop())
    }
}
