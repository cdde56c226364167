//! The suite of [`SagaStore`].

use crate::{
    Harness,
    sample::{NOW, append, batch, exact, later, refused, uuid, write},
};
use gallae_core::{
    SagaId, Timestamp, Version,
    saga::{Cause, Direction, SagaStatus},
};
use gallae_ports::{
    AppendBatch, AppendError, DueTimers, EarlyMessage, EarlyWrite, EffectRow, EffectState, EventStore,
    Expected, Guard, LiveVersion, PARTITIONS, Partitions, SagaCount, SagaFilter, SagaRow, SagaStore,
    SagaWrite, TimerKind, TimerRow, TimerWrite,
};
use serde_json::json;

/// Every case of saga rows, timers and effects.
#[macro_export]
macro_rules! saga_store_suite {
    ($harness:expr) => {
        $crate::__suite! { saga_store, $harness, [
            every_field_of_a_saga_survives,
            an_id_and_a_business_key_are_taken_once,
            a_saga_moves_on_from_the_version_expected,
            a_newer_epoch_shuts_out_an_older_one,
            saga_writes_commit_with_the_events_or_not_at_all,
            sagas_are_found_by_every_filter,
            sagas_are_listed_newest_first_in_pages,
            sagas_are_counted_by_definition_and_status,
            timers_are_set_moved_and_removed,
            due_timers_come_poison_last,
            due_timers_of_some_partitions_are_alone,
            no_definition_keeps_out_the_timers_of_others,
            live_instances_are_counted_by_version,
            effects_are_kept_by_key,
            unknown_effects_of_live_instances_come_oldest_first,
            early_messages_are_kept_in_order_until_they_expire,
        ] }
    };
}

/// Whatever is known of an instance comes back.
pub async fn every_field_of_a_saga_survives<H: Harness<Store: EventStore + SagaStore>>(harness: &H) {
    let store = harness.fresh().await;
    let bare = row("bare");
    let full = SagaRow {
        definition_version: 3,
        cause: Some(Cause::UserCancel),
        step: Some("capture".into()),
        reason: Some("카드 한도 초과".into()),
        partition: 1023,
        epoch: 9,
        next_due: Some(later(1)),
        deadline: Some(later(2)),
        user: Some(uuid()),
        started_at: later(3),
        updated_at: later(4),
        ..row("full")
    };
    let both = vec![SagaWrite::Insert(bare.clone()), SagaWrite::Insert(full.clone())];
    append(&store, sagas(both)).await;
    assert_eq!(store.saga(bare.id).await.unwrap(), Some(bare));
    assert_eq!(store.saga(full.id).await.unwrap(), Some(full.clone()));
    assert_eq!(store.saga(SagaId::new(uuid())).await.unwrap(), None);

    for status in SagaStatus::ALL {
        for cause in Cause::ALL {
            let row = SagaRow { status: *status, cause: Some(*cause), ..full.clone() };
            let update = SagaWrite::Update { row: row.clone(), expected: row.version };
            append(&store, sagas(vec![update])).await;
            assert_eq!(store.saga(row.id).await.unwrap(), Some(row));
        }
    }
}

/// One instance per definition and business key.
pub async fn an_id_and_a_business_key_are_taken_once<H: Harness<Store: EventStore + SagaStore>>(harness: &H) {
    let store = harness.fresh().await;
    let first = row("order-1");
    append(&store, sagas(vec![SagaWrite::Insert(first.clone())])).await;
    let same_id = SagaRow { business_key: "order-2".into(), ..first.clone() };
    let same_key = SagaRow { id: SagaId::new(uuid()), ..first.clone() };
    for taken in [same_id, same_key] {
        let error = refused(&store, sagas(vec![SagaWrite::Insert(taken.clone())])).await;
        assert!(matches!(error, AppendError::SagaConflict { saga } if saga == taken.id), "{error}");
    }
    let other = SagaRow { id: SagaId::new(uuid()), definition: "refund".into(), ..first.clone() };
    append(&store, sagas(vec![SagaWrite::Insert(other)])).await;
    assert_eq!(store.sagas(&SagaFilter::default(), 0, 10).await.unwrap().1, 2);
    assert_eq!(store.saga(first.id).await.unwrap(), Some(first));
}

