//! The shop's own load generator, as a process of its own, and what it said.

use super::{sample, server::Server};
use crate::{Failure, measure::Sample};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// How often the server's memory is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How to load a server.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) commerce: PathBuf,
    pub(super) connections: u32,
    pub(super) seconds: u32,
}

/// What one turn of load found.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) sample: Sample,
    pub(super) failed: u64,
    /// Sagas that had not ended two minutes after the last order.
    pub(super) left: u64,
    /// Unfinished sagas, once a second.
    backlog: Vec<f64>,
    pub(super) backlog_max: u64,
    pub(super) drained_ms: f64,
    pub(super) visible_ms: f64,
    pub(super) visible_after_sent_ms: f64,
    /// The most that the server held.
    pub(super) memory_mb: f64,
}

impl Load {
    /// Loads a server as hard as it goes, or at a rate.
    pub(super) fn run(&self, server: &Server, rate: Option<u32>) -> Result<Measured, Failure> {
        let mut command = Command::new(&self.commerce);
        command.arg("bench-load").arg("--json").args(["--warm-up", "0", "--users", "8"]);
        command.args(["--connections", &self.connections.to_string()]);
        command.args(["--seconds", &self.seconds.to_string()]);
        if let Some(rate) = rate {
            command.args(["--rate", &rate.to_string()]);
        }
        server.aim(&mut command);
        let mut generator = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut said = BufReader::new(generator.stderr.take().ok_or("the generator has no standard error")?);
        // Until its users are registered: hashing passwords is no part of ordering.
        let mut words = String::new();
        while !words.ends_with(" s\n") || !words.contains("place orders") {
            if said.read_line(&mut words)? == 0 {
                break;
            }
        }
        let before = server.cpu()?;
        let mut memory_mb = 0_f64;
        while generator.try_wait()?.is_none() {
            memory_mb = memory_mb.max(server.memory_mb()?);
            thread::sleep(LOOK);
        }
        let cpu = server.cpu()? - before;
        let (status, mut json) = (generator.wait()?, String::new());
        generator.stdout.take().ok_or("the generator has no standard output")?.read_to_string(&mut json)?;
        said.read_to_string(&mut words)?;
        if !status.success() {
            return Err(format!("the load generator ended with {status}: {words}").into());
        }
        measured(&serde_json::from_str(&json)?, cpu, memory_mb)
    }
}

fn measured(report: &Value, cpu: Duration, memory_mb: f64) -> Result<Measured, Failure> {
    let number = |at: &str| {
        report
            .pointer(at)
            .and_then(Value::as_f64)
            .ok_or_else(|| format!("the load generator did not say {at}"))
    };
    let sagas = |at: &str| report.pointer(at).and_then(Value::as_f64).unwrap_or(0.0);
    let orders = number("/orders/placed")? + number("/visible/afterAcknowledged/count")?;
    let backlog = report.pointer("/sagas/backlog").and_then(Value::as_array);
    Ok(Measured {
        sample: sample(
            number("/orders/perSecond")?,
            cpu,
            orders as u64,
            number("/orders/latency/p50")?,
            number("/orders/latency/p99")?,
        ),
        failed: number("/orders/failed")? as u64,
        left: sagas("/sagas/left") as u64,
        backlog: backlog.into_iter().flatten().filter_map(Value::as_f64).collect(),
        backlog_max: sagas("/sagas/backlogMax") as u64,
        drained_ms: sagas("/sagas/drainedInMs"),
        visible_ms: number("/visible/afterAcknowledged/p99")?,
        visible_after_sent_ms: number("/visible/afterSent/p99")?,
        memory_mb,
    })
}

impl Measured {
    /// How many more sagas were unfinished in the second half than in the first, on average.
    pub(super) fn growth(&self) -> f64 {
        let (first, second) = self.backlog.split_at(self.backlog.len() / 2);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
        mean(second) - mean(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_without_what_is_measured_is_refused() {
        let mut report = json!({
            "orders": {"placed": 90, "perSecond": 9.0, "failed": 0, "latency": {"p50": 1.0, "p99": 2.0}},
            "visible": {"afterAcknowledged": {"count": 10, "p99": 3.0}, "afterSent": {"p99": 4.0}},
            "sagas": {"backlog": [1, 1, 5, 7], "backlogMax": 7, "drainedInMs": 12.5, "left": 0},
        });
        let run = measured(&report, Duration::from_millis(10), 1.0).unwrap();
        assert!((run.sample.cpu_us - 100.0).abs() < 1e-9, "probes are orders too: {run:?}");
        assert!((run.growth() - 5.0).abs() < 1e-9, "{run:?}");
        report["orders"].as_object_mut().unwrap().remove("perSecond");
        assert!(measured(&report, Duration::ZERO, 1.0).is_err());
    }
}
