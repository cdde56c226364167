//! Orders, their payments and their sagas, as the log tells them.

use commerce_domain::{
    books::Book,
    money::Money,
    orders::{OrderEvent, OrderStatus, StockLine, stock_lines},
    payments::PaymentEvent,
};
use gallae_core::{Id, saga::SagaEvent};

/// What an order should have cost, and what was recorded of its money.
#[derive(Clone, Debug, Default)]
pub(super) struct OrderTally {
    pub(super) status: Option<OrderStatus>,
    pub(super) total: Option<Money>,
    /// By the order's own events.
    pub(super) refunded: i64,
    /// By the payment's events.
    pub(super) captured: i64,
    pub(super) paid_back: i64,
    /// Copies of books that it needs.
    pub(super) needs: Vec<StockLine>,
    /// Whether it was ever confirmed, and so its copies sold.
    pub(super) confirmed: bool,
    /// Checkouts that were started for it.
    pub(super) checkouts: u32,
    /// Sagas of it that have not ended.
    pub(super) under_way: u32,
    /// Whether a saga of it was closed by an operator: its effects stand as they are.
    pub(super) abandoned: bool,
}

impl OrderTally {
    pub(super) fn order(&mut self, event: &OrderEvent) {
        self.status = Some(event.status());
        match event {
            OrderEvent::Created(created) => {
                self.total = Some(created.total);
                self.needs = stock_lines(created.items.iter().map(|item| (item.book, item.quantity)));
            }
            OrderEvent::Confirmed { .. } => self.confirmed = true,
            OrderEvent::Refunded { amount, .. } => self.refunded += amount.amount,
            _ => {}
        }
    }

    pub(super) fn payment(&mut self, event: &PaymentEvent) {
        match event {
            PaymentEvent::Completed { amount, .. } => self.captured += amount.amount,
            PaymentEvent::Refunded { amount, .. } => self.paid_back += amount.amount,
            _ => {}
        }
    }

    /// What the customer should have paid in the end, given where the order stands.
    pub(super) fn owed(&self) -> i64 {
        match self.status {
            Some(status) if status.is_paid() => self.total.map_or(0, |total| total.amount) - self.refunded,
            _ => 0,
        }
    }

    pub(super) fn settled(&self) -> bool {
        self.under_way == 0 && !self.abandoned
    }

    pub(super) fn copies(&self) -> impl Iterator<Item = (Id<Book>, u64)> + '_ {
        self.needs.iter().map(|line| (line.book, u64::from(line.quantity)))
    }
}

/// Where a saga stands, as far as the invariants care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SagaEndState {
    UnderWay,
    Held(String),
    Ended,
    Abandoned,
}

impl SagaEndState {
    pub(super) fn after(self, event: &SagaEvent) -> Self {
        match event {
            SagaEvent::Stuck { step, reason } => Self::Held(format!("stuck at {step}: {reason}")),
            SagaEvent::Paused { reason } => Self::Held(format!("paused: {reason}")),
            SagaEvent::Resumed { .. }
            | SagaEvent::RetryRequested { .. }
            | SagaEvent::CancelRequested { .. } => Self::UnderWay,
            SagaEvent::Completed {} | SagaEvent::Rejected { .. } | SagaEvent::Compensated { .. } => {
                Self::Ended
            }
            SagaEvent::Abandoned { .. } => Self::Abandoned,
            _ => self,
        }
    }
}
