//! One measurement of one side, and what several of them amount to.

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::time::{Duration, Instant};

/// What a side did in one turn.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Sample {
    /// Operations per second.
    pub(crate) rate: f64,
    /// CPU time of the whole process per operation, in microseconds.
    pub(crate) cpu_us: f64,
    /// Latency, for workloads of requests.
    pub(crate) p50_ms: Option<f64>,
    /// Latency, for workloads of requests.
    pub(crate) p99_ms: Option<f64>,
}

/// Time and CPU since a moment.
#[derive(Debug)]
pub(crate) struct Meter {
    began: Instant,
    cpu: Duration,
}

impl Meter {
    /// From now on.
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), cpu: process_cpu() }
    }

    /// Until now, `operations` having been done.
    pub(crate) fn sample(&self, operations: u64) -> Sample {
        let (took, cpu) = (self.began.elapsed(), process_cpu() - self.cpu);
        let operations = operations.max(1) as f64;
        Sample {
            rate: operations / took.as_secs_f64(),
            cpu_us: cpu.as_secs_f64() * 1e6 / operations,
            p50_ms: None,
            p99_ms: None,
        }
    }
}

/// User and system time of all threads of this process.
fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    // A process has used no negative time.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The middle one; of an even number, the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// The samples of one side under one setting, a turn each.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Series {
    /// The setting, such as the number of appenders.
    pub(crate) setting: String,
    /// Whose.
    pub(crate) side: &'static str,
    /// By turn.
    pub(crate) samples: Vec<Sample>,
}

impl Series {
    /// Nothing measured yet.
    pub(crate) fn new(setting: impl Into<String>, side: &'static str) -> Self {
        Self { setting: setting.into(), side, samples: Vec::new() }
    }

    /// The median over the turns of what `read` takes from a sample.
    pub(crate) fn median(&self, read: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(read))
    }

    /// How this side compares with another, turn by turn: the median of the ratios.
    pub(crate) fn against(&self, other: &Self) -> Ratio {
        let pairs = || self.samples.iter().zip(&other.samples);
        Ratio {
            rate: median(pairs().map(|(ours, theirs)| ours.rate / theirs.rate)),
            cpu: median(pairs().map(|(ours, theirs)| theirs.cpu_us / ours.cpu_us)),
        }
    }
}

/// How many times as good one side is as another; above 1 it is the better one.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Ratio {
    /// Operations per second.
    pub(crate) rate: f64,
    /// Operations per second of CPU.
    pub(crate) cpu: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_turn_by_turn() {
        let series = |rates: [f64; 3]| Series {
            setting: String::new(),
            side: "",
            samples: rates
                .map(|rate| Sample { rate, cpu_us: 1e3 / rate, p50_ms: None, p99_ms: None })
                .to_vec(),
        };
        // The second turn was disturbed: both sides are slow in it, and the ratio is not.
        let ratio = series([200.0, 20.0, 210.0]).against(&series([100.0, 10.0, 100.0]));
        assert!((ratio.rate - 2.0).abs() < 1e-9 && (ratio.cpu - 2.0).abs() < 1e-9, "{ratio:?}");
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
    }
}
