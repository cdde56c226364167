//! A process that appends is killed at random moments; whatever it had acknowledged is there, whole and in its place.
//!
//! `GALLAE_TIER=nightly` kills it 200 times instead of 20; `GALLAE_SEED` repeats a run that failed.

mod support;

use gallae_core::{Position, RecordedEvent, StreamId, Version};
use gallae_ports::{AppendBatch, CheckDepth, EventStore, Expected, IdempotencyRecord};
use gallae_sqlite::SqliteLog;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    env,
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};
use support::{batch, event, everything, new_uuid, now, open};

const DIRECTORY: &str = "GALLAE_CRASH_DIRECTORY";
const SEED: &str = "GALLAE_SEED";
const CHILD: &str = "appends_until_it_is_killed";
const APPENDERS: u64 = 8;

/// A directory is used this often before a new one, so that the check of everything stays short.
const ROUNDS_PER_DIRECTORY: u32 = 20;

/// What the payload of every event says about its batch.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    batch: String,
    of: usize,
}

/// A batch as the killed process saw it acknowledged.
#[derive(Debug, Serialize, Deserialize)]
struct Acknowledged {
    last: Position,
    events: Vec<(StreamId, Version, String)>,
}

#[test]
#[expect(clippy::print_stdout, reason = "shown when the test fails")]
fn nothing_acknowledged_is_lost_to_a_crash() {
    let rounds = if env::var("GALLAE_TIER").is_ok_and(|tier| tier == "nightly") { 200 } else { 20 };
    let seed = env::var(SEED).map_or_else(|_| RandomState::new().hash_one(0), |text| text.parse().unwrap());
    println!("{SEED}={seed}");
    let mut random = Random(seed);
    let mut directory = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        if round % ROUNDS_PER_DIRECTORY == 0 {
            directory = tempfile::tempdir().unwrap();
            acknowledged.clear();
        }
        let before = acknowledged.len();
        acknowledged.extend(run_and_kill(directory.path(), &mut random));
        assert!(acknowledged.len() > before, "round {round}: nothing was acknowledged");
        verify(directory.path(), &acknowledged);
    }
}