/// The version makes sure that nobody moves an instance on twice.
pub async fn a_saga_moves_on_from_the_version_expected<H: Harness<Store: EventStore + SagaStore>>(
    harness: &H,
) {
    let store = harness.fresh().await;
    let first = row("order-1");
    append(&store, sagas(vec![SagaWrite::Insert(first.clone())])).await;
    let second = SagaRow { version: Version::new(2), status: SagaStatus::Waiting, ..first.clone() };
    let update =
        |expected| sagas(vec![SagaWrite::Update { row: second.clone(), expected: Version::new(expected) }]);
    append(&store, update(1)).await;
    assert_eq!(store.saga(first.id).await.unwrap().as_ref(), Some(&second));
    for stale in [0, 1, 3] {
        let error = refused(&store, update(stale)).await;
        assert!(matches!(error, AppendError::SagaConflict { saga } if saga == first.id), "{error}");
    }
    let unknown = SagaRow { id: SagaId::new(uuid()), ..row("order-2") };
    let missing = SagaWrite::Update { row: unknown.clone(), expected: unknown.version };
    let error = refused(&store, sagas(vec![missing])).await;
    assert!(matches!(error, AppendError::SagaConflict { saga } if saga == unknown.id), "{error}");
}

/// A writer under an older lease is too late, even at the right version.
pub async fn a_newer_epoch_shuts_out_an_older_one<H: Harness<Store: EventStore + SagaStore>>(harness: &H) {
    let store = harness.fresh().await;
    let first = SagaRow { epoch: 5, ..row("order-1") };
    append(&store, sagas(vec![SagaWrite::Insert(first.clone())])).await;
    let move_on = |epoch| {
        let row = SagaRow { epoch, ..first.clone() };
        sagas(vec![SagaWrite::Update { row, expected: first.version }])
    };
    for (epoch, accepted) in [(4, false), (5, true), (7, true), (6, false), (5, false)] {
        match store.append(move_on(epoch)).await {
            Ok(_) => assert!(accepted, "epoch {epoch}"),
            Err(AppendError::SagaConflict { .. }) => assert!(!accepted, "epoch {epoch}"),
            Err(other) => panic!("epoch {epoch}: {other}"),
        }
    }
    assert_eq!(store.saga(first.id).await.unwrap().unwrap().epoch, 7);
}

/// A refused stream keeps rows, timers and effects as they were, and a refused row keeps the stream.
pub async fn saga_writes_commit_with_the_events_or_not_at_all<H: Harness<Store: EventStore + SagaStore>>(
    harness: &H,
) {
    let store = harness.fresh().await;
    let saga = row("order-1");
    let full = |guards| AppendBatch {
        guards,
        sagas: vec![SagaWrite::Insert(saga.clone())],
        timers: vec![TimerWrite::Set(timer(saga.id, "resume", later(1), 0))],
        effects: vec![effect(saga.id, "e-1", NOW)],
        ..write("saga-1", Expected::NoStream, 1)
    };
    let stream = crate::sample::stream("saga-1");
    refused(&store, full(vec![Guard { stream: stream.clone(), expected: exact(9) }])).await;
    assert_eq!(store.saga(saga.id).await.unwrap(), None);
    assert_eq!(store.next_timer(&Partitions::ALL).await.unwrap(), None);
    assert!(store.effects(saga.id).await.unwrap().is_empty());

    append(&store, full(vec![])).await;
    assert!(store.saga(saga.id).await.unwrap().is_some());
    assert_eq!(store.next_timer(&Partitions::ALL).await.unwrap(), Some(later(1)));
    assert_eq!(store.effects(saga.id).await.unwrap().len(), 1);

    let too_late = AppendBatch {
        sagas: vec![SagaWrite::Update { row: saga.clone(), expected: Version::new(99) }],
        timers: vec![TimerWrite::RemoveAll { saga: saga.id }],
        ..write("saga-1", exact(1), 1)
    };
    refused(&store, too_late).await;
    assert_eq!(store.stream_head(&stream).await.unwrap(), Version::new(1));
    assert_eq!(store.timers(saga.id).await.unwrap().len(), 1);
}

