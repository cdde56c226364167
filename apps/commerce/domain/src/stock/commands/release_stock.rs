//! A promise is taken back.

use crate::{
    books::Book,
    orders::Order,
    stock::{Stock, StockEvent, StockLevels, StockRejection},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Gives back what an order reserved. If it never did, that is remembered, so that a late reservation is refused; if it was
/// released or sold before, nothing is to do.
#[derive(Clone, Debug)]
pub struct ReleaseStock {
    /// Of what.
    pub book: Id<Book>,
    /// Whose reservation.
    pub order: Id<Order>,
}

impl Command for ReleaseStock {
    const NAME: &'static str = "stock.release";
    type Aggregate = Stock;

    fn target(&self) -> Id<Stock> {
        Stock::of(self.book)
    }
}

impl Decide<ReleaseStock> for Stock {
    fn decide(
        &self,
        command: &ReleaseStock,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<StockEvent>, StockRejection> {
        let ReleaseStock { book, order } = *command;
        if self.finished(order.uuid()).is_some() {
            return Ok(vec![]);
        }
        let quantity = self.reservations.get(&order).map_or(0, |reservation| reservation.quantity);
        let levels = StockLevels {
            available: self.levels.available + u64::from(quantity),
            reserved: self.levels.reserved - u64::from(quantity),
            ..self.levels
        };
        Ok(vec![StockEvent::Released { book, order, quantity, levels }])
    }
}