/// Starts the child, kills it a random while after its first acknowledgement, and returns all that it got out.
fn run_and_kill(directory: &Path, random: &mut Random) -> Vec<Acknowledged> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", CHILD, "--nocapture"])
        .env(DIRECTORY, directory)
        .env(SEED, random.next().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (first, started) = mpsc::channel();
    let reading = thread::spawn(move || {
        let mut acknowledged = Vec::new();
        // A line without an end was not written whole: it was never acknowledged to anybody.
        for line in output.split(b'\n').map_while(Result::ok) {
            if let Some(line) = line.strip_prefix(b"ack ")
                && let Ok(ack) = serde_json::from_slice(line)
            {
                acknowledged.push(ack);
                let _ = first.send(());
            }
        }
        acknowledged
    });
    let begun = started.recv_timeout(Duration::from_secs(60));
    thread::sleep(Duration::from_micros(random.below(60_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    begun.expect("the process did not begin to append");
    reading.join().unwrap()
}

#[tokio::main]
async fn verify(directory: &Path, acknowledged: &[Acknowledged]) {
    let log = open(directory);
    let report = log.check(CheckDepth::Full).await.unwrap();
    assert_eq!(report.damage, Vec::<String>::new());
    // Reading refuses a gap, so this is dense; position n stands at n - 1.
    let events = everything(&log).await;
    assert_eq!(report.events, events.len() as u64);
    for Acknowledged { last, events: wanted } in acknowledged {
        let first = last.get() as usize - wanted.len();
        for (event, wanted) in events[first..].iter().zip(wanted) {
            let found = (event.stream.clone(), event.version, event.id.to_string());
            assert_eq!(&found, wanted, "at position {}", event.position);
        }
        assert!(events.len() as u64 >= last.get(), "position {last} was acknowledged");
    }
    verify_whole_batches(directory, &log, &events).await;
}

/// Every batch is there with all its events, side by side, and with its record; and no record is there without its batch.
async fn verify_whole_batches(directory: &Path, log: &SqliteLog, events: &[Arc<RecordedEvent>]) {
    let mut batches: HashMap<String, (usize, Vec<Position>)> = HashMap::new();
    for event in events {
        let marker: Marker = serde_json::from_slice(&event.payload).unwrap();
        let batch = batches.entry(marker.batch).or_insert((marker.of, Vec::new()));
        batch.1.push(event.position);
    }
    let mut records = 0;
    for (batch, (of, positions)) in &batches {
        let (first, last) = (positions[0], positions[positions.len() - 1]);
        assert_eq!((positions.len(), last), (*of, first.plus(*of as u64 - 1)), "batch {batch} is torn");
        if *of > 1 {
            records += 1;
            assert!(log.idempotency(batch, now()).await.unwrap().is_some(), "batch {batch} has no record");
        }
    }
    let database = rusqlite::Connection::open(directory.join("log.db")).unwrap();
    let stored: i64 = database.query_row("SELECT count(*) FROM idempotency", [], |row| row.get(0)).unwrap();
    assert_eq!(stored as usize, records, "records without their batch");
}

/// The process that is killed. Run without a directory it is a test of its own: it ends by itself.
#[tokio::test]
async fn appends_until_it_is_killed() {
    let Ok(directory) = env::var(DIRECTORY) else {
        let directory = tempfile::tempdir().unwrap();
        run_appenders(directory.path(), 1, Some(5)).await;
        return assert_eq!(everything(&open(directory.path())).await.len() as u64 % APPENDERS, 0);
    };
    let seed = env::var(SEED).unwrap().parse().unwrap();
    // The harness may have begun a line.
    std::io::stdout().write_all(b"\n").unwrap();
    run_appenders(Path::new(&directory), seed, None).await;
}

/// Runs the appenders, each for ever or for so many batches.
async fn run_appenders(directory: &Path, seed: u64, batches: Option<u64>) {
    let log = open(directory);
    let appenders = (0..APPENDERS).map(|number| {
        // All draw the same numbers if they are to write the same number of events.
        let seed = if batches.is_some() { seed } else { seed ^ number };
        let log = log.clone();
        tokio::spawn(async move { append(log, number, Random(seed), batches.unwrap_or(u64::MAX)).await })
    });
    for appender in appenders.collect::<Vec<_>>() {
        appender.await.unwrap();
    }
}

/// One appender: its own streams, one of them known to all rounds; some batches of one event, some of several streams.
async fn append(log: SqliteLog, number: u64, mut random: Random, batches: u64) {
    let names = [format!("kept-{number}"), format!("new-{}", new_uuid()), format!("other-{}", new_uuid())];
    let mut streams: Vec<(StreamId, Version)> = Vec::new();
    for name in names {
        let stream = support::stream(&name);
        let head = log.stream_head(&stream).await.unwrap();
        streams.push((stream, head));
    }
    for _ in 0..batches {
        let written = if random.below(2) == 0 { 1 } else { streams.len() };
        let per_stream = 1 + random.below(3) as usize;
        let batch = marked_batch(&streams[..written], per_stream);
        let events: Vec<_> = batch
            .streams
            .iter()
            .flat_map(|append| append.events.iter().map(|event| event.id.to_string()))
            .collect();
        let appended = log.append(batch).await.unwrap();
        let mut acknowledged = Acknowledged { last: appended.position, events: Vec::new() };
        let mut ids = events.into_iter();
        for (stream, head) in &mut streams[..written] {
            for _ in 0..per_stream {
                *head = head.next();
                acknowledged.events.push((stream.clone(), *head, ids.next().unwrap()));
            }
        }
        if env::var_os(DIRECTORY).is_some() {
            let line = format!("ack {}\n", serde_json::to_string(&acknowledged).unwrap());
            std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
        }
    }
}

fn marked_batch(streams: &[(StreamId, Version)], per_stream: usize) -> AppendBatch {
    let marker = Marker { batch: new_uuid().to_string(), of: streams.len() * per_stream };
    let payload = serde_json::to_string(&marker).unwrap();
    let mut batch = batch();
    if marker.of > 1 {
        batch.idempotency = Some(record(&marker.batch));
    }
    for (stream, head) in streams {
        let events = (0..per_stream).map(|_| event(payload.clone())).collect();
        batch = batch.stream(stream.clone(), Expected::Exact(*head), events);
    }
    batch
}

fn record(key: &str) -> IdempotencyRecord {
    IdempotencyRecord {
        key: key.to_owned(),
        fingerprint: "f".into(),
        response: "r".into(),
        expires_at: now().after(Duration::from_secs(3_600)),
    }
}

/// SplitMix64: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