/// Each filter alone, and all together.
pub async fn sagas_are_found_by_every_filter<H: Harness<Store: EventStore + SagaStore>>(harness: &H) {
    let store = harness.fresh().await;
    let (kim, lee) = (uuid(), uuid());
    let odd = SagaRow {
        definition: "refund".into(),
        status: SagaStatus::Stuck,
        step: Some("void".into()),
        correlation_id: "flow-odd".parse().unwrap(),
        user: Some(lee),
        updated_at: later(100),
        partition: 200,
        ..row("order-odd")
    };
    let mut rows: Vec<SagaRow> = (0..3)
        .map(|n| SagaRow {
            step: Some("capture".into()),
            user: Some(kim),
            updated_at: later(200 + n),
            ..row(&format!("order-{n}"))
        })
        .collect();
    rows.push(odd.clone());
    append(&store, sagas(rows.into_iter().map(SagaWrite::Insert).collect())).await;

    let any = SagaFilter::default();
    let filters = [
        SagaFilter { definition: Some("refund".into()), ..any.clone() },
        SagaFilter { statuses: vec![SagaStatus::Stuck, SagaStatus::Paused], ..any.clone() },
        SagaFilter { step: Some("void".into()), ..any.clone() },
        SagaFilter { correlation_id: Some("flow-odd".parse().unwrap()), ..any.clone() },
        SagaFilter { business_key: Some("order-odd".into()), ..any.clone() },
        SagaFilter { user: Some(lee), ..any.clone() },
        SagaFilter { updated_before: Some(later(150)), ..any.clone() },
        SagaFilter {
            definition: Some("refund".into()),
            statuses: vec![SagaStatus::Stuck],
            step: Some("void".into()),
            correlation_id: Some("flow-odd".parse().unwrap()),
            business_key: Some("order-odd".into()),
            user: Some(lee),
            updated_before: Some(later(150)),
            partitions: Some([200].into_iter().collect()),
        },
        SagaFilter { partitions: Some([3, 200, 255].into_iter().collect()), ..any.clone() },
    ];
    for filter in filters {
        let (found, total) = store.sagas(&filter, 0, 10).await.unwrap();
        assert_eq!((found, total), (vec![odd.clone()], 1), "{filter:?}");
    }
    assert_eq!(store.sagas(&any, 0, 10).await.unwrap().1, 4);
    let both = SagaFilter { statuses: vec![SagaStatus::Stuck, SagaStatus::Running], ..any.clone() };
    assert_eq!(store.sagas(&both, 0, 10).await.unwrap().1, 4);
    let nowhere = SagaFilter { partitions: Some(Partitions::NONE), ..any.clone() };
    assert_eq!(store.sagas(&nowhere, 0, 10).await.unwrap(), (vec![], 0));
    let none = SagaFilter { definition: Some("refund".into()), user: Some(kim), ..any };
    assert_eq!(store.sagas(&none, 0, 10).await.unwrap(), (vec![], 0));
}

/// The one that began last comes first, whenever it last moved.
pub async fn sagas_are_listed_newest_first_in_pages<H: Harness<Store: EventStore + SagaStore>>(harness: &H) {
    let store = harness.fresh().await;
    let order = [3, 0, 4, 1, 2];
    let rows = order.map(|n| SagaRow {
        started_at: later(n),
        updated_at: later(100 - n),
        ..row(&format!("order-{n}"))
    });
    append(&store, sagas(rows.into_iter().map(SagaWrite::Insert).collect())).await;
    let page = async |offset, limit| {
        let (found, total) = store.sagas(&SagaFilter::default(), offset, limit).await.unwrap();
        assert_eq!(total, 5, "the total does not depend on the page");
        found.into_iter().map(|row| row.business_key).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 2).await, ["order-4", "order-3"]);
    assert_eq!(page(2, 2).await, ["order-2", "order-1"]);
    assert_eq!(page(4, 2).await, ["order-0"]);
    assert!(page(5, 2).await.is_empty());
}

