//! Reading the whole log, each event decoded and handed to a handler.

use crate::{
    Failure,
    cli::Options,
    history,
    measure::{Meter, Series},
    report::{Bound, Report},
};
use commerce_domain::{
    orders::{OrderEvent, OrderStatus},
    projections::OrderOrPaymentEvent,
};
use gallae_core::{EventSet, Position, decode_into_set};
use gallae_ports::{EventPage, EventStore};
use gallae_sqlite::SqliteLog;
use rusqlite::{Connection, OpenFlags};
use std::{collections::HashMap, path::Path};
use tokio::runtime::Runtime;

/// Events read at once.
const PAGE: usize = 1_000;

/// What the handler makes of the events: little, but of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    events: u64,
    delivered: u64,
    revenue: i64,
    last: u64,
}

impl Tally {
    fn handle(&mut self, position: u64, event: &OrderOrPaymentEvent) {
        self.events += 1;
        self.last = position;
        match event {
            OrderOrPaymentEvent::Order(OrderEvent::Created(created)) => self.revenue += created.total.amount,
            OrderOrPaymentEvent::Order(order) if order.status() == OrderStatus::Delivered => {
                self.delivered += 1
            }
            _ => {}
        }
    }
}

/// Reads the log in `folder` from beginning to end on both sides, in turns.
pub(crate) fn measure(options: &Options, runtime: &Runtime, folder: &Path) -> Result<Report, Failure> {
    eprintln!("replay");
    let log = history::open(folder)?;
    let (mut ours, mut raw) = (Series::new("", "gallae-sqlite"), Series::new("", "raw scan"));
    for turn in 0..options.turns {
        let mut tallies = [Tally::default(), Tally::default()];
        for at in [turn % 2, 1 - turn % 2] {
            let meter = Meter::start();
            let (series, tally) = match at {
                0 => (&mut ours, runtime.block_on(through_the_port(&log))?),
                _ => (&mut raw, raw_scan(&folder.join("log.db"))?),
            };
            series.samples.push(meter.sample(tally.events));
            tallies[at as usize] = tally;
        }
        if tallies[0] != tallies[1] {
            return Err(format!("the sides read different events: {tallies:?}").into());
        }
    }
    let bounds = vec![Bound::ratio("replay, to a raw scan", 0.8, ours.against(&raw))];
    Ok(Report {
        title: "Replay",
        conditions: conditions(options),
        unit: "events/s",
        series: vec![ours, raw],
        bounds,
    })
}

fn conditions(options: &Options) -> Vec<String> {
    vec![
        format!(
            "At least {} events of orders and payments, page cache warm, decoded by the same serde_json into the same enums and \
             handed to the same handler.",
            options.events
        ),
        format!(
            "gallae-sqlite: read_all through the EventStore port in pages of {PAGE}, the next page on its way while one is \
             handled; whole envelopes with stream names, ids and metadata."
        ),
        "raw scan: one statement on its own connection, on one thread; it reads position, version, type, time and payload, no \
         stream names, ids or metadata, and decodes from SQLite's own memory."
            .into(),
    ]
}

async fn through_the_port(log: &SqliteLog) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let mut page = log.read_all(Position::START, PAGE).await?;
    while let Some(last) = page.last().map(|event| event.position) {
        // The read comes first: it is on its way while this page is handled.
        let (next, handled) =
            tokio::join!(biased; log.read_all(last, PAGE), async { handle(&mut tally, &page) });
        handled?;
        page = next?;
    }
    Ok(tally)
}

fn handle(tally: &mut Tally, page: &EventPage) -> Result<(), Failure> {
    for event in page {
        if let Some(recorded) = decode_into_set::<OrderOrPaymentEvent>(event)? {
            tally.handle(recorded.position().get(), &recorded.event);
        }
    }
    Ok(())
}

fn raw_scan(file: &Path) -> Result<Tally, Failure> {
    let connection = reader(file)?;
    let types = types(&connection)?;
    let mut statement = connection
        .prepare("SELECT position, version, event_type, time, payload FROM events ORDER BY position")?;
    let mut rows = statement.query([])?;
    let mut tally = Tally::default();
    while let Some(row) = rows.next()? {
        let (position, _version, event_type): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let _time: i64 = row.get(3)?;
        let (name, schema_version) = types.get(&event_type).ok_or("an event of an unknown type")?;
        let event = OrderOrPaymentEvent::read(name, *schema_version, row.get_ref(4)?.as_blob()?)?;
        if let Some(event) = event {
            tally.handle(position.cast_unsigned(), &event);
        }
    }
    Ok(tally)
}

/// A connection of one thread that reads the log.
pub(crate) fn reader(file: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(file, flags)?)
}

/// The names behind the numbers of event types.
pub(crate) fn types(connection: &Connection) -> Result<HashMap<i64, (String, u32)>, Failure> {
    let mut statement = connection.prepare("SELECT id, name, schema_version FROM event_types")?;
    let types = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(types.collect::<Result<_, _>>()?)
}
