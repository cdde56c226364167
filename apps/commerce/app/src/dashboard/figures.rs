//! Counters as figures.

use commerce_domain::{money::Currency, orders::OrderStatus, projections::counters};
use gallae_core::Timestamp;
use gallae_ports::CounterBucket;
use std::collections::BTreeMap;

/// What counters add up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) orders: i64,
    pub(super) by_status: BTreeMap<OrderStatus, i64>,
    pub(super) items_sold: i64,
    pub(super) items_returned: i64,
    /// Money taken less money paid back.
    pub(super) revenue: BTreeMap<Currency, i64>,
    pub(super) refunds: BTreeMap<Currency, i64>,
}

impl Figures {
    /// Adds up counters by their names; unknown ones are none of ours.
    pub(super) fn of<'a>(sums: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        let mut figures = Self::default();
        for (counter, sum) in sums {
            figures.add(counter, sum);
        }
        figures
    }

    /// Adds up the buckets that start in `from..until`.
    pub(super) fn within(buckets: &[CounterBucket], from: Timestamp, until: Timestamp) -> Self {
        let inside = buckets.iter().filter(|bucket| (from..until).contains(&bucket.start));
        Self::of(inside.map(|bucket| (bucket.counter.as_str(), bucket.sum)))
    }

    fn add(&mut self, counter: &str, sum: i64) {
        match counter {
            counters::ORDERS => self.orders += sum,
            counters::ITEMS_SOLD => self.items_sold += sum,
            counters::ITEMS_RETURNED => self.items_returned += sum,
            _ => self.add_kind(counter, sum),
        }
    }

    fn add_kind(&mut self, counter: &str, sum: i64) {
        let Some((kind, of)) = counter.split_once('.') else { return };
        match (kind, of.parse::<OrderStatus>(), of.parse::<Currency>()) {
            ("orders", Ok(status), _) => *self.by_status.entry(status).or_default() += sum,
            ("revenue", _, Ok(currency)) => *self.revenue.entry(currency).or_default() += sum,
            ("refunds", _, Ok(currency)) => *self.refunds.entry(currency).or_default() += sum,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_told_apart_by_the_names_that_the_projection_gives_them() {
        let names = [
            (counters::ORDERS.to_owned(), 1),
            (counters::orders(OrderStatus::Shipped), 2),
            (counters::ITEMS_SOLD.to_owned(), 3),
            (counters::ITEMS_RETURNED.to_owned(), 4),
            (counters::revenue(Currency::Krw), 5),
            (counters::refunds(Currency::Gbp), 6),
            ("somebody.else".to_owned(), 7),
        ];
        let figures = Figures::of(names.iter().map(|(name, sum)| (name.as_str(), *sum)));
        assert_eq!((figures.orders, figures.items_sold, figures.items_returned), (1, 3, 4));
        assert_eq!(figures.by_status, BTreeMap::from([(OrderStatus::Shipped, 2)]));
        assert_eq!(figures.revenue, BTreeMap::from([(Currency::Krw, 5)]));
        assert_eq!(figures.refunds, BTreeMap::from([(Currency::Gbp, 6)]));
    }
}