/// What the dashboard of sagas shows.
pub async fn sagas_are_counted_by_definition_and_status<H: Harness<Store: EventStore + SagaStore>>(
    harness: &H,
) {
    let store = harness.fresh().await;
    assert!(store.saga_counts().await.unwrap().is_empty());
    let rows = [
        ("checkout", SagaStatus::Running, 5),
        ("checkout", SagaStatus::Running, 3),
        ("checkout", SagaStatus::Completed, 1),
        ("refund", SagaStatus::Running, 9),
    ];
    let rows = rows.into_iter().enumerate().map(|(n, (definition, status, moved))| {
        let updated_at = later(moved);
        SagaRow { definition: definition.into(), status, updated_at, ..row(&format!("order-{n}")) }
    });
    append(&store, sagas(rows.map(SagaWrite::Insert).collect())).await;
    let mut counts = store.saga_counts().await.unwrap();
    counts.sort_by_key(|count| (count.definition.clone(), count.status));
    let count = |definition: &str, status, count, oldest| SagaCount {
        definition: definition.into(),
        status,
        count,
        oldest: later(oldest),
    };
    let expected = [
        count("checkout", SagaStatus::Running, 2, 3),
        count("checkout", SagaStatus::Completed, 1, 1),
        count("refund", SagaStatus::Running, 1, 9),
    ];
    assert_eq!(counts, expected);
}

/// A timer is known by its instance and name; writes are applied in their order.
pub async fn timers_are_set_moved_and_removed<H: Harness<Store: EventStore + SagaStore>>(harness: &H) {
    let store = harness.fresh().await;
    let (a, b) = (row("a"), row("b"));
    let both = [&a, &b].map(|row| SagaWrite::Insert(row.clone())).to_vec();
    append(&store, sagas(both)).await;
    assert_eq!(store.next_timer(&Partitions::ALL).await.unwrap(), None);
    let all_kinds = TimerKind::ALL.map(|kind| TimerRow { kind, ..timer(a.id, kind.as_str(), later(50), 2) });
    let mut set: Vec<TimerWrite> = all_kinds.iter().cloned().map(TimerWrite::Set).collect();
    set.push(TimerWrite::Set(timer(b.id, "retry", later(20), 0)));
    append(&store, timers(set)).await;
    assert_eq!(named(&store, a.id).await, sorted(all_kinds.to_vec()));
    assert_eq!(store.next_timer(&Partitions::ALL).await.unwrap(), Some(later(20)));

    let moved = TimerRow { fail_count: 3, ..timer(a.id, "retry", later(10), 0) };
    append(&store, timers(vec![TimerWrite::Set(moved.clone())])).await;
    assert!(named(&store, a.id).await.contains(&moved), "setting a timer again moves it");
    assert_eq!(named(&store, a.id).await.len(), TimerKind::ALL.len());
    assert_eq!(store.next_timer(&Partitions::ALL).await.unwrap(), Some(later(10)));

    let remove = |saga, name: &str| TimerWrite::Remove { saga, timer: name.into() };
    append(&store, timers(vec![remove(a.id, "retry"), remove(a.id, "unknown")])).await;
    assert_eq!(named(&store, a.id).await.len(), TimerKind::ALL.len() - 1);
    assert_eq!(named(&store, b.id).await.len(), 1, "the timer of the same name of another instance stays");

    let fresh = timer(a.id, "resume", later(70), 0);
    append(&store, timers(vec![TimerWrite::RemoveAll { saga: a.id }, TimerWrite::Set(fresh.clone())])).await;
    assert_eq!(named(&store, a.id).await, [fresh]);
    assert_eq!(named(&store, b.id).await.len(), 1);
}

