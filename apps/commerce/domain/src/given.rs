//! Given, when, then: what the unit tests of this crate share.

use gallae_core::{
    Actor, Aggregate, ClaimChange, Command, Decide, DecisionContext, Event, EventId, Metadata, Position,
    Projection, Recorded, RecordedEvent, StoredMetadata, StreamId, Timestamp, Version, decode,
};
use std::sync::Arc;
use uuid::Uuid;

/// The time of every decision, unless a test says otherwise.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

pub(crate) fn metadata() -> Metadata {
    Metadata::new("test-1".parse().unwrap(), Actor::Anonymous, "node-1")
}

/// The state after `events`, each of which went through its stored form.
pub(crate) fn given<A: Aggregate>(events: &[A::Event]) -> A {
    let mut state = A::default();
    for event in events {
        state.evolve(&stored(event));
    }
    let snapshot = serde_json::to_vec(&state).unwrap();
    serde_json::from_slice(&snapshot).unwrap()
}

/// Decides at [`NOW`].
pub(crate) fn when<C: Command>(
    state: &C::Aggregate,
    command: &C,
) -> Result<Vec<<C::Aggregate as Aggregate>::Event>, <C::Aggregate as Aggregate>::Rejection> {
    when_at(NOW, state, command)
}

pub(crate) fn when_at<C: Command>(
    now: Timestamp,
    state: &C::Aggregate,
    command: &C,
) -> Result<Vec<<C::Aggregate as Aggregate>::Event>, <C::Aggregate as Aggregate>::Rejection> {
    state.decide(command, &DecisionContext { now, metadata: &metadata() })
}

/// Decides and folds; the number of events.
pub(crate) fn apply<C: Command>(
    state: &mut C::Aggregate,
    command: &C,
) -> Result<usize, <C::Aggregate as Aggregate>::Rejection> {
    let events = when(state, command)?;
    for event in &events {
        state.evolve(&stored(event));
    }
    Ok(events.len())
}

/// The key taken, when exactly one claim is taken.
pub(crate) fn taken(claims: &[ClaimChange]) -> Option<&str> {
    match claims {
        [ClaimChange::Take { key, .. }] => Some(key),
        _ => None,
    }
}

fn stored<E: Event>(event: &E) -> E {
    let mut payload = Vec::new();
    event.encode(&mut payload).unwrap();
    let read = decode(event.event_type().name, event.event_type().version, &payload).unwrap();
    assert_eq!(&read, event);
    read
}

/// `event` as the log would hold it at `version` of `stream`, at [`NOW`] plus `version` seconds.
pub(crate) fn recorded<E: Clone>(stream: &StreamId, version: u64, event: E) -> Recorded<E> {
    let envelope = RecordedEvent {
        position: Position::new(version),
        stream: stream.clone(),
        version: Version::new(version),
        id: EventId::new(Uuid::from_u128(version.into())),
        event_type: "Test".into(),
        schema_version: 1,
        time: NOW.after(std::time::Duration::from_secs(version)),
        metadata: StoredMetadata::encode(Arc::new(metadata())),
        payload: Vec::new().into(),
    };
    Recorded { event, envelope: Arc::new(envelope) }
}

/// The view of `P` after `events`, which must all have one key.
pub(crate) fn project<P: Projection>(events: &[Recorded<P::Events>]) -> P::View {
    let mut view = P::View::default();
    for event in events {
        assert_eq!(P::key(event), P::key(&events[0]), "one view");
        P::project(&mut view, event);
        let text = serde_json::to_vec(&view).unwrap();
        assert_eq!(serde_json::from_slice::<P::View>(&text).unwrap(), view, "a view survives its store");
    }
    view
}
