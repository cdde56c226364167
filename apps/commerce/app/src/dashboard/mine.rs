//! The same counters over one customer's orders.

use crate::orders::queries::{self, OrderFilter};
use commerce_domain::{
    orders::RefundOutcome,
    projections::{OrderView, counters},
    users::User,
};
use gallae_core::{Id, Timestamp};
use gallae_ports::{CounterBucket, Paging, StoreFault, ViewStore};

const PAGE: usize = 500;

/// Counts a customer's orders as the projection counts everybody's.
pub(super) async fn buckets(
    views: &dyn ViewStore,
    customer: Id<User>,
) -> Result<Vec<CounterBucket>, StoreFault> {
    let filter = OrderFilter { customer: Some(customer), ..OrderFilter::default() };
    let mut buckets = Vec::new();
    let mut paging = Paging::Page { offset: 0, limit: PAGE };
    loop {
        let (orders, page) = queries::list(views, &filter, paging).await?;
        for order in &orders {
            count(order, &mut buckets);
        }
        match page.next {
            Some(cursor) => paging = Paging::After { cursor, limit: PAGE },
            None => return Ok(buckets),
        }
    }
}

fn count(order: &OrderView, buckets: &mut Vec<CounterBucket>) {
    let (Some(status), Some(total), Some(placed)) = (order.status, order.total, order.created_at) else {
        return;
    };
    let mut add = |counter: String, at: Timestamp, sum: i64| {
        buckets.push(CounterBucket { counter, start: CounterBucket::start_of(at), sum });
    };
    add(counters::ORDERS.to_owned(), placed, 1);
    add(counters::orders(status), placed, 1);
    if order.confirmed_at.is_some() {
        let pieces = order.items.iter().map(|item| i64::from(item.quantity)).sum();
        add(counters::ITEMS_SOLD.to_owned(), placed, pieces);
    }
    if let Some(paid_at) = order.payment.paid_at {
        add(counters::revenue(total.currency), paid_at, total.amount);
    }
    for refund in order.refunds.iter().filter(|refund| refund.outcome == RefundOutcome::Refunded) {
        add(counters::revenue(total.currency), refund.requested_at, -refund.amount.amount);
        add(counters::refunds(total.currency), refund.requested_at, refund.amount.amount);
    }
}
