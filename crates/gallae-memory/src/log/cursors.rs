//! Cursors of readers that keep no rows.

use super::{MemoryLog, ready};
use gallae_core::Position;
use gallae_ports::{BoxFuture, CursorStore, StoreFault};
use std::collections::BTreeMap;

/// By name, with the epoch that saved it.
pub(super) type Cursors = BTreeMap<String, (Position, u64)>;

impl CursorStore for MemoryLog {
    fn load_cursor(&self, name: &str) -> BoxFuture<'_, Result<Position, StoreFault>> {
        ready(self.state().cursors.get(name).map_or(Position::START, |(position, _)| *position))
    }

    fn save_cursor(
        &self,
        name: &str,
        position: Position,
        epoch: u64,
    ) -> BoxFuture<'_, Result<bool, StoreFault>> {
        let mut state = self.state();
        if state.cursors.get(name).is_some_and(|(_, newest)| *newest > epoch) {
            return ready(false);
        }
        state.cursors.insert(name.to_owned(), (position, epoch));
        ready(true)
    }
}
