//! The projection harness, and the proof that it finds a projection that leans on how streams interleave.

mod trips;

use gallae_core::{Id, Timestamp};
use gallae_testkit::{
    History, NOW, assert_counting_does_not_depend_on_interleaving, assert_interleaving_does_not_matter,
    counters, projection,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};
use trips::{Requests, Seat, SeatEvent, Trip, TripEvent, TripView, Trips};

fn history() -> History {
    let (one, two) = (Id::<Trip>::derived("one"), Id::<Trip>::derived("two"));
    let seat = Id::<Seat>::derived("12A");
    History::new()
        .events(one, [TripEvent::Requested { seat, price: 300 }])
        .events(seat, [SeatEvent::Reserved { trip: one }])
        .events(two, [TripEvent::Requested { seat, price: 500 }])
        .events(one, [TripEvent::Booked { ticket: "T-1".into() }])
        .events(two, [TripEvent::Failed { reason: "the seat is taken".into() }])
}

fn complaint(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("the check let it pass");
    *panic.downcast::<String>().expect("a formatted message")
}

#[test]
fn places_are_counted() {
    let recorded = history().recorded();
    let places: Vec<_> = recorded.iter().map(|e| (e.position.get(), e.version.get())).collect();
    assert_eq!(places, [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)]);
    assert_eq!((recorded[0].time, recorded[4].time), (NOW, NOW.after(Duration::from_secs(4))));
    assert_eq!(history().of::<SeatEvent>().len(), 1);
}

#[test]
fn views_are_folded_and_removed() {
    let trips = projection::<Trips<false>>().feed(&history());
    let seen = TripView { price: 300, seated: true, booked: true, last: String::new() };
    assert_eq!(trips.view(Id::<Trip>::derived("one").to_string()), Some(&seen));
    assert_eq!((trips.view(Id::<Trip>::derived("two").to_string()), trips.views().len()), (None, 1));
}

#[test]
fn counters_add_up_over_time() {
    let counted = counters::<Requests<false>>().feed(&history());
    assert_eq!((counted.total("requests"), counted.total("price"), counted.total("other")), (2, 800, 0));
    let first = NOW.after(Duration::from_secs(1));
    assert_eq!(counted.between("price", Timestamp::default(), first), 300);
    assert_eq!(counted.between("price", first, Timestamp::from_micros(i64::MAX)), 500);
}

#[test]
fn a_sound_projection_passes_and_one_that_leans_on_the_order_is_found() {
    assert_interleaving_does_not_matter::<Trips<false>>(&history());
    let shown = complaint(|| assert_interleaving_does_not_matter::<Trips<true>>(&history()));
    assert!(shown.contains("trips depends on how streams interleave"), "{shown}");
    assert!(shown.contains("SeatReserved (seat-") && shown.contains("- "), "{shown}");
}

#[test]
fn a_sound_counter_passes_and_one_that_looks_at_positions_is_found() {
    assert_counting_does_not_depend_on_interleaving::<Requests<false>>(&history());
    let shown = complaint(|| assert_counting_does_not_depend_on_interleaving::<Requests<true>>(&history()));
    assert!(shown.contains("requests depends on how streams interleave"), "{shown}");
}

#[test]
fn one_stream_proves_nothing_and_is_refused() {
    let one = History::new().events(Id::<Seat>::derived("12A"), []);
    assert!(
        complaint(|| assert_interleaving_does_not_matter::<Trips<false>>(&one))
            .contains("nothing to interleave")
    );
}
