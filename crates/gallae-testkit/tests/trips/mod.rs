//! A trip is booked: a seat is reserved, the card charged, the ticket issued, the traveller told.
#![allow(dead_code, reason = "each test file uses a part of it")]

use gallae_core::{
    Aggregate, ClaimChange, Command, CounterProjection, Decide, DecisionContext, Event, EventSet, Field,
    FieldValue, Id, Increment, Projection, Recorded, Rejection, Saga, StreamId, View, ViewKey,
    saga::{
        CallResult, SagaCommand, SagaContext, SagaEnd, SagaGraph, SagaStatus, Start, Step, call, compensable,
        local, pivot, retriable,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone, Debug, PartialEq, Event)]
pub(crate) enum SeatEvent {
    #[event(name = "SeatReserved", version = 1)]
    Reserved { trip: Id<Trip> },
    #[event(name = "SeatReleased", version = 1)]
    Released { trip: Id<Trip> },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seat {
    pub(crate) taken_by: Option<Id<Trip>>,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum SeatRejection {
    #[error("the seat belongs to {by}")]
    Taken { by: Id<Trip> },
    #[error("the seat is free")]
    Free,
}

impl Rejection for SeatRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "SEAT_TAKEN",
            Self::Free => "SEAT_FREE",
        }
    }
}

