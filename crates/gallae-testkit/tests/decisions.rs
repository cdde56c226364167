//! given, when, then: what it accepts, and that it refuses what is not so.

mod trips;

use gallae_core::{ClaimChange, Id};
use gallae_testkit::given;
use std::panic::{AssertUnwindSafe, catch_unwind};
use trips::{ReleaseSeat, ReserveSeat, Seat, SeatEvent, SeatRejection, Trip};

fn seat() -> Id<Seat> {
    Id::derived("12A")
}
fn trip(name: &str) -> Id<Trip> {
    Id::derived(name)
}
fn reserved() -> SeatEvent {
    SeatEvent::Reserved { trip: trip("one") }
}

fn complaint(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("the check let it pass");
    *panic.downcast::<String>().expect("a formatted message")
}

#[test]
fn decisions_and_rejections_are_recognised() {
    let claim = ClaimChange::Take { key: "seat:1".into(), owner: "trip".into(), expires_after: None };
    given::<Seat>([])
        .when(ReserveSeat(seat(), trip("one")))
        .then([reserved()])
        .claiming([claim])
        .and()
        .when(ReserveSeat(seat(), trip("one")))
        .then_nothing();
    let taken = SeatRejection::Taken { by: trip("one") };
    given::<Seat>([reserved()]).when(ReserveSeat(seat(), trip("two"))).then_rejected(taken);
    given::<Seat>([]).when(ReleaseSeat(seat(), trip("one"))).then_rejected_with_code("SEAT_FREE");
}

#[test]
fn another_event_is_shown_beside_the_expected_one() {
    let test = || {
        let released = SeatEvent::Released { trip: trip("one") };
        given::<Seat>([]).when(ReserveSeat(seat(), trip("one"))).then([released]);
    };
    let shown = complaint(test);
    let (minus, plus) =
        (shown.lines().any(|l| l.contains("-") && l.contains("Released")), shown.contains("Reserved"));
    assert!(minus && plus, "{shown}");
}

#[test]
fn an_acceptance_where_a_rejection_is_expected_fails() {
    let test = || given::<Seat>([]).when(ReserveSeat(seat(), trip("one"))).then_rejected(SeatRejection::Free);
    assert!(complaint(test).contains("was accepted"));
}

#[test]
fn a_rejection_where_events_are_expected_fails() {
    let test = || drop(given::<Seat>([reserved()]).when(ReserveSeat(seat(), trip("two"))).then([reserved()]));
    assert!(complaint(test).contains("SEAT_TAKEN"));
}

#[test]
fn another_rejection_or_code_fails() {
    let again = || given::<Seat>([reserved()]).when(ReserveSeat(seat(), trip("two")));
    assert!(complaint(|| again().then_rejected(SeatRejection::Free)).contains("another reason"));
    assert!(complaint(|| again().then_rejected_with_code("SEAT_FREE")).contains("SEAT_TAKEN"));
}

#[test]
fn other_claims_fail() {
    let test =
        || drop(given::<Seat>([]).when(ReserveSeat(seat(), trip("one"))).then([reserved()]).claiming([]));
    assert!(complaint(test).contains("seat:1"));
}
