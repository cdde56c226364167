//! Every state that an order with two refunds can reach, by every command, and what holds in each.

use super::{commands::*, examples::*, *};
use crate::given::when;
use gallae_core::{Aggregate, Command, Decide};
use std::collections::{BTreeMap, VecDeque};

type Move = Box<dyn Fn(&Order) -> Result<Vec<OrderEvent>, OrderRejection>>;

fn by<C: Command<Aggregate = Order>>(command: C) -> (&'static str, Move)
where
    Order: Decide<C>,
{
    (C::NAME, Box::new(move |state| when(state, &command)))
}

fn moves() -> Vec<(&'static str, Move)> {
    let mut moves = vec![
        by(place()),
        by(confirm()),
        by(cancel()),
        by(ApproveOrder { order: order() }),
        by(ShipOrder { order: order(), tracking_number: "T-1".into() }),
        by(DeliverOrder { order: order() }),
        by(request_refund(1, Some(30_000))),
        by(request_refund(2, None)),
    ];
    for refund in [refund_id(1), refund_id(2)] {
        moves.push(by(RefundOrder { order: order(), refund }));
        moves.push(by(RejectRefund { order: order(), refund, code: "NO".into(), reason: "no".into() }));
    }
    moves
}

fn allowed(from: Option<OrderStatus>, to: OrderStatus) -> bool {
    use OrderStatus::*;
    match (from, to) {
        (None, Pending)
        | (Some(Pending), Confirmed | Cancelled)
        | (Some(Confirmed), Approved)
        | (Some(Approved), Shipped)
        | (Some(Shipped), Delivered) => true,
        (Some(from), Refunded) => from.is_paid(),
        (Some(from), to) => from == to,
        (None, _) => false,
    }
}

fn check(state: &Order) {
    let Some(placed) = state.placed() else { return };
    assert!((0..=placed.total.amount).contains(&placed.refunded().amount));
    assert!((0..=placed.total.amount).contains(&placed.refundable().amount));
    for item in items() {
        placed.returnable(&item.product_id); // would underflow, were more to come back than was ordered
    }
    assert_eq!(placed.status == OrderStatus::Refunded, placed.refunded() == placed.total);
    assert_eq!(
        placed.payment.is_none(),
        matches!(placed.status, OrderStatus::Pending | OrderStatus::Cancelled)
    );
    assert!(placed.status.is_paid() || placed.status == OrderStatus::Refunded || placed.refunds.is_empty());
}

#[test]
fn every_reachable_order_is_sound() {
    let moves = moves();
    let mut seen = BTreeMap::from([(key(&Order::default()), ())]);
    let mut queue = VecDeque::from([Order::default()]);
    let mut reached = BTreeMap::new();
    while let Some(state) = queue.pop_front() {
        check(&state);
        let from = state.placed().map(|placed| placed.status);
        for (name, decide) in &moves {
            let Ok(events) = decide(&state) else { continue };
            let mut next = state.clone();
            for event in &events {
                let before = next.placed().map(|placed| placed.status);
                assert_eq!(event.before().map(|before| before.status), before, "{name}");
                assert!(allowed(before, event.status()), "{name}: {before:?} to {}", event.status());
                next.evolve(event);
                assert_eq!(next.placed().map(|placed| placed.status), Some(event.status()));
            }
            assert_eq!(decide(&next).unwrap_or_default(), vec![], "{name} twice from {from:?} does it once");
            if seen.insert(key(&next), ()).is_none() {
                queue.push_back(next);
            }
        }
        *reached.entry(from).or_insert(0) += 1;
    }
    let everywhere = OrderStatus::ALL.iter().copied().map(Some);
    assert!(everywhere.into_iter().all(|status| reached.contains_key(&status)), "{reached:?}");
    assert!(seen.len() > 50, "{}", seen.len());
}

fn key(state: &Order) -> String {
    serde_json::to_string(state).unwrap()
}