/// A timer that keeps failing must not stand in the way of the others.
pub async fn due_timers_come_poison_last<H: Harness<Store: EventStore + SagaStore>>(harness: &H) {
    let store = harness.fresh().await;
    let saga = row("a");
    append(&store, sagas(vec![SagaWrite::Insert(saga.clone())])).await;
    let set = [("poison", 1, 5), ("late", 9, 0), ("failed", 2, 1), ("early", 3, 0), ("future", 11, 0)]
        .map(|(name, at, fails)| TimerWrite::Set(timer(saga.id, name, later(at), fails)));
    append(&store, timers(set.to_vec())).await;
    let due = async |now, limit| {
        let due = store.due_timers(&all_due(now, limit)).await.unwrap();
        due.into_iter().map(|timer| timer.timer).collect::<Vec<_>>()
    };
    assert_eq!(due(later(10), 10).await, ["early", "late", "failed", "poison"]);
    assert_eq!(due(later(10), 3).await, ["early", "late", "failed"]);
    assert_eq!(due(later(11), 10).await.len(), 5, "a timer is due at its time");
    assert!(due(NOW, 10).await.is_empty());
}

/// A node looks at the partitions that it owns.
pub async fn due_timers_of_some_partitions_are_alone<H: Harness<Store: EventStore + SagaStore>>(harness: &H) {
    let store = harness.fresh().await;
    let saga = row("a");
    append(&store, sagas(vec![SagaWrite::Insert(saga.clone())])).await;
    let placed = (0..PARTITIONS).map(|partition| TimerRow {
        partition,
        ..timer(saga.id, &format!("t-{partition:03}"), later(u64::from(PARTITIONS - partition)), 0)
    });
    append(&store, timers(placed.map(TimerWrite::Set).collect())).await;
    let some: Partitions = [0, 63, 64, 255].into_iter().collect();
    let due = store.due_timers(&DueTimers { partitions: some, ..all_due(later(1_000), 10) }).await.unwrap();
    let names: Vec<_> = due.iter().map(|timer| timer.timer.as_str()).collect();
    assert_eq!(names, ["t-255", "t-064", "t-063", "t-000"]);
    assert_eq!(store.next_timer(&some).await.unwrap(), Some(later(1)));
    assert_eq!(store.next_timer(&[7, 9].into_iter().collect()).await.unwrap(), Some(later(247)));
    assert_eq!(store.next_timer(&Partitions::NONE).await.unwrap(), None);
    assert_eq!(store.due_timers(&all_due(later(1_000), 1_000)).await.unwrap().len(), 256);
}

/// However many timers one definition has, those of others are among the ones found.
pub async fn no_definition_keeps_out_the_timers_of_others<H: Harness<Store: EventStore + SagaStore>>(
    harness: &H,
) {
    let store = harness.fresh().await;
    let (busy, calm) = (row("a"), SagaRow { definition: "refund".into(), ..row("a") });
    append(&store, sagas([&busy, &calm].map(|row| SagaWrite::Insert(row.clone())).to_vec())).await;
    let mut set: Vec<_> =
        (1..=5).map(|n| TimerWrite::Set(timer(busy.id, &format!("busy-{n}"), later(n), 0))).collect();
    set.push(TimerWrite::Set(timer(calm.id, "calm", later(9), 0)));
    append(&store, timers(set)).await;
    let due = |per_definition, limit| DueTimers { per_definition, ..all_due(later(10), limit) };
    let names = async |wanted: DueTimers| {
        let due = store.due_timers(&wanted).await.unwrap();
        due.into_iter().map(|timer| timer.timer).collect::<Vec<_>>()
    };
    assert_eq!(names(due(2, 10)).await, ["busy-1", "busy-2", "calm"]);
    assert_eq!(names(due(2, 2)).await, ["busy-1", "busy-2"]);
    assert_eq!(names(due(9, 5)).await.len(), 5);
}