impl Aggregate for Seat {
    const TYPE: &'static str = "seat";
    type Event = SeatEvent;
    type Rejection = SeatRejection;
    fn evolve(&mut self, event: &SeatEvent) {
        self.taken_by = match event {
            SeatEvent::Reserved { trip } => Some(*trip),
            SeatEvent::Released { .. } => None,
        };
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ReserveSeat(pub(crate) Id<Seat>, pub(crate) Id<Trip>);
#[derive(Clone, Debug)]
pub(crate) struct ReleaseSeat(pub(crate) Id<Seat>, pub(crate) Id<Trip>);

impl Command for ReserveSeat {
    const NAME: &'static str = "seat.reserve";
    type Aggregate = Seat;
    fn target(&self) -> Id<Seat> {
        self.0
    }
    fn claims(&self, _: &Seat) -> Vec<ClaimChange> {
        vec![ClaimChange::Take { key: "seat:1".into(), owner: "trip".into(), expires_after: None }]
    }
}
impl Decide<ReserveSeat> for Seat {
    fn decide(
        &self,
        command: &ReserveSeat,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<SeatEvent>, SeatRejection> {
        match self.taken_by {
            None => Ok(vec![SeatEvent::Reserved { trip: command.1 }]),
            Some(trip) if trip == command.1 => Ok(vec![]),
            Some(by) => Err(SeatRejection::Taken { by }),
        }
    }
}
impl Command for ReleaseSeat {
    const NAME: &'static str = "seat.release";
    type Aggregate = Seat;
    fn target(&self) -> Id<Seat> {
        self.0
    }
}
impl Decide<ReleaseSeat> for Seat {
    fn decide(
        &self,
        command: &ReleaseSeat,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<SeatEvent>, SeatRejection> {
        match self.taken_by {
            Some(trip) if trip == command.1 => Ok(vec![SeatEvent::Released { trip }]),
            _ => Err(SeatRejection::Free),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Event)]
pub(crate) enum TripEvent {
    #[event(name = "TripRequested", version = 1)]
    Requested { seat: Id<Seat>, price: i64 },
    #[event(name = "TripBooked", version = 1)]
    Booked { ticket: String },
    #[event(name = "TripFailed", version = 1)]
    Failed { reason: String },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trip {
    pub(crate) ticket: Option<String>,
    pub(crate) failed: bool,
}

impl Aggregate for Trip {
    const TYPE: &'static str = "trip";
    type Event = TripEvent;
    type Rejection = std::convert::Infallible;
    fn evolve(&mut self, event: &TripEvent) {
        match event {
            TripEvent::Requested { .. } => {}
            TripEvent::Booked { ticket } => self.ticket = Some(ticket.clone()),
            TripEvent::Failed { .. } => self.failed = true,
        }
    }
}

/// Whatever it says happens.
#[derive(Clone, Debug)]
pub(crate) struct Note(pub(crate) Id<Trip>, pub(crate) TripEvent);

impl Command for Note {
    const NAME: &'static str = "trip.note";
    type Aggregate = Trip;
    fn target(&self) -> Id<Trip> {
        self.0
    }
}
impl Decide<Note> for Trip {
    fn decide(
        &self,
        note: &Note,
        _: &DecisionContext<'_>,
    ) -> Result<Vec<TripEvent>, std::convert::Infallible> {
        Ok(vec![note.1.clone()])
    }
}

pub(crate) const SOUND: u8 = 0;
pub(crate) const KEEPS_THE_SEAT: u8 = 1;
pub(crate) const CANNOT_RELEASE: u8 = 2;

/// The saga, sound or with a fault.
pub(crate) struct Booking<const FAULT: u8>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BookingInput {
    pub(crate) trip: Id<Trip>,
    pub(crate) seat: Id<Seat>,
    pub(crate) price: i64,
}

const RESERVE: Step<()> = Step::new("reserve");
const CHARGE: Step<String> = Step::new("charge");
const ISSUE: Step<String> = Step::new("issue");
const TELL: Step<()> = Step::new("tell");
const CLOSE: Step<()> = Step::new("close");

impl<const FAULT: u8> Saga for Booking<FAULT> {
    const NAME: &'static str = "booking";
    const VERSION: u32 = 1;
    type Trigger = TripEvent;
    type Input = BookingInput;

    fn start(event: &TripEvent, stream: &StreamId) -> Option<Start<BookingInput>> {
        let TripEvent::Requested { seat, price } = event else { return None };
        let trip = stream.id()?;
        let input = BookingInput { trip, seat: *seat, price: *price };
        Some(Start { business_key: trip.to_string(), input })
    }

    fn graph() -> SagaGraph<Self> {
        let release = local(|cx: &SagaContext<'_, Self>| match FAULT {
            KEEPS_THE_SEAT => vec![],
            CANNOT_RELEASE => vec![SagaCommand::new(ReleaseSeat(Id::derived("another"), cx.input.trip))],
            _ => vec![SagaCommand::new(ReleaseSeat(cx.input.seat, cx.input.trip))],
        });
        let reserve = local(|cx: &SagaContext<'_, Self>| {
            vec![SagaCommand::new(ReserveSeat(cx.input.seat, cx.input.trip))]
        });
        let charge = call("card", "charge", |cx: &SagaContext<'_, Self>| json!({ "price": cx.input.price }));
        let refund = call("card", "refund", |cx: &SagaContext<'_, Self>| cx.output(CHARGE));
        let issue = call("airline", "issue", |cx: &SagaContext<'_, Self>| cx.input.seat).record(
            |cx: &SagaContext<'_, Self>, result: CallResult<String>| match result {
                CallResult::Succeeded(ticket) => {
                    vec![SagaCommand::new(Note(cx.input.trip, TripEvent::Booked { ticket }))]
                }
                CallResult::Rejected { .. } => vec![],
            },
        );
        SagaGraph::new()
            .then(compensable(RESERVE, reserve).undo(release))
            .then(compensable(CHARGE, charge).undo(refund))
            .then(pivot(ISSUE, issue))
            .then(
                retriable(TELL, call("mail", "send", |cx: &SagaContext<'_, Self>| cx.input.trip)).skippable(),
            )
            .then(retriable(CLOSE, local(|_: &SagaContext<'_, Self>| vec![])))
    }

    fn ended(cx: &SagaContext<'_, Self>, end: &SagaEnd) -> Vec<SagaCommand> {
        if end.status == SagaStatus::Completed {
            return vec![];
        }
        let reason = end.reason.clone().unwrap_or_default();
        vec![SagaCommand::new(Note(cx.input.trip, TripEvent::Failed { reason }))]
    }
}

#[derive(Clone, Debug, EventSet)]
pub(crate) enum TravelEvents {
    Trip(TripEvent),
    Seat(SeatEvent),
}

/// What a traveller sees: sound, unless `LAST_WINS`, where the last event of any stream wins.
pub(crate) struct Trips<const LAST_WINS: bool>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TripView {
    pub(crate) price: i64,
    pub(crate) seated: bool,
    pub(crate) booked: bool,
    pub(crate) last: String,
}

impl View for TripView {
    const FIELDS: &'static [Field] = &[Field::integer("price")];
    fn fields(&self) -> Vec<FieldValue> {
        vec![self.price.into()]
    }
    fn removed(&self) -> bool {
        self.last == "failed"
    }
}

impl<const LAST_WINS: bool> Projection for Trips<LAST_WINS> {
    const NAME: &'static str = "trips";
    const REVISION: u32 = 1;
    type Events = TravelEvents;
    type View = TripView;

    fn key(event: &Recorded<TravelEvents>) -> Option<ViewKey> {
        let trip = match &event.event {
            TravelEvents::Trip(_) => event.id::<Trip>()?,
            TravelEvents::Seat(SeatEvent::Reserved { trip } | SeatEvent::Released { trip }) => *trip,
        };
        Some(trip.to_string().into())
    }

    fn project(view: &mut TripView, event: &Recorded<TravelEvents>) {
        match &event.event {
            TravelEvents::Trip(TripEvent::Requested { price, .. }) => view.price = *price,
            TravelEvents::Trip(TripEvent::Booked { .. }) => view.booked = true,
            TravelEvents::Trip(TripEvent::Failed { .. }) => view.last = "failed".into(),
            TravelEvents::Seat(seat) => view.seated = matches!(seat, SeatEvent::Reserved { .. }),
        }
        if LAST_WINS {
            view.last = event.envelope.event_type.to_string();
        }
    }
}

/// Counts requests: sound, unless it asks where the event stands in the log.
pub(crate) struct Requests<const BY_POSITION: bool>;

impl<const BY_POSITION: bool> CounterProjection for Requests<BY_POSITION> {
    const NAME: &'static str = "requests";
    const REVISION: u32 = 1;
    type Events = TripEvent;

    fn count(event: &Recorded<TripEvent>) -> Vec<Increment> {
        let TripEvent::Requested { price, .. } = event.event else { return vec![] };
        if BY_POSITION && event.position().get() > 1 {
            return vec![];
        }
        vec![Increment::new("requests", event.time(), 1), Increment::new("price", event.time(), price)]
    }
}
