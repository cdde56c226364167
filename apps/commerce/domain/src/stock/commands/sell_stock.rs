//! A promise is kept.

use crate::{
    books::Book,
    orders::Order,
    stock::{Finish, Stock, StockEvent, StockLevels, StockRejection},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Turns an order's reservation into a sale, in the transaction that confirms the order. Refused once the reservation has
/// expired.
#[derive(Clone, Debug)]
pub struct SellStock {
    /// Of what.
    pub book: Id<Book>,
    /// Whose reservation.
    pub order: Id<Order>,
}

impl Command for SellStock {
    const NAME: &'static str = "stock.sell";
    type Aggregate = Stock;

    fn target(&self) -> Id<Stock> {
        Stock::of(self.book)
    }
}

impl Decide<SellStock> for Stock {
    fn decide(
        &self,
        command: &SellStock,
        cx: &DecisionContext<'_>,
    ) -> Result<Vec<StockEvent>, StockRejection> {
        let SellStock { book, order } = *command;
        let Some(reservation) = self.reservations.get(&order) else {
            return match self.finished(order.uuid()) {
                Some(Finish::Sold) => Ok(vec![]),
                Some(Finish::Released) => Err(StockRejection::ReservationReleased),
                Some(Finish::Returned) | None => Err(StockRejection::NotReserved),
            };
        };
        if cx.now > reservation.until {
            return Err(StockRejection::ReservationExpired { until: reservation.until });
        }
        let quantity = reservation.quantity;
        let levels = StockLevels {
            reserved: self.levels.reserved - u64::from(quantity),
            sold: self.levels.sold + u64::from(quantity),
            ..self.levels
        };
        Ok(vec![StockEvent::Sold { book, order, quantity, levels }])
    }
}
