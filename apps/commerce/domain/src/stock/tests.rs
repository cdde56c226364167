use super::{commands::*, *};
use crate::given::{NOW, apply, given, when, when_at};
use crate::orders::{RefundRequest, examples::HOUR};
use gallae_core::Rejection;
use proptest::prelude::*;

fn book() -> Id<Book> {
    Id::new(Uuid::from_u128(1))
}

fn order(number: u8) -> Id<Order> {
    Id::new(Uuid::from_u128(0x100 + u128::from(number)))
}

fn refund(number: u8) -> Id<RefundRequest> {
    Id::new(Uuid::from_u128(0x200 + u128::from(number)))
}

fn reserve(number: u8, quantity: u32) -> ReserveStock {
    ReserveStock { book: book(), order: order(number), quantity, reserved_until: NOW.after(HOUR) }
}

fn release(number: u8) -> ReleaseStock {
    ReleaseStock { book: book(), order: order(number) }
}

fn sell(number: u8) -> SellStock {
    SellStock { book: book(), order: order(number) }
}

fn stocked(quantity: u32) -> Stock {
    let mut state = Stock::default();
    apply(&mut state, &ReceiveStock { book: book(), quantity }).unwrap();
    state
}

fn levels(state: &Stock) -> [u64; 4] {
    let StockLevels { received, available, reserved, sold } = state.levels();
    [received, available, reserved, sold]
}

#[test]
fn copies_move_from_available_to_reserved_to_sold() {
    let mut state = stocked(10);
    assert_eq!(apply(&mut state, &reserve(1, 3)), Ok(1));
    assert_eq!(levels(&state), [10, 7, 3, 0]);
    assert_eq!(apply(&mut state, &sell(1)), Ok(1));
    assert_eq!(levels(&state), [10, 7, 0, 3]);
    let back = ReturnStock { book: book(), order: order(1), refund: refund(1), quantity: 2 };
    assert_eq!((apply(&mut state, &back), apply(&mut state, &back)), (Ok(1), Ok(0)));
    assert_eq!(levels(&state), [10, 9, 0, 1]);
    let more = ReturnStock { refund: refund(2), ..back };
    assert_eq!(when(&state, &more), Err(StockRejection::NotSold { sold: 1, quantity: 2 }));
}

#[test]
fn what_is_not_there_is_not_promised() {
    let refused = when(&stocked(2), &reserve(1, 3)).unwrap_err();
    assert_eq!(refused, StockRejection::Insufficient { available: 2, requested: 3 });
    assert_eq!((refused.code(), &refused.facts()["available"]), ("INSUFFICIENT_STOCK", &2.into()));
    assert!(when(&Stock::default(), &reserve(1, 1)).is_err(), "no stream, no stock");
}

#[test]
fn a_reservation_is_made_once() {
    let mut state = stocked(10);
    assert_eq!((apply(&mut state, &reserve(1, 3)), apply(&mut state, &reserve(1, 3))), (Ok(1), Ok(0)));
    assert_eq!((apply(&mut state, &sell(1)), apply(&mut state, &sell(1))), (Ok(1), Ok(0)));
    assert_eq!((apply(&mut state, &reserve(1, 3)), apply(&mut state, &release(1))), (Ok(0), Ok(0)));
    assert_eq!(levels(&state), [10, 7, 0, 3]);
}

#[test]
fn a_release_before_the_reservation_refuses_it() {
    let mut state = stocked(10);
    assert_eq!((apply(&mut state, &release(1)), apply(&mut state, &release(1))), (Ok(1), Ok(0)));
    assert_eq!(levels(&state), [10, 10, 0, 0]);
    assert_eq!(when(&state, &reserve(1, 1)), Err(StockRejection::ReservationReleased));
    assert_eq!(when(&state, &sell(1)), Err(StockRejection::ReservationReleased));
}

#[test]
fn an_expired_reservation_is_not_sold_but_can_be_released() {
    let mut state = stocked(10);
    apply(&mut state, &reserve(1, 3)).unwrap();
    let until = NOW.after(HOUR);
    let late = until.after(std::time::Duration::from_micros(1));
    assert!(when_at(until, &state, &sell(1)).is_ok());
    assert_eq!(when_at(late, &state, &sell(1)), Err(StockRejection::ReservationExpired { until }));
    assert_eq!(apply(&mut state, &release(1)), Ok(1));
    assert_eq!(levels(&state), [10, 10, 0, 0]);
}

