//! Copies are counted.

use crate::{
    books::Book,
    stock::{Stock, StockChange, StockEvent, StockLevels, StockRejection},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Makes exactly this many copies available; reserved and sold copies are not touched.
#[derive(Clone, Debug)]
pub struct SetStock {
    /// Of what.
    pub book: Id<Book>,
    /// Copies.
    pub available: u32,
}

impl Command for SetStock {
    const NAME: &'static str = "stock.set";
    type Aggregate = Stock;

    fn target(&self) -> Id<Stock> {
        Stock::of(self.book)
    }
}

impl Decide<SetStock> for Stock {
    fn decide(&self, command: &SetStock, _: &DecisionContext<'_>) -> Result<Vec<StockEvent>, StockRejection> {
        let StockLevels { available, reserved, sold, .. } = self.levels;
        let found = u64::from(command.available);
        if found == available {
            return Ok(vec![]);
        }
        let levels = StockLevels { available: found, received: found + reserved + sold, ..self.levels };
        let change = StockChange::Set { available: command.available };
        Ok(vec![StockEvent::Changed { book: command.book, change, levels }])
    }
}
