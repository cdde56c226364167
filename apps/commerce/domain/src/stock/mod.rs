//! Stock: how many copies of a book there are, and who they are promised to.
//!
//! `available + reserved + sold = received`, always, and nothing is ever negative. What an order does here is idempotent by the
//! order's id, what a refund does by the refund's. Items that are not in the catalogue have no stock.

pub mod commands;
mod event;
mod rejection;

pub use event::{StockChange, StockEvent, StockLevels};
pub use rejection::StockRejection;

use crate::{books::Book, orders::Order};
use gallae_core::{Aggregate, Id, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

/// How many finished reservations and returns are remembered, so that a late or repeated command is recognised. The saga
/// engine applies each local step once anyway; this second net is bounded so that a book sold a million times decides as
/// fast as a new one.
pub const REMEMBERED: usize = 256;

/// The stock of one book.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    levels: StockLevels,
    reservations: BTreeMap<Id<Order>, Reservation>,
    finished: VecDeque<Finished>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reservation {
    quantity: u32,
    until: Timestamp,
}

/// A reservation that was released or sold, or a return that was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Finished {
    key: Uuid,
    how: Finish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Finish {
    Released,
    Sold,
    Returned,
}

impl Aggregate for Stock {
    const TYPE: &'static str = "stock";
    type Event = StockEvent;
    type Rejection = StockRejection;

    fn evolve(&mut self, event: &StockEvent) {
        self.levels = event.levels();
        match event {
            StockEvent::Changed { .. } => {}
            StockEvent::Reserved { order, quantity, reserved_until, .. } => {
                let reservation = Reservation { quantity: *quantity, until: *reserved_until };
                self.reservations.insert(*order, reservation);
            }
            StockEvent::Released { order, .. } => self.finish(*order, Finish::Released),
            StockEvent::Sold { order, .. } => self.finish(*order, Finish::Sold),
            StockEvent::Returned { refund, .. } => self.remember(refund.uuid(), Finish::Returned),
        }
    }
}

impl Stock {
    /// The stock of `book`.
    pub fn of(book: Id<Book>) -> Id<Self> {
        Id::derived(&book.to_string())
    }

    /// Received, available, reserved, sold.
    pub const fn levels(&self) -> StockLevels {
        self.levels
    }

    fn finish(&mut self, order: Id<Order>, how: Finish) {
        self.reservations.remove(&order);
        self.remember(order.uuid(), how);
    }

    fn remember(&mut self, key: Uuid, how: Finish) {
        if self.finished.len() == REMEMBERED {
            self.finished.pop_front();
        }
        self.finished.push_back(Finished { key, how });
    }

    fn finished(&self, key: Uuid) -> Option<Finish> {
        self.finished.iter().rev().find(|finished| finished.key == key).map(|finished| finished.how)
    }
}

#[cfg(test)]
mod tests;
