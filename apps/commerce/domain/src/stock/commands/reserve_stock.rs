//! Copies are promised to an order.

use crate::{
    books::Book,
    orders::Order,
    stock::{Finish, Stock, StockEvent, StockLevels, StockRejection},
};
use gallae_core::{Command, Decide, DecisionContext, Id, Timestamp};

/// Promises copies to an order until it is confirmed. Once per order: again is nothing to do, after a release it is refused.
#[derive(Clone, Debug)]
pub struct ReserveStock {
    /// Of what.
    pub book: Id<Book>,
    /// To whom; names the reservation.
    pub order: Id<Order>,
    /// Copies, at least one.
    pub quantity: u32,
    /// The order must be confirmed by then.
    pub reserved_until: Timestamp,
}

impl Command for ReserveStock {
    const NAME: &'static str = "stock.reserve";
    type Aggregate = Stock;

    fn target(&self) -> Id<Stock> {
        Stock::of(self.book)
    }
}

impl Decide<ReserveStock> for Stock {
    fn decide(
        &self,
        command: &ReserveStock,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<StockEvent>, StockRejection> {
        let ReserveStock { book, order, quantity, reserved_until } = *command;
        if self.reservations.contains_key(&order) {
            return Ok(vec![]);
        }
        match self.finished(order.uuid()) {
            Some(Finish::Released) => return Err(StockRejection::ReservationReleased),
            Some(Finish::Sold | Finish::Returned) => return Ok(vec![]),
            None => {}
        }
        if quantity == 0 {
            return Err(StockRejection::InvalidQuantity);
        }
        let StockLevels { available, reserved, .. } = self.levels;
        let requested = u64::from(quantity);
        if requested > available {
            return Err(StockRejection::Insufficient { available, requested });
        }
        let levels =
            StockLevels { available: available - requested, reserved: reserved + requested, ..self.levels };
        Ok(vec![StockEvent::Reserved { book, order, quantity, reserved_until, levels }])
    }
}
