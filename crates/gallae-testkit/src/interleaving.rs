//! A projection is promised the order of each stream and nothing else.

use crate::{
    counters,
    difference::difference,
    history::{Entry, History, place},
    projection,
};
use gallae_core::{CounterProjection, Projection, RecordedEvent};
use gallae_memory::SeededEntropy;
use gallae_ports::Entropy;
use std::{collections::BTreeMap, fmt::Debug, sync::Arc};

/// All orders are tried up to so many; beyond, so many are drawn.
const ORDERS: usize = 2_000;
const SEED: u64 = 0x6761_6c6c_6165;

/// Folds every order of `history` that keeps the order within each stream, or 2,000 of them drawn with a fixed seed when
/// there are more, and demands the same views each time. Events keep their times and ids; positions follow the order.
///
/// # Panics
/// When two orders lead to different views, naming both.
#[track_caller]
pub fn assert_interleaving_does_not_matter<P: Projection>(history: &History) {
    same_for_all(P::NAME, history, |events| {
        let mut views = projection::<P>();
        views.fold(events);
        views.views().clone()
    });
}

/// The same for counters.
///
/// # Panics
/// When two orders lead to different counts, naming both.
#[track_caller]
pub fn assert_counting_does_not_depend_on_interleaving<C: CounterProjection>(history: &History) {
    same_for_all(C::NAME, history, |events| {
        let mut counts = counters::<C>();
        counts.fold(events);
        counts.counts().clone()
    });
}

#[track_caller]
fn same_for_all<T: Debug + PartialEq>(
    name: &str,
    history: &History,
    fold: impl Fn(&[Arc<RecordedEvent>]) -> T,
) {
    let entries = history.entries();
    let streams = streams(entries);
    assert!(
        streams.len() > 1,
        "the history holds {} stream(s): with fewer than two there is nothing to interleave",
        streams.len()
    );
    let mut first: Option<(Vec<usize>, T)> = None;
    for order in orders(&streams) {
        let result = fold(&place(order.iter().map(|index| &entries[*index])));
        let Some((other, expected)) = &first else {
            first = Some((order, result));
            continue;
        };
        if result != *expected {
            let shown = difference(expected, &result).unwrap_or_default();
            panic!(
                "{name} depends on how streams interleave\n-{}\n+{}\n{shown}",
                told(entries, other),
                told(entries, &order)
            );
        }
    }
}

fn told(entries: &[Entry], order: &[usize]) -> String {
    let events = place(order.iter().map(|index| &entries[*index]));
    let words = events.iter().map(|event| {
        let stream: String = event.stream.as_str().chars().take(14).collect();
        format!(" {} ({stream}… v{})", event.event_type, event.version)
    });
    words.collect::<Vec<_>>().join(",")
}

/// The indices of each stream's events.
fn streams(entries: &[Entry]) -> Vec<Vec<usize>> {
    let mut streams: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        streams.entry(&entry.stream).or_default().push(index);
    }
    streams.into_values().collect()
}

fn orders(streams: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut taken = vec![0; streams.len()];
    if how_many(streams).is_some_and(|orders| orders <= ORDERS as u128) {
        let mut all = Vec::new();
        collect(streams, &mut taken, &mut Vec::new(), &mut all);
        return all;
    }
    let entropy = SeededEntropy::new(SEED);
    (0..ORDERS).map(|_| drawn(streams, &entropy)).collect()
}

/// `None` when it does not fit.
fn how_many(streams: &[Vec<usize>]) -> Option<u128> {
    let (mut orders, mut events) = (1_u128, 0_u128);
    for stream in streams {
        for event in 1..=stream.len() as u128 {
            events += 1;
            orders = orders.checked_mul(events)? / event;
        }
    }
    Some(orders)
}

fn collect(streams: &[Vec<usize>], taken: &mut [usize], order: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    if order.len() == streams.iter().map(Vec::len).sum::<usize>() {
        return all.push(order.clone());
    }
    for stream in 0..streams.len() {
        if let Some(event) = streams[stream].get(taken[stream]) {
            (taken[stream], _) = (taken[stream] + 1, order.push(*event));
            collect(streams, taken, order, all);
            (taken[stream], _) = (taken[stream] - 1, order.pop());
        }
    }
}

/// Every order is equally likely: the next event comes from a stream in proportion to what is left of it.
fn drawn(streams: &[Vec<usize>], entropy: &SeededEntropy) -> Vec<usize> {
    let mut rest: Vec<&[usize]> = streams.iter().map(Vec::as_slice).collect();
    let mut order = Vec::new();
    loop {
        let left: usize = rest.iter().map(|stream| stream.len()).sum();
        if left == 0 {
            return order;
        }
        let mut draw = ((entropy.fraction() * left as f64) as usize).min(left - 1);
        for stream in &mut rest {
            if draw < stream.len() {
                order.push(stream[0]);
                *stream = &stream[1..];
                break;
            }
            draw -= stream.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_tried_once_and_keeps_each_stream() {
        let streams = [vec![0, 1], vec![2, 3], vec![4]];
        let orders = orders(&streams);
        assert_eq!((orders.len(), how_many(&streams)), (30, Some(30)));
        let distinct: std::collections::BTreeSet<_> = orders.iter().collect();
        assert_eq!(distinct.len(), 30);
        let at = |order: &[usize], event| order.iter().position(|known| *known == event);
        assert!(orders.iter().all(|order| at(order, 0) < at(order, 1) && at(order, 2) < at(order, 3)));
    }

    #[test]
    fn too_many_orders_are_drawn_and_repeat() {
        let streams: Vec<Vec<usize>> = (0..6).map(|s| (s * 6..s * 6 + 6).collect()).collect();
        let (once, twice) = (orders(&streams), orders(&streams));
        assert!(once == twice && once.len() == ORDERS);
        assert!(once.iter().all(|order| {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            sorted == (0..36).collect::<Vec<_>>()
        }));
    }
}
