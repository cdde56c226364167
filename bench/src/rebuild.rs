//! Rebuilding the order view from the log.

use crate::{
    Failure,
    cli::Options,
    history,
    measure::{Meter, Series},
    replay,
    report::{Bound, Report},
};
use bytes::Bytes;
use commerce_domain::projections::{OrderOrPaymentEvent, OrderView, OrderViews};
use gallae_core::{
    EventId, EventSet, FieldValue, Position, Projection, Recorded, RecordedEvent, StoredMetadata, StreamId,
    Timestamp, Version, View, ViewKey,
};
use gallae_ports::EventStore;
use gallae_runtime::{Platform, Roles, projector};
use gallae_sqlite::{SqliteLog, views::SqliteViews};
use rusqlite::{
    Connection, OptionalExtension, Transaction, params,
    types::{ToSqlOutput, ValueRef},
};
use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Events whose changes the hand-written loop puts together.
const COALESCED: usize = 10_000;

const PATIENCE: Duration = Duration::from_secs(600);

/// The application with nothing but its order view, brought to the head of the log.
pub(crate) async fn platform(log: &Arc<SqliteLog>, views: &Arc<SqliteViews>) -> Result<Platform, Failure> {
    let registration = projector::view::<OrderViews>(views.clone());
    let roles = Roles { projector: true, ..Roles::NONE };
    let platform = Platform::builder(Arc::clone(log)).projection(registration).roles(roles).build()?;
    let head = log.head().await?;
    platform.projections().reached(OrderViews::NAME, head, PATIENCE).await?;
    Ok(platform)
}

/// Rebuilds on both sides, in turns.
pub(crate) fn measure(options: &Options, runtime: &Runtime, folder: &Path) -> Result<Report, Failure> {
    eprintln!("rebuild");
    let (log, views) = (Arc::new(history::open(folder)?), Arc::new(SqliteViews::open(folder)?));
    let platform = runtime.block_on(platform(&log, &views))?;
    let (mut ours, mut hand) = (Series::new("", "projector"), Series::new("", "hand-written"));
    for turn in 0..options.turns {
        for at in [turn % 2, 1 - turn % 2] {
            let meter = Meter::start();
            if at == 0 {
                let report = runtime.block_on(platform.projections().rebuild(OrderViews::NAME))?;
                if report.differing > 0 || report.parked > 0 {
                    return Err(format!("the rebuild found differences: {report:?}").into());
                }
                ours.samples.push(meter.sample(report.events));
            } else {
                let target = options.folder()?;
                let events = by_hand(&folder.join("log.db"), &target.path().join("views.db"))?;
                hand.samples.push(meter.sample(events));
            }
        }
    }
    runtime.block_on(platform.drain(PATIENCE));
    let bounds = vec![Bound::ratio("rebuild, to a hand-written loop", 0.5, ours.against(&hand))];
    let series = vec![ours, hand];
    Ok(Report {
        title: "Rebuild of the order view",
        conditions: conditions(options),
        unit: "events/s",
        series,
        bounds,
    })
}

fn conditions(options: &Options) -> Vec<String> {
    vec![
        format!("At least {} events, seven to a view; the same fold; the same columns and indexes in the end.", options.events),
        "projector: the whole of `rebuild`, beside the live rows: fold into a shadow, compare every row with the live ones, build \
         the indexes, switch."
            .into(),
        format!(
            "hand-written: one thread; it scans, folds {COALESCED} events in memory, reads and upserts each view once per \
             transaction, builds the indexes in the end. No live rows, nothing compared, no cursor."
        ),
        "Both: WAL, synchronous=NORMAL, cache 16 MiB, a checkpoint every 4,000 pages.".into(),
    ]
}

