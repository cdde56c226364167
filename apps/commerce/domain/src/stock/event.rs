//! What happens to stock.

use crate::{
    books::Book,
    orders::{Order, RefundRequest},
};
use gallae_core::{Event, Id, Timestamp};
use serde::{Deserialize, Serialize};

/// Where the copies of a book are. `available + reserved + sold = received`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevels {
    /// All that ever came, less what was counted or adjusted away.
    pub received: u64,
    /// Can be ordered.
    pub available: u64,
    /// Promised to orders that are not confirmed yet.
    pub reserved: u64,
    /// Belongs to confirmed orders.
    pub sold: u64,
}

/// Why the number of copies changed other than by an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum StockChange {
    /// A count found this many available.
    Set {
        /// Found.
        available: u32,
    },
    /// A delivery came.
    Received {
        /// Copies.
        quantity: u32,
    },
    /// A correction, with its reason.
    Adjusted {
        /// Copies, may be negative.
        by: i32,
        /// In words.
        reason: String,
    },
}

/// What happened to the stock of a book. Each event carries the levels as they are from then on.
#[derive(Clone, Debug, PartialEq, Event)]
pub enum StockEvent {
    /// Copies came or went other than by an order.
    #[event(name = "StockChanged", version = 1)]
    Changed {
        /// Of what.
        book: Id<Book>,
        /// Why.
        change: StockChange,
        /// From now on.
        levels: StockLevels,
    },
    /// Copies were promised to an order.
    #[event(name = "StockReserved", version = 1)]
    Reserved {
        /// Of what.
        book: Id<Book>,
        /// To whom.
        order: Id<Order>,
        /// Copies.
        quantity: u32,
        /// The order must be confirmed by then.
        reserved_until: Timestamp,
        /// From now on.
        levels: StockLevels,
    },
    /// A promise was taken back. With a quantity of zero there was none, and now there never will be.
    #[event(name = "StockReleased", version = 1)]
    Released {
        /// Of what.
        book: Id<Book>,
        /// From whom.
        order: Id<Order>,
        /// Copies.
        quantity: u32,
        /// From now on.
        levels: StockLevels,
    },
    /// A promise was kept: the order is confirmed.
    #[event(name = "StockSold", version = 1)]
    Sold {
        /// Of what.
        book: Id<Book>,
        /// To whom.
        order: Id<Order>,
        /// Copies.
        quantity: u32,
        /// From now on.
        levels: StockLevels,
    },
    /// Sold copies came back.
    #[event(name = "StockReturned", version = 1)]
    Returned {
        /// Of what.
        book: Id<Book>,
        /// From whom.
        order: Id<Order>,
        /// For which refund.
        refund: Id<RefundRequest>,
        /// Copies.
        quantity: u32,
        /// From now on.
        levels: StockLevels,
    },
}

impl StockEvent {
    /// Of what.
    pub const fn book(&self) -> Id<Book> {
        match self {
            Self::Changed { book, .. }
            | Self::Reserved { book, .. }
            | Self::Released { book, .. }
            | Self::Sold { book, .. }
            | Self::Returned { book, .. } => *book,
        }
    }

    /// The levels after it.
    pub const fn levels(&self) -> StockLevels {
        match self {
            Self::Changed { levels, .. }
            | Self::Reserved { levels, .. }
            | Self::Released { levels, .. }
            | Self::Sold { levels, .. }
            | Self::Returned { levels, .. } => *levels,
        }
    }
}