/// What a release must be able to run.
pub async fn live_instances_are_counted_by_version<H: Harness<Store: EventStore + SagaStore>>(harness: &H) {
    let store = harness.fresh().await;
    assert!(store.live_versions().await.unwrap().is_empty());
    let rows = SagaStatus::ALL.iter().enumerate().map(|(n, status)| SagaRow {
        status: *status,
        definition_version: 1 + u32::from(*status == SagaStatus::Stuck),
        definition_hash: if *status == SagaStatus::Paused { "other" } else { "hash" }.into(),
        ..row(&format!("order-{n}"))
    });
    append(&store, sagas(rows.map(SagaWrite::Insert).collect())).await;
    let mut live = store.live_versions().await.unwrap();
    live.sort_by_key(|live| (live.version, live.hash.clone()));
    let expected = [(1, "hash", 3), (1, "other", 1), (2, "hash", 1)].map(|(version, hash, count)| {
        LiveVersion { definition: "checkout".into(), version, hash: hash.into(), count }
    });
    assert_eq!(live, expected);
}

/// An effect is inserted at its first dispatch and replaced by what becomes known of it.
pub async fn effects_are_kept_by_key<H: Harness<Store: EventStore + SagaStore>>(harness: &H) {
    let store = harness.fresh().await;
    let saga = row("a");
    let (first, second) = (effect(saga.id, "e-z", NOW), effect(saga.id, "e-a", later(1)));
    let foreign = effect(SagaId::new(uuid()), "e-f", NOW);
    let write = |effects| AppendBatch { effects, ..batch() };
    append(&store, sagas(vec![SagaWrite::Insert(saga.clone())])).await;
    append(&store, write(vec![second.clone(), first.clone(), foreign])).await;
    assert_eq!(store.effects(saga.id).await.unwrap(), [first.clone(), second.clone()]);
    for state in EffectState::ALL {
        let known = EffectRow {
            state,
            direction: Direction::Undo,
            attempts: 4,
            epoch: 8,
            response: Some(json!({"authorisation": "대기", "amounts": [1, 2.5, null]})),
            ..first.clone()
        };
        append(&store, write(vec![known.clone()])).await;
        assert_eq!(store.effects(saga.id).await.unwrap(), [known, second.clone()]);
    }
}

/// What nobody knows the outcome of, as long as somebody may still want to know.
pub async fn unknown_effects_of_live_instances_come_oldest_first<
    H: Harness<Store: EventStore + SagaStore>,
>(
    harness: &H,
) {
    let store = harness.fresh().await;
    let (lives, ended) = (row("a"), SagaRow { status: SagaStatus::Abandoned, ..row("b") });
    append(&store, sagas([&lives, &ended].map(|row| SagaWrite::Insert(row.clone())).to_vec())).await;
    let unknown = |saga, key: &str, at| EffectRow { state: EffectState::Unknown, ..effect(saga, key, at) };
    let (late, early) = (unknown(lives.id, "late", later(5)), unknown(lives.id, "early", later(1)));
    let effects =
        vec![late.clone(), early.clone(), unknown(ended.id, "over", NOW), effect(lives.id, "sent", NOW)];
    append(&store, AppendBatch { effects, ..batch() }).await;
    assert_eq!(store.unknown_effects(10).await.unwrap(), (vec![early.clone(), late], 2));
    assert_eq!(store.unknown_effects(1).await.unwrap(), (vec![early.clone()], 2));
    let known = EffectRow { state: EffectState::Executed, ..early };
    append(&store, AppendBatch { effects: vec![known], ..batch() }).await;
    assert_eq!(store.unknown_effects(0).await.unwrap(), (vec![], 1));
}

