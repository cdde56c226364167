//! Sold copies come back.

use crate::{
    books::Book,
    orders::{Order, RefundRequest},
    stock::{Stock, StockEvent, StockLevels, StockRejection},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Makes copies of a refunded order available again. Once per refund.
#[derive(Clone, Debug)]
pub struct ReturnStock {
    /// Of what.
    pub book: Id<Book>,
    /// From whom.
    pub order: Id<Order>,
    /// For which refund.
    pub refund: Id<RefundRequest>,
    /// Copies, at least one.
    pub quantity: u32,
}

impl Command for ReturnStock {
    const NAME: &'static str = "stock.return";
    type Aggregate = Stock;

    fn target(&self) -> Id<Stock> {
        Stock::of(self.book)
    }
}

impl Decide<ReturnStock> for Stock {
    fn decide(
        &self,
        command: &ReturnStock,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<StockEvent>, StockRejection> {
        let ReturnStock { book, order, refund, quantity } = *command;
        if self.finished(refund.uuid()).is_some() {
            return Ok(vec![]);
        }
        if quantity == 0 {
            return Err(StockRejection::InvalidQuantity);
        }
        let StockLevels { available, sold, .. } = self.levels;
        let Some(left) = sold.checked_sub(u64::from(quantity)) else {
            return Err(StockRejection::NotSold { sold, quantity });
        };
        let levels = StockLevels { available: available + u64::from(quantity), sold: left, ..self.levels };
        Ok(vec![StockEvent::Returned { book, order, refund, quantity, levels }])
    }
}
