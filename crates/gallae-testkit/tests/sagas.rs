//! The saga harness on the real engine, and the proof that it finds sagas that do not undo what they did.

mod trips;

use gallae_core::{
    Id, Saga,
    saga::{Direction, SagaStatus},
};
use gallae_testkit::{
    History,
    saga::{Ended, Reply, Scenario, every_step_fails, scenario},
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use trips::{Booking, CANNOT_RELEASE, KEEPS_THE_SEAT, Note, SOUND, Seat, SeatEvent, Trip, TripEvent};

fn seat() -> Id<Seat> {
    Id::derived("12A")
}
fn trip() -> Id<Trip> {
    Id::derived("one")
}

fn booking<const FAULT: u8>() -> Scenario<Booking<FAULT>> {
    scenario::<Booking<FAULT>>()
        .aggregate::<Seat>()
        .aggregate::<Trip>()
        .answer("charge", "charge-1")
        .answer("issue", "T-1")
        .when(Note(trip(), TripEvent::Requested { seat: seat(), price: 300 }))
}

/// A ticket and a seat, or neither and an end.
fn nothing_is_lost(ended: &Ended) {
    let (seat, trip) = (ended.state(seat()), ended.state(trip()));
    assert_eq!(seat.taken_by.is_some(), trip.ticket.is_some(), "a seat without a ticket");
    assert_ne!(trip.failed, trip.ticket.is_some());
}

fn complaint<T>(test: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).err().expect("the check let it pass");
    *panic.downcast::<String>().expect("a formatted message")
}

#[test]
fn a_booking_completes() {
    let ended = booking::<SOUND>().run();
    ended.assert_status(SagaStatus::Completed);
    assert_eq!(ended.succeeded(), ["reserve", "charge", "issue", "tell", "close"]);
    assert_eq!(ended.state(trip()).ticket.as_deref(), Some("T-1"));
    let executed: Vec<_> = ended.executed().iter().map(|call| (call.operation, call.direction)).collect();
    let forward = |operation| (operation, Direction::Do);
    assert_eq!(executed, ["charge", "issue", "send"].map(forward));
}

#[test]
fn a_declined_card_gives_the_seat_back() {
    let ended = booking::<SOUND>().replies("charge", [Reply::Reject("CARD_DECLINED")]).run();
    ended.assert_status(SagaStatus::Compensated);
    assert_eq!((ended.undone(), ended.state(seat()).taken_by), (vec!["reserve"], None));
    assert_eq!(ended.saga().row.cause.map(|cause| cause.as_str()), Some("BUSINESS_REJECT"));
    nothing_is_lost(&ended);
}

#[test]
fn a_refund_works_from_what_the_charge_answered() {
    let ended = booking::<SOUND>()
        .replies("issue", [Reply::Reject("SOLD_OUT")])
        .undo_replies("charge", [Reply::LoseAnswer])
        .run();
    ended.assert_status(SagaStatus::Compensated);
    let refunds: Vec<_> =
        ended.executed().iter().filter(|call| call.operation == "refund").map(|call| &call.body).collect();
    assert_eq!(refunds, ["charge-1"]);
}

#[test]
fn what_has_happened_before_counts() {
    let other = Id::<Trip>::derived("other");
    let history = History::new().events(seat(), [SeatEvent::Reserved { trip: other }]);
    let ended = booking::<SOUND>().given(history).run();
    ended.assert_status(SagaStatus::Rejected);
    assert_eq!((ended.state(seat()).taken_by, ended.executed().len()), (Some(other), 0));
}

#[test]
fn a_saga_that_cannot_go_on_is_seen_to_be_stuck() {
    let ended = booking::<SOUND>().replies("charge", [Reply::Break]).run();
    assert_eq!(ended.status(), SagaStatus::Stuck);
    let shown = complaint(|| ended.assert_status(SagaStatus::Completed).status());
    assert!(shown.contains("malformed") && shown.contains("StepDispatched"), "{shown}");
}

#[test]
fn a_sound_saga_survives_every_failing_step() {
    // Five clean-ending mishaps a step except where a refusal is not allowed, and three for each of two undos.
    assert_eq!(every_step_fails(booking::<SOUND>, nothing_is_lost), 1 + 5 * 3 + 4 + 2 * 3);
}

#[test]
fn an_undo_that_does_nothing_breaks_the_invariant() {
    let shown = complaint(|| every_step_fails(booking::<KEEPS_THE_SEAT>, nothing_is_lost));
    assert!(shown.contains("a seat without a ticket"), "{shown}");
    assert!(shown.contains("step \"charge\" is refused"), "{shown}");
}

#[test]
fn an_undo_that_is_refused_never_ends() {
    let shown = complaint(|| every_step_fails(booking::<CANNOT_RELEASE>, |_| {}));
    assert!(shown.contains("it is STUCK, expected COMPENSATED"), "{shown}");
}

#[test]
fn a_trigger_that_starts_nothing_is_refused() {
    let test = || {
        let booked = TripEvent::Booked { ticket: "T-1".into() };
        drop(
            scenario::<Booking<SOUND>>()
                .aggregate::<Seat>()
                .aggregate::<Trip>()
                .when(Note(trip(), booked))
                .run(),
        );
    };
    assert!(complaint(test).contains(&format!("started 0 instances of {}", Booking::<SOUND>::NAME)));
}
