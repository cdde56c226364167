//! What one append does, and refuses.

use crate::{
    Harness,
    sample::{
        NOW, append, batch, event, event_with, events, exact, later, log, record, refused, stream, take,
        uuid, write,
    },
};
use gallae_core::{
    Actor, CommandId, EventId, Metadata, Position, RecordedEvent, Timestamp, TraceContext, Version,
};
use gallae_ports::{
    AppendBatch, AppendError, Claim, EventStore, Expected, Guard, InboxEntry, MAX_APPEND_BYTES, NewEvent,
};
use std::sync::Arc;

/// Positions count across the log, versions within a stream; both start at one.
pub async fn an_append_says_where_its_events_stand<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    assert_eq!(store.head().await.unwrap(), Position::START);
    let first = append(&store, write("order-1", Expected::NoStream, 2)).await;
    assert_eq!(
        (first.position.get(), first.versions, first.replayed),
        (2, vec![Version::new(2)], false),
        "after two events in a new stream"
    );
    let both = batch().stream(stream("order-2"), Expected::NoStream, events(1)).stream(
        stream("order-1"),
        exact(2),
        events(3),
    );
    let second = append(&store, both).await;
    assert_eq!((second.position.get(), second.versions), (6, vec![Version::new(1), Version::new(5)]));
    assert_eq!(store.head().await.unwrap().get(), 6);
    assert_eq!(store.stream_head(&stream("order-1")).await.unwrap().get(), 5);
    let written: Vec<_> =
        log(&store).await.iter().map(|event| (event.stream.to_string(), event.version.get())).collect();
    let expected =
        [("order-1", 1), ("order-1", 2), ("order-2", 1), ("order-1", 3), ("order-1", 4), ("order-1", 5)];
    assert_eq!(written, expected.map(|(name, version)| (name.to_owned(), version)));
}

/// `NoStream` wants a stream without events; the conflict names the actual version.
pub async fn no_stream_refuses_a_stream_that_exists<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("order-1", Expected::NoStream, 3)).await;
    let error = refused(&store, write("order-1", Expected::NoStream, 1)).await;
    assert_conflict(&error, "order-1", Expected::NoStream, 3);
    assert_eq!(log(&store).await.len(), 3, "a refused batch writes nothing");
}

/// `Exact` wants that version and no other; the conflict names the actual one.
pub async fn an_exact_version_must_be_the_actual_one<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("order-1", exact(0), 1)).await;
    append(&store, write("order-1", exact(1), 1)).await;
    for wrong in [0, 1, 3, 1000] {
        let error = refused(&store, write("order-1", exact(wrong), 1)).await;
        assert_conflict(&error, "order-1", exact(wrong), 2);
    }
    let error = refused(&store, write("order-2", exact(1), 1)).await;
    assert_conflict(&error, "order-2", exact(1), 0);
    assert_eq!(log(&store).await.len(), 2, "refused batches write nothing");
}

/// `Any` appends at whatever version, with a record that resolves unknown outcomes.
pub async fn any_version_appends_anywhere<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    for (key, version) in [("k-1", 2), ("k-2", 4)] {
        let any =
            AppendBatch { idempotency: Some(record(key, "{}", later(60))), ..write("a-1", Expected::Any, 2) };
        assert_eq!(append(&store, any).await.versions, [Version::new(version)]);
    }
}

/// An append at any version whose outcome got lost could not be resolved.
pub async fn any_version_without_a_record_is_invalid<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let error = refused(&store, write("order-1", Expected::Any, 1)).await;
    assert!(matches!(error, AppendError::Invalid { .. }), "{error}");
    assert!(log(&store).await.is_empty());
}

/// Versions of one stream must be stated once per batch.
pub async fn a_stream_written_twice_is_invalid<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let twice = write("order-1", Expected::NoStream, 1).stream(stream("order-1"), exact(1), events(1));
    let error = refused(&store, twice).await;
    assert!(matches!(error, AppendError::Invalid { .. }), "{error}");
    assert!(log(&store).await.is_empty());
}

