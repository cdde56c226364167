//! This process, by the names that Prometheus's own libraries use. Linux tells; elsewhere nothing is shown.

use std::{fmt::Write, fs};

/// Linux counts processor time for programs in hundredths of a second, on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// Adds resident memory, processor time, threads and open files, as far as they can be read.
pub(super) fn describe(text: &mut String) {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        if let Some(kibibytes) = field("VmRSS:") {
            sample(text, "process_resident_memory_bytes", "gauge", (kibibytes * 1_024) as f64);
        }
        if let Some(threads) = field("Threads:") {
            sample(text, "process_threads", "gauge", threads as f64);
        }
    }
    if let Some(seconds) = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_seconds(&stat)) {
        sample(text, "process_cpu_seconds_total", "counter", seconds);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        sample(text, "process_open_fds", "gauge", files.count() as f64);
    }
}

/// User and system time. The program's name, in parentheses, may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

fn sample(text: &mut String, name: &str, kind: &str, value: f64) {
    let _ = writeln!(text, "# TYPE {name} {kind}\n{name} {value}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn processor_time_is_read_past_a_name_with_spaces() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 4 0 100 0 0";
        assert_eq!(super::cpu_seconds(stat), Some(2.0));
    }
}
