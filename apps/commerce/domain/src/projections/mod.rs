//! What queries read: pure folds of events into views, search documents and counters.
//!
//! A view keyed by something that two streams tell about never depends on which of the two is read first: each stream writes its
//! own fields. Such a view may for a moment know one half alone; it has no status, or is not listed, until it knows the other.

mod book_search;
mod book_views;
mod order_search;
mod order_views;
mod payment_views;
mod sales;
mod user_views;

pub use book_search::{BookDocument, BookSearch};
pub use book_views::{BookOrStockEvent, BookView, BookViews};
pub use order_search::{OrderDocument, OrderSearch};
pub use order_views::{
    Cancellation, OrderOrPaymentEvent, OrderView, OrderViews, PaymentSummary, RefundSummary, ShippingStatus,
};
pub use payment_views::{PaymentRefundSummary, PaymentView, PaymentViews};
pub use sales::{Sales, counters};
pub use user_views::{UserView, UserViews};

#[cfg(test)]
mod tests;