/// A guard makes the batch depend on a stream that it does not write.
pub async fn guards_are_checked_and_not_written<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("stock-1", Expected::NoStream, 2)).await;
    let guarded = |expected, guard| AppendBatch {
        guards: vec![
            Guard { stream: stream("none-1"), expected: Expected::NoStream },
            Guard { stream: stream("stock-1"), expected: guard },
        ],
        ..write("order-1", expected, 1)
    };
    append(&store, guarded(Expected::NoStream, exact(2))).await;
    assert_eq!(store.stream_head(&stream("stock-1")).await.unwrap().get(), 2, "a guard is not written");
    for wrong in [Expected::NoStream, exact(1), exact(3)] {
        let error = refused(&store, guarded(exact(1), wrong)).await;
        assert_conflict(&error, "stock-1", wrong, 2);
    }
    assert_eq!(log(&store).await.len(), 3);
}

/// Several streams change in one transaction.
pub async fn streams_are_written_together_or_not_at_all<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("b-1", Expected::NoStream, 1)).await;
    let both = |expected| {
        write("a-1", Expected::NoStream, 2).stream(stream("b-1"), expected, events(1)).stream(
            stream("c-1"),
            Expected::NoStream,
            events(1),
        )
    };
    let error = refused(&store, both(exact(7))).await;
    assert_conflict(&error, "b-1", exact(7), 1);
    for name in ["a-1", "c-1"] {
        assert_eq!(store.stream_head(&stream(name)).await.unwrap(), Version::NONE, "{name} was not written");
    }
    let appended = append(&store, both(exact(1))).await;
    assert_eq!((appended.position.get(), appended.versions), (5, [2, 2, 1].map(Version::new).to_vec()));
}

/// Claims, idempotency records and inbox entries commit with the events.
pub async fn records_are_written_with_the_events_or_not_at_all<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let message = || InboxEntry { consumer: "mailer".into(), message_id: "m-1".into() };
    let full = |expected| AppendBatch {
        claims: vec![Claim::Take { key: "email:kim".into(), owner: "kim".into(), expires_at: None }],
        idempotency: Some(record("k-1", "{}", later(60))),
        inbox: vec![message()],
        ..write("user-1", expected, 1)
    };
    refused(&store, full(exact(5))).await;
    assert_eq!(store.claim("email:kim", NOW).await.unwrap(), None);
    assert_eq!(store.idempotency("k-1", NOW).await.unwrap(), None);
    let inbox_only = AppendBatch { inbox: vec![message()], ..write("user-2", Expected::NoStream, 1) };
    let mut unapplied = inbox_only.clone();
    unapplied.guards.push(Guard { stream: stream("user-9"), expected: exact(1) });
    refused(&store, unapplied).await;
    append(&store, full(Expected::NoStream)).await;
    assert_eq!(store.claim("email:kim", NOW).await.unwrap().unwrap().owner, "kim");
    assert!(store.idempotency("k-1", NOW).await.unwrap().is_some());
    let error = refused(&store, inbox_only).await;
    assert!(matches!(error, AppendError::InboxDuplicate { .. }), "{error}");
}

/// There is nothing wrong with nothing to do.
pub async fn a_batch_that_writes_nothing_succeeds_at_the_head<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    assert_eq!(append(&store, batch()).await.position, Position::START);
    append(&store, write("order-1", Expected::NoStream, 3)).await;
    let appended = append(&store, batch()).await;
    assert_eq!((appended.position.get(), appended.versions, appended.replayed), (3, vec![], false));
    assert_eq!(log(&store).await.len(), 3);
}

/// A stream that is named without events is checked and stays as it is; its version is answered all the same.
pub async fn a_stream_without_events_is_a_guard<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("a-1", Expected::NoStream, 2)).await;
    let appended = append(&store, write("a-1", exact(2), 0)).await;
    assert_eq!((appended.position.get(), appended.versions), (2, vec![Version::new(2)]));
    let mixed = write("a-1", exact(2), 0).stream(stream("b-1"), Expected::NoStream, events(1));
    assert_eq!(append(&store, mixed).await.versions, [Version::new(2), Version::new(1)]);
    let error = refused(&store, write("a-1", exact(1), 0)).await;
    assert_conflict(&error, "a-1", exact(1), 2);
}

