//! How far readers of the log have come that keep no rows of their own.

use crate::{BoxFuture, StoreFault};
use gallae_core::Position;

/// Named cursors in the event store's database.
pub trait CursorStore: Send + Sync + 'static {
    /// The cursor with this name; [`Position::START`] if it was never saved.
    fn load_cursor(&self, name: &str) -> BoxFuture<'_, Result<Position, StoreFault>>;

    /// Moves a cursor, provided that no epoch newer than `epoch` has saved it: `false` says that one has, and that
    /// nothing was written. Moving it backward is allowed.
    fn save_cursor(
        &self,
        name: &str,
        position: Position,
        epoch: u64,
    ) -> BoxFuture<'_, Result<bool, StoreFault>>;
}
