//! Orders over HTTP: the shop as it is served, and a handler that does nothing but parse the same body.

pub(crate) mod bare;
mod load;
mod server;

use crate::{
    Failure,
    cli::Options,
    measure::{Sample, Series, median},
    report::{Bound, Report},
};
use load::{Load, Measured};
use server::Server;
use std::{thread, time::Duration};

const CONNECTIONS: u32 = 64;
const RATE: f64 = 2_500.0;
const VISIBLE_MS: f64 = 20.0;
const IDLE_MB: f64 = 40.0;
const LOADED_MB: f64 = 150.0;

/// After the start, until memory is looked at.
const IDLES: Duration = Duration::from_secs(3);

/// Serves the shop and the bare handler, and loads them in turns.
pub(crate) fn measure(options: &Options) -> Result<Report, Failure> {
    eprintln!("orders");
    let folder = options.folder()?;
    let shop = Server::shop(&options.commerce()?, folder.path())?;
    let bare = Server::bare(folder.path())?;
    thread::sleep(IDLES);
    let idle_mb = shop.memory_mb()?;
    let load =
        Load { commerce: options.commerce()?, connections: CONNECTIONS, seconds: options.load_seconds };
    load.run(&shop, None)?;
    let (mut ours, mut theirs) =
        (Series::new("64 connections", "commerce"), Series::new("64 connections", "bare axum"));
    let mut full = Vec::new();
    for _ in 0..options.turns {
        let measured = load.run(&shop, None)?;
        ours.samples.push(measured.sample);
        theirs.samples.push(load.run(&bare, None)?.sample);
        full.push(measured);
    }
    let rate = ours.median(|sample| sample.rate);
    let mut half = Series::new("half of that", "commerce");
    let mut calm = Vec::new();
    for _ in 0..options.turns {
        let measured = load.run(&shop, Some((rate / 2.0) as u32))?;
        half.samples.push(measured.sample);
        calm.push(measured);
    }
    let mut conditions = conditions(options);
    conditions.push(findings(&ours, &theirs, &full, &calm));
    let bounds = bounds(&ours, &full, &calm, idle_mb);
    let series = vec![ours, theirs, half];
    Ok(Report { title: "Orders over HTTP", conditions, unit: "orders/s", series, bounds })
}

fn bounds(ours: &Series, full: &[Measured], calm: &[Measured], idle_mb: f64) -> Vec<Bound> {
    let worst = |read: fn(&Measured) -> f64| full.iter().map(read).fold(0.0, f64::max);
    vec![
        Bound::at_least("orders, 64 connections", RATE, ours.median(|sample| sample.rate), "orders/s"),
        Bound::at_most("orders, refused or unanswered", 0.0, worst(|run| run.failed as f64), "orders"),
        Bound::at_most("orders, sagas that did not end", 0.0, worst(|run| run.left as f64), "sagas"),
        Bound::at_most(
            "orders, growth of the backlog (sagas)",
            64.0,
            median(full.iter().map(Measured::growth)),
            "sagas",
        ),
        Bound::at_most(
            "orders, sent to visible, p99 at half the load",
            VISIBLE_MS,
            median(calm.iter().map(|run| run.visible_after_sent_ms)),
            "ms",
        ),
        Bound::at_most("memory, idle", IDLE_MB, idle_mb, "MB"),
        Bound::at_most("memory, under load", LOADED_MB, worst(|run| run.memory_mb), "MB"),
    ]
}

fn conditions(options: &Options) -> Vec<String> {
    vec![
        format!(
            "`commerce serve`, demo mode, embedded engines: 64 connections that are kept place orders of two items for {} s a turn; \
             every order is an HTTP request, a durable commit and a saga of five steps. The load comes from `commerce bench-load` on \
             the same machine.",
            options.load_seconds
        ),
        "bare axum: a process of its own on the same load: it parses the same body and answers with an id.".into(),
        "CPU is that of the server's process alone, everything that follows from an order included. Latency is that of POST /orders."
            .into(),
        "The growth of the backlog is the mean number of unfinished sagas in the second half of a turn, less that in the first."
            .into(),
    ]
}

fn findings(ours: &Series, theirs: &Series, full: &[Measured], calm: &[Measured]) -> String {
    let ratio = ours.against(theirs);
    let backlog = full.iter().map(|run| run.backlog_max).max().unwrap_or(0);
    let drained = median(full.iter().map(|run| run.drained_ms));
    let visible = median(calm.iter().map(|run| run.visible_ms));
    format!(
        "To bare axum: rate {:.2}, CPU {:.2}. At most {backlog} sagas were unfinished under full load; the last ended {drained:.0} ms after \
         the last order. At half the load an order was visible {visible:.1} ms (p99) after it was acknowledged.",
        ratio.rate, ratio.cpu
    )
}

/// What the load generator said, as a sample.
fn sample(rate: f64, cpu: Duration, orders: u64, p50_ms: f64, p99_ms: f64) -> Sample {
    let cpu_us = cpu.as_secs_f64() * 1e6 / orders.max(1) as f64;
    Sample { rate, cpu_us, p50_ms: Some(p50_ms), p99_ms: Some(p99_ms) }
}