fn by_hand(log: &Path, target: &Path) -> Result<u64, Failure> {
    let log = replay::reader(log)?;
    let mut views = create(target)?;
    let types = replay::types(&log)?;
    let mut statement = log.prepare(
        "SELECT e.position, s.name, e.version, e.event_type, e.time, e.metadata, e.payload
         FROM events e JOIN streams s ON s.id = e.stream ORDER BY e.position",
    )?;
    let mut rows = statement.query([])?;
    let mut changes: HashMap<ViewKey, Vec<Recorded<OrderOrPaymentEvent>>> = HashMap::new();
    let (mut events, mut gathered) = (0, 0);
    while let Some(row) = rows.next()? {
        events += 1;
        let (name, schema_version) = types.get(&row.get(3)?).ok_or("an event of an unknown type")?;
        let event = OrderOrPaymentEvent::read(name, *schema_version, row.get_ref(6)?.as_blob()?)?;
        if let Some(event) = event {
            let recorded = Recorded { event, envelope: Arc::new(envelope(row)?) };
            if let Some(key) = OrderViews::key(&recorded) {
                changes.entry(key).or_default().push(recorded);
            }
        }
        gathered += 1;
        if gathered == COALESCED {
            store(&mut views, &mut changes)?;
            gathered = 0;
        }
    }
    store(&mut views, &mut changes)?;
    for field in OrderView::FIELDS {
        views.execute_batch(&format!("CREATE INDEX by_{0} ON views ({0}, key)", field.name))?;
    }
    Ok(events)
}

fn create(target: &Path) -> Result<Connection, Failure> {
    let views = Connection::open(target)?;
    views.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384;
         PRAGMA wal_autocheckpoint = 4000;
         CREATE TABLE views (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, changed_at INTEGER NOT NULL,
             user_id, status, created_at, total, document BLOB NOT NULL)",
    )?;
    Ok(views)
}

/// What the fold looks at; no id, no payload.
fn envelope(row: &rusqlite::Row<'_>) -> Result<RecordedEvent, Failure> {
    Ok(RecordedEvent {
        position: Position::new(row.get::<_, i64>(0)?.cast_unsigned()),
        stream: row.get_ref(1)?.as_str()?.parse::<StreamId>()?,
        version: Version::new(row.get::<_, i64>(2)?.cast_unsigned()),
        id: EventId::new(Uuid::nil()),
        event_type: Arc::default(),
        schema_version: 1,
        time: Timestamp::from_micros(row.get(4)?),
        metadata: StoredMetadata::from_bytes(Bytes::copy_from_slice(row.get_ref(5)?.as_blob()?)),
        payload: Bytes::new(),
    })
}

fn store(
    views: &mut Connection,
    changes: &mut HashMap<ViewKey, Vec<Recorded<OrderOrPaymentEvent>>>,
) -> Result<(), Failure> {
    let transaction = views.transaction()?;
    for (key, events) in changes.drain() {
        upsert(&transaction, &key, &events)?;
    }
    Ok(transaction.commit()?)
}

fn upsert(
    transaction: &Transaction<'_>,
    key: &ViewKey,
    events: &[Recorded<OrderOrPaymentEvent>],
) -> Result<(), Failure> {
    let mut load = transaction.prepare_cached("SELECT document FROM views WHERE key = ?1")?;
    let read = |row: &rusqlite::Row<'_>| Ok(serde_json::from_slice::<OrderView>(row.get_ref(0)?.as_blob()?));
    let mut view = load.query_row([key.as_str()], read).optional()?.transpose()?.unwrap_or_default();
    events.iter().for_each(|event| OrderViews::project(&mut view, event));
    let changed_at = events.last().map_or(0, |event| event.position().get()).cast_signed();
    let [user, status, created_at, total]: [FieldValue; 4] =
        view.fields().try_into().map_err(|_| "the view's fields are not those of the table")?;
    transaction
        .prepare_cached(
            "INSERT INTO views (key, changed_at, user_id, status, created_at, total, document) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (key) DO UPDATE SET changed_at = excluded.changed_at, user_id = excluded.user_id,
                 status = excluded.status, created_at = excluded.created_at, total = excluded.total,
                 document = excluded.document",
        )?
        .execute(params![
            key.as_str(),
            changed_at,
            column(&user),
            column(&status),
            column(&created_at),
            column(&total),
            serde_json::to_vec(&view)?
        ])?;
    Ok(())
}

fn column(value: &FieldValue) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        FieldValue::Null => ValueRef::Null,
        FieldValue::Integer(number) => ValueRef::Integer(*number),
        FieldValue::Text(text) => ValueRef::Text(text.as_bytes()),
    })
}
