//! A correction.

use crate::{
    books::Book,
    stock::{Stock, StockChange, StockEvent, StockLevels, StockRejection},
};
use gallae_core::{Command, Decide, DecisionContext, Id};

/// Adds or takes away available copies, with a reason: damage, loss, a find. Not idempotent by itself: send it under one
/// command id.
#[derive(Clone, Debug)]
pub struct AdjustStock {
    /// Of what.
    pub book: Id<Book>,
    /// Copies; not zero.
    pub by: i32,
    /// In words.
    pub reason: String,
}

impl Command for AdjustStock {
    const NAME: &'static str = "stock.adjust";
    type Aggregate = Stock;

    fn target(&self) -> Id<Stock> {
        Stock::of(self.book)
    }
}

impl Decide<AdjustStock> for Stock {
    fn decide(
        &self,
        command: &AdjustStock,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<StockEvent>, StockRejection> {
        let StockLevels { received, available, .. } = self.levels;
        if command.by == 0 {
            return Err(StockRejection::InvalidQuantity);
        }
        let by = i64::from(command.by);
        let Some(after) = available.checked_add_signed(by) else {
            return Err(StockRejection::Insufficient { available, requested: by.unsigned_abs() });
        };
        let levels = StockLevels { available: after, received: received - available + after, ..self.levels };
        let change = StockChange::Adjusted { by: command.by, reason: command.reason.clone() };
        Ok(vec![StockEvent::Changed { book: command.book, change, levels }])
    }
}
