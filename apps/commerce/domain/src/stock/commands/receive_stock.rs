//! A delivery comes.

use crate::{
    books::Book,
    stock::{Stock, StockChange, StockEvent, StockLevels, StockRejection},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Adds copies. Not idempotent by itself: send it under one command id.
#[derive(Clone, Debug)]
pub struct ReceiveStock {
    /// Of what.
    pub book: Id<Book>,
    /// Copies, at least one.
    pub quantity: u32,
}

impl Command for ReceiveStock {
    const NAME: &'static str = "stock.receive";
    type Aggregate = Stock;

    fn target(&self) -> Id<Stock> {
        Stock::of(self.book)
    }
}

impl Decide<ReceiveStock> for Stock {
    fn decide(
        &self,
        command: &ReceiveStock,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<StockEvent>, StockRejection> {
        let quantity = command.quantity;
        if quantity == 0 {
            return Err(StockRejection::InvalidQuantity);
        }
        let levels = StockLevels {
            received: self.levels.received + u64::from(quantity),
            available: self.levels.available + u64::from(quantity),
            ..self.levels
        };
        Ok(vec![StockEvent::Changed {
            book: command.book,
            change: StockChange::Received { quantity },
            levels,
        }])
    }
}