#[test]
fn counting_and_correcting_leave_promises_alone() {
    let mut state = stocked(10);
    apply(&mut state, &reserve(1, 3)).unwrap();
    let set = SetStock { book: book(), available: 20 };
    assert_eq!((apply(&mut state, &set), apply(&mut state, &set)), (Ok(1), Ok(0)));
    assert_eq!(levels(&state), [23, 20, 3, 0]);
    let adjust = |by| AdjustStock { book: book(), by, reason: "damaged".into() };
    assert_eq!(apply(&mut state, &adjust(-20)), Ok(1));
    assert_eq!(levels(&state), [3, 0, 3, 0]);
    assert_eq!(when(&state, &adjust(-1)), Err(StockRejection::Insufficient { available: 0, requested: 1 }));
    assert_eq!(when(&state, &adjust(0)), Err(StockRejection::InvalidQuantity));
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut state = stocked(10);
    for number in 0..2_000_u128 {
        let order = Id::new(Uuid::from_u128(0x1000 + number));
        apply(&mut state, &ReleaseStock { book: book(), order }).unwrap();
    }
    assert_eq!(state.finished.len(), REMEMBERED);
    let again: Stock = given(&[StockEvent::Changed {
        book: book(),
        change: StockChange::Received { quantity: 1 },
        levels: state.levels(),
    }]);
    assert_eq!(again.levels(), state.levels());
}

#[derive(Clone, Debug)]
enum Asked {
    Set(u32),
    Receive(u32),
    Adjust(i32),
    Reserve(u8, u32),
    Release(u8),
    Sell(u8),
    Return(u8, u8, u32),
}

fn asked() -> impl Strategy<Value = Asked> {
    let order = 0..6_u8;
    prop_oneof![
        (0..20_u32).prop_map(Asked::Set),
        (0..10_u32).prop_map(Asked::Receive),
        (-10..10_i32).prop_map(Asked::Adjust),
        (order.clone(), 0..5_u32).prop_map(|(order, quantity)| Asked::Reserve(order, quantity)),
        order.clone().prop_map(Asked::Release),
        order.clone().prop_map(Asked::Sell),
        (order, 0..4_u8, 0..5_u32)
            .prop_map(|(order, refund, quantity)| Asked::Return(order, refund, quantity)),
    ]
}

fn ask(state: &mut Stock, asked: &Asked) -> Result<usize, StockRejection> {
    let book = book();
    match *asked {
        Asked::Set(available) => apply(state, &SetStock { book, available }),
        Asked::Receive(quantity) => apply(state, &ReceiveStock { book, quantity }),
        Asked::Adjust(by) => apply(state, &AdjustStock { book, by, reason: "count".into() }),
        Asked::Reserve(order, quantity) => apply(state, &reserve(order, quantity)),
        Asked::Release(order) => apply(state, &release(order)),
        Asked::Sell(order) => apply(state, &sell(order)),
        Asked::Return(number, refunded, quantity) => {
            apply(state, &ReturnStock { book, order: order(number), refund: refund(refunded), quantity })
        }
    }
}

proptest! {
    #[test]
    fn the_levels_always_add_up(asked in prop::collection::vec(asked(), 1..60)) {
        let mut state = Stock::default();
        for asked in &asked {
            let before = state.clone();
            if ask(&mut state, asked).is_err() {
                prop_assert_eq!(&state, &before);
            }
            let StockLevels { received, available, reserved, sold } = state.levels();
            prop_assert_eq!(available + reserved + sold, received, "{:?}", asked);
            let promised: u64 = state.reservations.values().map(|reservation| u64::from(reservation.quantity)).sum();
            prop_assert_eq!(promised, reserved, "{:?}", asked);
            if !matches!(asked, Asked::Receive(_) | Asked::Adjust(_)) {
                prop_assert_eq!(ask(&mut state, asked).unwrap_or_default(), 0, "twice does it once: {:?}", asked);
            }
        }
    }
}