/// For an instance that has not begun. They commit with the events or not at all, and are purged when they have expired.
pub async fn early_messages_are_kept_in_order_until_they_expire<H: Harness<Store: EventStore + SagaStore>>(
    harness: &H,
) {
    let store = harness.fresh().await;
    let (saga, other) = (SagaId::new(uuid()), SagaId::new(uuid()));
    let message = |saga, id: &str, at| EarlyMessage {
        saga,
        message_id: id.into(),
        signal: "paid".into(),
        payload: json!({"금액": 1, "id": id}),
        expires_at: later(at),
    };
    let (second, first) = (message(saga, "a", 10), message(saga, "z", 20));
    let put = |messages: Vec<EarlyMessage>| AppendBatch {
        early: messages.into_iter().map(EarlyWrite::Put).collect(),
        ..batch()
    };
    append(&store, put(vec![first.clone()])).await;
    append(&store, put(vec![second.clone(), message(other, "a", 10)])).await;
    assert_eq!(store.early_messages(saga, NOW).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(store.early_messages(saga, later(10)).await.unwrap(), std::slice::from_ref(&first));

    let changed = EarlyMessage { payload: json!(7), ..first.clone() };
    append(&store, put(vec![changed.clone()])).await;
    assert_eq!(
        store.early_messages(saga, NOW).await.unwrap(),
        [changed.clone(), second.clone()],
        "in its place"
    );

    let guards = vec![Guard { stream: crate::sample::stream("saga-1"), expected: exact(9) }];
    refused(&store, AppendBatch { guards, ..put(vec![message(saga, "b", 30)]) }).await;
    assert_eq!(store.early_messages(saga, NOW).await.unwrap().len(), 2);

    let remove = |id: &str| EarlyWrite::Remove { saga, message_id: id.into() };
    append(&store, AppendBatch { early: vec![remove("z"), remove("unknown")], ..batch() }).await;
    assert_eq!(store.early_messages(saga, NOW).await.unwrap(), [second]);
    assert_eq!(store.purge(later(11), 10).await.unwrap(), 2);
    assert!(store.early_messages(saga, NOW).await.unwrap().is_empty());
    assert!(store.early_messages(other, NOW).await.unwrap().is_empty());
}

fn all_due(now: Timestamp, limit: usize) -> DueTimers {
    DueTimers { now, partitions: Partitions::ALL, per_definition: limit, limit }
}

fn sagas(sagas: Vec<SagaWrite>) -> AppendBatch {
    AppendBatch { sagas, ..batch() }
}

fn timers(timers: Vec<TimerWrite>) -> AppendBatch {
    AppendBatch { timers, ..batch() }
}

fn row(key: &str) -> SagaRow {
    SagaRow {
        id: SagaId::new(uuid()),
        definition: "checkout".into(),
        definition_version: 1,
        definition_hash: "hash".into(),
        business_key: key.into(),
        status: SagaStatus::Running,
        cause: None,
        step: None,
        reason: None,
        version: Version::new(1),
        partition: 7,
        epoch: 0,
        next_due: None,
        deadline: None,
        correlation_id: "flow-1".parse().expect("a correlation id"),
        user: None,
        started_at: NOW,
        updated_at: NOW,
    }
}

fn timer(saga: SagaId, name: &str, fire_at: Timestamp, fail_count: u32) -> TimerRow {
    TimerRow { saga, timer: name.into(), partition: 7, kind: TimerKind::Retry, fire_at, fail_count }
}

fn effect(saga: SagaId, key: &str, first_sent_at: Timestamp) -> EffectRow {
    EffectRow {
        key: key.into(),
        saga,
        step: "capture".into(),
        direction: Direction::Do,
        request_hash: "request".into(),
        state: EffectState::Sent,
        first_sent_at,
        attempts: 1,
        response: None,
        epoch: 1,
    }
}

async fn named(store: &impl SagaStore, saga: SagaId) -> Vec<TimerRow> {
    sorted(store.timers(saga).await.unwrap())
}

fn sorted(mut timers: Vec<TimerRow>) -> Vec<TimerRow> {
    timers.sort_by(|a, b| a.timer.cmp(&b.timer));
    timers
}