/// The limit counts every payload of the batch and the response of its record.
pub async fn a_megabyte_is_accepted_and_one_byte_more_is_refused<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let payload = |size: usize| format!("\"{}\"", "x".repeat(size - 2));
    let whole = payload(MAX_APPEND_BYTES);
    append(&store, batch().stream(stream("big-1"), Expected::NoStream, vec![event_with(whole.clone())]))
        .await;
    assert!(log(&store).await[0].payload == whole, "a megabyte comes back as it was written");

    let halves = |more: usize| vec![event_with(payload(500_000)), event_with(payload(500_000 + more))];
    append(&store, batch().stream(stream("big-2"), Expected::NoStream, halves(0))).await;
    let with_record = AppendBatch {
        idempotency: Some(record("k-1", "{}", later(60))),
        ..batch().stream(stream("big-3"), Expected::NoStream, halves(0))
    };
    let over = [(batch().stream(stream("big-3"), Expected::NoStream, halves(1)), 1), (with_record, 2)];
    for (batch, more) in over {
        let error = refused(&store, batch).await;
        let AppendError::TooLarge { size, limit } = error else { panic!("{error}") };
        assert_eq!((size, limit), (MAX_APPEND_BYTES + more, MAX_APPEND_BYTES));
    }
    assert_eq!(log(&store).await.len(), 3);
}

/// Names and payloads are bytes to the store.
pub async fn names_and_payloads_may_be_in_any_script<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    let names = [
        "주문-해리 포터 📚",
        "заказ-1",
        "order-'; DROP TABLE events; --",
        "order-%_\\\"",
        "ORDER-é",
        "order-e\u{301}",
    ];
    let payload = "{\"title\":\"해리 포터와 마법사의 돌 📚 \\u0000 \u{202e}\"}";
    for name in names {
        let event = NewEvent { event_type: "주문됨".into(), ..event_with(payload) };
        append(&store, batch().stream(stream(name), Expected::NoStream, vec![event])).await;
    }
    for name in names {
        let page = store.read_stream(&stream(name), Version::NONE, 10).await.unwrap();
        assert_eq!(page.len(), 1, "{name} is a stream of its own");
        assert_eq!(
            (page[0].stream.as_str(), &*page[0].event_type, &*page[0].payload),
            (name, "주문됨", payload.as_bytes())
        );
    }
}

/// Whatever way an event is read, it is what was written.
pub async fn every_field_of_the_envelope_survives<H: Harness<Store: EventStore>>(harness: &H) {
    let store = harness.fresh().await;
    append(&store, write("other-1", Expected::NoStream, 1)).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let metadata = Arc::new(Metadata {
        causation_id: Some(uuid()),
        command_id: Some(CommandId::new(uuid())),
        trace: Some(TraceContext::parse(trace, Some("vendor=1")).unwrap()),
        extra: [("ip".to_owned(), "::1".to_owned()), ("언어".to_owned(), "한국어".to_owned())].into(),
        ..Metadata::new("flow-9".parse().unwrap(), Actor::User(uuid()), "node-7")
    });
    let time = Timestamp::from_micros(-1_234_567);
    let new = NewEvent {
        id: EventId::new(uuid()),
        event_type: "ParcelLost".into(),
        schema_version: 7,
        payload: "{\"a\":[1,2.50,null]}".into(),
    };
    let written = AppendBatch::new(time, Arc::clone(&metadata));
    append(&store, written.stream(stream("parcel-1"), Expected::NoStream, vec![event(), new.clone()])).await;

    let after = Position::new(2);
    let read = [
        store.read_all(after, 10).await.unwrap(),
        store.read_stream(&stream("parcel-1"), Version::new(1), 10).await.unwrap(),
        store.read_correlation(&metadata.correlation_id, after, 10).await.unwrap(),
        take(&mut store.subscribe(after), 1).await,
        take(&mut store.subscribe(Position::START), 3).await.split_off(2),
    ];
    for page in read {
        assert_eq!(page.len(), 1);
        let RecordedEvent {
            position,
            stream,
            version,
            id,
            event_type,
            schema_version,
            time: at,
            payload,
            ..
        } = &*page[0];
        assert_eq!((position.get(), stream.as_str(), version.get()), (3, "parcel-1", 2));
        assert_eq!((*id, &**event_type, *schema_version, *at), (new.id, "ParcelLost", 7, time));
        assert_eq!(payload, &new.payload, "payloads come back byte by byte");
        assert_eq!(page[0].metadata.get().unwrap(), &metadata);
    }
}

/// Checks that an error is a conflict that says everything.
fn assert_conflict(error: &AppendError, name: &str, wanted: Expected, found: u64) {
    match error {
        AppendError::Conflict { stream, expected, actual } => {
            assert_eq!((stream.as_str(), *expected, actual.get()), (name, wanted, found));
        }
        other => panic!("not a conflict: {other}"),
    }
}
