//! How fast this machine appends and reads: `cargo run --release -p gallae-sqlite --example append_rate -- DIRECTORY [SECONDS]`.
//!
//! Closed loop: every appender has one 1-event append in flight, with an expected version, in streams of ten events of 328 bytes.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use bytes::Bytes;
use gallae_core::{Actor, EventId, Metadata, Position, StreamId, Version};
use gallae_ports::{AppendBatch, CheckDepth, Clock, Entropy, EventStore, Expected, NewEvent};
use gallae_runtime::{SystemClock, SystemEntropy};
use gallae_sqlite::{SqliteLog, SqliteOptions};
use std::{
    borrow::Cow,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("name a directory for the log")?;
    let seconds = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let options = SqliteOptions {
        node: "append_rate".to_owned(),
        clock: Arc::new(SystemClock::new()),
        entropy: Arc::new(SystemEntropy),
    };
    let log = SqliteLog::open(Path::new(&directory), options)?;
    for appenders in [1, 8, 64, 512] {
        append_rate(&log, appenders, Duration::from_secs(seconds)).await;
    }
    read_rates(&log).await?;
    Ok(())
}

async fn append_rate(log: &SqliteLog, appenders: usize, during: Duration) {
    let stop = Arc::new(AtomicBool::new(false));
    let clock = SystemClock::new();
    let cpu = cpu_time();
    let tasks: Vec<_> =
        (0..appenders).map(|_| tokio::spawn(append_until(log.clone(), Arc::clone(&stop)))).collect();
    clock.sleep(during).await;
    stop.store(true, Ordering::Relaxed);
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap_or_default());
    }
    let (elapsed, cpu) = (clock.monotonic(), cpu_time().saturating_sub(cpu));
    waits.sort_unstable();
    let (count, at) = (waits.len().max(1), |part: f64| waits.get((waits.len() as f64 * part) as usize));
    println!(
        "{appenders:>4} appenders: {:>8.0} appends/s, p50 {:?}, p99 {:?}, max {:?}, CPU {:.1} µs/append",
        count as f64 / elapsed.as_secs_f64(),
        at(0.5).copied().unwrap_or_default(),
        at(0.99).copied().unwrap_or_default(),
        waits.last().copied().unwrap_or_default(),
        cpu.as_secs_f64() * 1e6 / count as f64,
    );
}

async fn append_until(log: SqliteLog, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let (clock, entropy) = (SystemClock::new(), SystemEntropy);
    let payload = Bytes::from(format!("{{\"text\":\"{}\"}}", "x".repeat(328 - 11)));
    let mut waits = Vec::new();
    let mut stream = StreamId::of("order", entropy.uuid());
    let mut version = Version::NONE;
    while !stop.load(Ordering::Relaxed) {
        let correlation = gallae_core::CorrelationId::new(entropy.uuid());
        let metadata = Arc::new(Metadata::new(correlation, Actor::User(entropy.uuid()), "node-1"));
        let expected = if version == Version::NONE { Expected::NoStream } else { Expected::Exact(version) };
        let event = NewEvent {
            id: EventId::new(entropy.uuid()),
            event_type: Cow::Borrowed("OrderCreated"),
            schema_version: 1,
            payload: payload.clone(),
        };
        let batch = AppendBatch::new(clock.now(), metadata).stream(stream.clone(), expected, vec![event]);
        let started = clock.monotonic();
        match log.append(batch).await {
            Ok(_) => waits.push(clock.monotonic() - started),
            Err(error) => println!("{error}"),
        }
        version = version.next();
        if version == Version::new(10) {
            stream = StreamId::of("order", entropy.uuid());
            version = Version::NONE;
        }
    }
    waits
}

async fn read_rates(log: &SqliteLog) -> Result<(), Box<dyn std::error::Error>> {
    let clock = SystemClock::new();
    let mut after = Position::START;
    let mut streams = Vec::new();
    let mut events = 0;
    loop {
        let page = log.read_all(after, 1_000).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        events += page.len();
        streams
            .extend(page.iter().filter(|event| event.version == Version::new(10)).map(|e| e.stream.clone()));
    }
    println!("read_all: {:.0} events/s over {events}", events as f64 / clock.monotonic().as_secs_f64());

    streams.truncate(20_000);
    let started = clock.monotonic();
    for stream in &streams {
        log.read_stream(stream, Version::NONE, 100).await?;
    }
    let elapsed = clock.monotonic() - started;
    println!("read_stream of 10: {:?} each over {}", elapsed / streams.len().max(1) as u32, streams.len());

    let started = clock.monotonic();
    let report = log.check(CheckDepth::Full).await?;
    let elapsed = clock.monotonic() - started;
    println!("full check: {elapsed:?} over {}, damage {:?}", report.events, report.damage);
    Ok(())
}

/// What this process has used of the processors so far; zero where the system does not say.
fn cpu_time() -> Duration {
    let ticks: u64 = fs::read_to_string("/proc/self/stat").map_or(0, |text| {
        let fields = text.rsplit(')').next().unwrap_or("").split_whitespace();
        fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
    });
    Duration::from_millis(ticks * 10)
}
