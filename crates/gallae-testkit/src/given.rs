//! Given what has happened, when a command comes, then this is decided.

use crate::{NOW, difference::difference, metadata};
use gallae_core::{
    Aggregate, ClaimChange, Command, Decide, DecisionContext, Event, Metadata, Rejection, Timestamp, decode,
};

/// Starts from an aggregate to which `events` have happened. Each goes through its stored form, and the state through its
/// snapshot's.
#[track_caller]
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let mut given = Given { state: A::default(), now: NOW, metadata: metadata() };
    given.fold(&events.into_iter().collect::<Vec<_>>());
    given
}

/// An aggregate with a past.
#[derive(Clone, Debug)]
#[must_use = "nothing is tested before `when` and `then`"]
pub struct Given<A: Aggregate> {
    state: A,
    now: Timestamp,
    metadata: Metadata,
}

impl<A: Aggregate> Given<A> {
    /// Decides at this time; at [`NOW`] otherwise.
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// Decides with this metadata, such as another actor.
    pub fn with(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// The state, for what no event shows.
    pub fn state(&self) -> &A {
        &self.state
    }

    /// Sends it a command.
    #[track_caller]
    pub fn when<C: Command<Aggregate = A>>(self, command: C) -> When<A>
    where
        A: Decide<C>,
    {
        let cx = DecisionContext { now: self.now, metadata: &self.metadata };
        let decided = self.state.decide(&command, &cx);
        let again = self.state.decide(&command, &cx);
        if let (Ok(first), Ok(second)) = (&decided, &again)
            && let Some(difference) = difference(first, second)
        {
            panic!("{} was decided twice on one state, and differently:\n{difference}", C::NAME);
        }
        let happens = decided.as_ref().is_ok_and(|events| !events.is_empty());
        let claims = if happens { command.claims(&self.state) } else { Vec::new() };
        When { given: self, command: format!("{command:?}"), decided, claims }
    }

    #[track_caller]
    fn fold(&mut self, events: &[A::Event]) {
        for event in events {
            self.state.evolve(&stored(event));
        }
        let snapshot = serde_json::to_vec(&self.state).and_then(|json| serde_json::from_slice(&json));
        self.state = snapshot
            .unwrap_or_else(|error| panic!("the state of {} does not survive a snapshot: {error}", A::TYPE));
    }
}

/// A decision, to be judged.
#[derive(Debug)]
#[must_use = "nothing is tested before a `then`"]
pub struct When<A: Aggregate> {
    given: Given<A>,
    command: String,
    decided: Result<Vec<A::Event>, A::Rejection>,
    claims: Vec<ClaimChange>,
}

impl<A: Aggregate> When<A> {
    /// It was accepted, and exactly this happened. What is returned has it in its past, for the next command.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> Then<A> {
        let expected: Vec<_> = expected.into_iter().collect();
        let Self { mut given, command, decided, claims } = self;
        match decided {
            Ok(events) => {
                if events != expected {
                    let shown = difference(&expected, &events).unwrap_or_else(|| format!("  + {events:?}\n"));
                    panic!("{command} decided other events (- expected, + decided):\n{shown}");
                }
                given.fold(&events);
                Then { given, claims }
            }
            Err(rejection) => panic!(
                "{command} was rejected with {}: {rejection}\n  expected {expected:#?}",
                rejection.code()
            ),
        }
    }

    /// It was accepted, and there was nothing to do.
    #[track_caller]
    pub fn then_nothing(self) {
        self.then([]);
    }

    /// It was rejected like this.
    #[track_caller]
    pub fn then_rejected(self, expected: A::Rejection)
    where
        A::Rejection: PartialEq,
    {
        let rejection = self.rejection();
        if rejection != expected {
            let shown = difference(&expected, &rejection).unwrap_or_default();
            panic!("it was rejected for another reason (- expected, + given):\n{shown}");
        }
    }

    /// It was rejected with this stable code.
    #[track_caller]
    pub fn then_rejected_with_code(self, code: &str) {
        let rejection = self.rejection();
        assert_eq!(rejection.code(), code, "it was rejected for another reason: {rejection}");
    }

    #[track_caller]
    fn rejection(self) -> A::Rejection {
        match self.decided {
            Ok(events) => panic!("{} was accepted and decided {events:#?}", self.command),
            Err(rejection) => rejection,
        }
    }
}

/// A decision that was as expected.
#[derive(Debug)]
pub struct Then<A: Aggregate> {
    given: Given<A>,
    claims: Vec<ClaimChange>,
}

impl<A: Aggregate> Then<A> {
    /// It takes and gives back exactly these unique keys.
    #[track_caller]
    pub fn claiming(self, expected: impl IntoIterator<Item = ClaimChange>) -> Self {
        let expected: Vec<_> = expected.into_iter().collect();
        if let Some(shown) = difference(&expected, &self.claims) {
            panic!("other keys were claimed (- expected, + claimed):\n{shown}");
        }
        self
    }

    /// The aggregate with what was decided in its past.
    pub fn and(self) -> Given<A> {
        self.given
    }

    /// The state after it.
    pub fn state(&self) -> &A {
        &self.given.state
    }
}

#[track_caller]
fn stored<E: Event>(event: &E) -> E {
    let kind = event.event_type();
    let mut payload = Vec::new();
    let written = event.encode(&mut payload).map_err(|error| error.source.to_string());
    let read = written
        .and_then(|()| decode::<E>(kind.name, kind.version, &payload).map_err(|error| chain(&error)))
        .unwrap_or_else(|error| panic!("{kind} does not survive being stored: {error}"));
    if read != *event {
        let shown = difference(event, &read).unwrap_or_default();
        panic!("{kind} comes back from the log changed (- written, + read):\n{shown}");
    }
    read
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}
