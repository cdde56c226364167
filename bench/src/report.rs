//! What a run found, and how it is shown: Markdown that also reads well on a terminal.

use crate::{
    cli::Options,
    machine::Machine,
    measure::{Ratio, Series},
};
use serde::Serialize;
use std::fmt;

/// One workload's results.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// What was measured.
    pub(crate) title: &'static str,
    /// What every side did, and how durably.
    pub(crate) conditions: Vec<String>,
    /// The unit of the rates.
    pub(crate) unit: &'static str,
    /// Every side under every setting.
    pub(crate) series: Vec<Series>,
    /// What was promised.
    pub(crate) bounds: Vec<Bound>,
}

/// A promise and what was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Bound {
    /// In words.
    what: String,
    /// In words.
    wanted: String,
    /// In words.
    measured: String,
    /// Whether the promise holds.
    met: bool,
}

/// Between these a ratio is nearer to noise than the rates of a shared machine are to each other.
const JUDGED_ON_CPU: std::ops::RangeInclusive<f64> = 0.9..=1.2;

impl Bound {
    /// At least `wanted` times the other side.
    pub(crate) fn ratio(what: impl Into<String>, wanted: f64, ratio: Ratio) -> Self {
        let by_cpu = JUDGED_ON_CPU.contains(&wanted);
        let judged = if by_cpu { ratio.cpu } else { ratio.rate };
        Self {
            what: what.into(),
            wanted: format!("≥ {wanted} (by {})", if by_cpu { "CPU" } else { "rate" }),
            measured: format!("rate {:.2}, CPU {:.2}", ratio.rate, ratio.cpu),
            met: judged >= wanted,
        }
    }

    /// At least `wanted` of a unit.
    pub(crate) fn at_least(what: impl Into<String>, wanted: f64, measured: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            wanted: format!("≥ {wanted} {unit}"),
            measured: format!("{measured:.1} {unit}"),
            met: measured >= wanted,
        }
    }

    /// At most `wanted` of a unit.
    pub(crate) fn at_most(what: impl Into<String>, wanted: f64, measured: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            wanted: format!("≤ {wanted} {unit}"),
            measured: format!("{measured:.1} {unit}"),
            met: measured <= wanted,
        }
    }
}

/// Everything that a run found.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    machine: Machine,
    turns: u32,
    seconds: f64,
    reports: Vec<Report>,
}

impl Results {
    pub(crate) fn new(machine: Machine, options: &Options, reports: Vec<Report>) -> Self {
        Self { machine, turns: options.turns, seconds: options.seconds, reports }
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Results\n")?;
        writeln!(f, "Written by `cargo xtask bench all --write bench/RESULTS.md`.")?;
        writeln!(
            f,
            "{} turns; in each, every side ran once, one after the other. A rate is the median over the",
            self.turns
        )?;
        writeln!(
            f,
            "turns; a ratio is the median of the ratios within a turn, ours to theirs, and above 1 where ours is better."
        )?;
        writeln!(
            f,
            "CPU is that of the whole process, appenders and handlers included, per operation. A bound between 0.9"
        )?;
        writeln!(f, "and 1.2 is judged on CPU per operation, every other on the rate.\n")?;
        table(
            f,
            &["machine", ""],
            &self.machine.lines().into_iter().map(|(name, fact)| vec![name.into(), fact]).collect::<Vec<_>>(),
        )?;
        self.bounds(f)?;
        self.reports.iter().try_for_each(|report| report.fmt(f))
    }
}

impl Results {
    fn bounds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n## Bounds\n")?;
        let bounds = || self.reports.iter().flat_map(|report| &report.bounds);
        let row = |bound: &Bound| {
            let met = if bound.met { "met" } else { "**missed**" };
            vec![bound.what.clone(), bound.wanted.clone(), bound.measured.clone(), met.into()]
        };
        table(f, &["what", "wanted", "measured", ""], &bounds().map(row).collect::<Vec<_>>())?;
        let missed: Vec<&str> = bounds().filter(|bound| !bound.met).map(|bound| &*bound.what).collect();
        match missed.as_slice() {
            [] => writeln!(f, "\nAll bounds are met."),
            missed => writeln!(f, "\nMissed: {}.", missed.join("; ")),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n## {}\n", self.title)?;
        for condition in &self.conditions {
            writeln!(f, "- {condition}")?;
        }
        writeln!(f)?;
        let latencies =
            self.series.iter().flat_map(|series| &series.samples).any(|sample| sample.p50_ms.is_some());
        let mut header = vec!["", "side", self.unit, "lowest", "highest", "CPU µs"];
        if latencies {
            header.extend(["p50 ms", "p99 ms"]);
        }
        let rows: Vec<_> = self.series.iter().map(|series| row(series, latencies)).collect();
        table(f, &header, &rows)
    }
}

fn row(series: &Series, latencies: bool) -> Vec<String> {
    let rates = || series.samples.iter().map(|sample| sample.rate);
    let mut cells = vec![
        series.setting.clone(),
        series.side.to_owned(),
        count(series.median(|sample| sample.rate)),
        count(rates().fold(f64::INFINITY, f64::min)),
        count(rates().fold(0.0, f64::max)),
        format!("{:.2}", series.median(|sample| sample.cpu_us)),
    ];
    if latencies {
        cells.push(format!("{:.2}", series.median(|sample| sample.p50_ms.unwrap_or(f64::NAN))));
        cells.push(format!("{:.2}", series.median(|sample| sample.p99_ms.unwrap_or(f64::NAN))));
    }
    cells
}

fn count(number: f64) -> String {
    if number < 100.0 { format!("{number:.2}") } else { format!("{number:.0}") }
}

/// Columns as wide as their widest cell.
fn table(f: &mut fmt::Formatter<'_>, header: &[&str], rows: &[Vec<String>]) -> fmt::Result {
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.chain([header[at].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |f: &mut fmt::Formatter<'_>, cells: &[&str]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} |"));
        writeln!(f, "|{}", padded.collect::<String>())
    };
    line(f, header)?;
    writeln!(f, "|{}", widths.iter().map(|width| format!("{}|", "-".repeat(width + 2))).collect::<String>())?;
    rows.iter().try_for_each(|row| line(f, &row.iter().map(String::as_str).collect::<Vec<_>>()))
}
