use super::{
    commands::*,
    gateway::{Capture, Refunded},
    *,
};
use crate::given::{NOW, apply, given, when};
use crate::orders::{
    PaymentMethod,
    examples::{authorization, order, refund_id, won},
};
use gallae_core::Rejection;
use proptest::prelude::*;

fn authorize() -> RecordAuthorization {
    let authorization = authorization();
    RecordAuthorization { order: order(), amount: won(100), method: PaymentMethod::Card, authorization }
}

fn capture(amount: i64) -> RecordCapture {
    let capture = Capture { provider_ref: "psp-1".into() };
    let (order, amount, captured_at) = (order(), won(amount), None);
    RecordCapture { order, amount, method: PaymentMethod::Card, capture, captured_at }
}

fn fail() -> RecordFailure {
    let (code, reason) = ("PAYMENT_DECLINED".into(), "no money".into());
    RecordFailure { order: order(), amount: won(100), method: PaymentMethod::Card, code, reason }
}

fn reserve(number: u128, amount: i64) -> ReserveRefund {
    ReserveRefund { order: order(), refund: refund_id(number), amount: won(amount) }
}

fn release(number: u128) -> ReleaseRefund {
    ReleaseRefund { order: order(), refund: refund_id(number), amount: won(1) }
}

fn refund(number: u128) -> RecordRefund {
    let refunded = Refunded { provider_ref: format!("re-{number}") };
    RecordRefund { order: order(), refund: refund_id(number), refunded, refunded_at: NOW }
}

fn captured() -> Payment {
    let mut state = Payment::default();
    assert_eq!((apply(&mut state, &authorize()), apply(&mut state, &capture(100))), (Ok(1), Ok(1)));
    state
}

#[test]
fn is_authorised_then_captured_each_once() {
    let mut state = captured();
    assert_eq!((apply(&mut state, &authorize()), apply(&mut state, &capture(100))), (Ok(0), Ok(0)));
    assert_eq!((state.status(), state.refundable()), (PaymentStatus::Paid, Some(won(100))));
    let uncaptured = when(&Payment::default(), &capture(100)).unwrap_err();
    assert_eq!(uncaptured.code(), "WRONG_PAYMENT_STATUS");
    let mut state = Payment::default();
    apply(&mut state, &authorize()).unwrap();
    assert_eq!(when(&state, &capture(101)).unwrap_err().code(), "CAPTURE_TOO_LARGE");
}

#[test]
fn a_void_gives_up_a_hold_and_refuses_a_later_one() {
    let mut state = Payment::default();
    let void = RecordVoid { order: order() };
    assert_eq!((apply(&mut state, &void), apply(&mut state, &void)), (Ok(1), Ok(0)));
    assert_eq!(when(&state, &authorize()).unwrap_err().code(), "WRONG_PAYMENT_STATUS");
    assert_eq!(when(&captured(), &void).unwrap_err().code(), "WRONG_PAYMENT_STATUS");
}

#[test]
fn a_failure_is_recorded_once() {
    let mut state = Payment::default();
    assert_eq!((apply(&mut state, &fail()), apply(&mut state, &fail())), (Ok(1), Ok(0)));
    assert_eq!(state.status(), PaymentStatus::Failed);
    assert!(when(&captured(), &fail()).is_err());
}

#[test]
fn only_captured_money_is_bound_to_refunds() {
    let mut state = Payment::default();
    apply(&mut state, &authorize()).unwrap();
    assert_eq!(when(&state, &reserve(1, 1)), Err(PaymentRejection::NotCaptured));
    let mut state = captured();
    assert_eq!((apply(&mut state, &reserve(1, 60)), apply(&mut state, &reserve(1, 60))), (Ok(1), Ok(0)));
    assert_eq!(when(&state, &reserve(2, 41)), Err(PaymentRejection::RefundTooLarge { refundable: won(40) }));
    assert_eq!(when(&state, &reserve(2, 0)), Err(PaymentRejection::RefundTooLarge { refundable: won(40) }));
    assert_eq!(apply(&mut state, &release(1)), Ok(1));
    assert_eq!(apply(&mut state, &reserve(2, 100)), Ok(1));
}

#[test]
fn a_refund_is_partial_until_all_went_back() {
    let mut state = captured();
    for (number, amount, status) in
        [(1, 60, PaymentStatus::PartiallyRefunded), (2, 40, PaymentStatus::Refunded)]
    {
        apply(&mut state, &reserve(number, amount)).unwrap();
        assert_eq!((apply(&mut state, &refund(number)), apply(&mut state, &refund(number))), (Ok(1), Ok(0)));
        assert_eq!(state.status(), status);
    }
    assert_eq!(when(&state, &release(1)), Err(PaymentRejection::RefundPaid));
    assert_eq!(when(&state, &refund(3)), Err(PaymentRejection::RefundNotReserved));
}

#[test]
fn a_refund_given_up_stays_given_up() {
    let mut state = captured();
    assert_eq!((apply(&mut state, &release(1)), apply(&mut state, &release(1))), (Ok(1), Ok(0)));
    assert_eq!(when(&state, &reserve(1, 1)), Err(PaymentRejection::RefundReleased));
    assert_eq!(when(&state, &refund(1)), Err(PaymentRejection::RefundReleased));
    assert_eq!(state.refundable(), Some(won(100)));
}

#[test]
fn states_survive_their_snapshot() {
    let mut state = captured();
    apply(&mut state, &reserve(1, 60)).unwrap();
    let event = when(&state, &refund(1)).unwrap();
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<Payment>(&text).unwrap(), state);
    let folded: Payment = given(&event);
    assert_eq!(folded.status(), PaymentStatus::PartiallyRefunded);
}

proptest! {
    #[test]
    fn never_more_goes_back_than_came(asked in prop::collection::vec((0..6_u8, 0..4_u128, 0..120_i64), 1..60)) {
        let mut state = Payment::default();
        for (what, number, amount) in asked {
            let _ = match what {
                0 => apply(&mut state, &authorize()),
                1 => apply(&mut state, &capture(amount)),
                2 => apply(&mut state, &reserve(number, amount)),
                3 => apply(&mut state, &release(number)),
                4 => apply(&mut state, &refund(number)),
                _ => apply(&mut state, &RecordVoid { order: order() }),
            };
            let captured = state.captured().map_or(0, |captured| captured.amount);
            prop_assert!((0..=100).contains(&captured));
            prop_assert!((0..=captured).contains(&state.refunded()));
            prop_assert!(state.refundable().is_none_or(|left| (0..=captured).contains(&left.amount)));
        }
    }
}
