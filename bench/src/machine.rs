//! What the results depend on and the code does not say.

use crate::Failure;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    thread,
    time::Instant,
};

/// Syncs of a small write, as a commit does them.
const PROBES: usize = 300;
const PROBE_BYTES: usize = 4096;

/// Facts of the machine, and its load before and after the run.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    cpu: String,
    memory_mb: u64,
    kernel: String,
    filesystem: String,
    fdatasync_p50_us: u64,
    fdatasync_p99_us: u64,
    fdatasync_after_p50_us: u64,
    fdatasync_after_p99_us: u64,
    load_before: String,
    load_after: String,
    optimised: bool,
    #[serde(skip)]
    probe: std::path::PathBuf,
}

impl Machine {
    /// Looks at the machine and at the disk under `directory`.
    pub(crate) fn look(directory: &Path) -> Result<Self, Failure> {
        let directory = directory.canonicalize()?;
        let probe = directory.join("fdatasync-probe");
        let (p50, p99) = probe_sync(&probe)?;
        Ok(Self {
            cores: thread::available_parallelism()?.get(),
            cpu: field("/proc/cpuinfo", "model name")?,
            memory_mb: kilobytes(&field("/proc/meminfo", "MemTotal")?)? / 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            filesystem: filesystem(&directory)?,
            fdatasync_p50_us: p50,
            fdatasync_p99_us: p99,
            fdatasync_after_p50_us: 0,
            fdatasync_after_p99_us: 0,
            load_before: load()?,
            load_after: String::new(),
            optimised: !cfg!(debug_assertions),
            probe,
        })
    }

    /// Notes what the run itself and its neighbours made of the machine.
    pub(crate) fn look_again(&mut self) -> Result<(), Failure> {
        self.load_after = load()?;
        (self.fdatasync_after_p50_us, self.fdatasync_after_p99_us) = probe_sync(&self.probe)?;
        Ok(())
    }

    /// The facts, a line each.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let Self {
            fdatasync_p50_us, fdatasync_p99_us, fdatasync_after_p50_us, fdatasync_after_p99_us, ..
        } = self;
        vec![
            ("cores", self.cores.to_string()),
            ("CPU", self.cpu.clone()),
            ("memory", format!("{} MB", self.memory_mb)),
            ("kernel", self.kernel.clone()),
            ("file system", self.filesystem.clone()),
            ("fdatasync of 4 KiB, before", format!("p50 {fdatasync_p50_us} µs, p99 {fdatasync_p99_us} µs")),
            (
                "fdatasync of 4 KiB, after",
                format!("p50 {fdatasync_after_p50_us} µs, p99 {fdatasync_after_p99_us} µs"),
            ),
            ("load average before", self.load_before.clone()),
            ("load average after", self.load_after.clone()),
            (
                "build",
                if self.optimised { "release" } else { "debug: these numbers mean nothing" }.to_owned(),
            ),
        ]
    }
}

fn field(file: &str, name: &str) -> Result<String, Failure> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    Ok(line.map_or("unknown", str::trim).to_owned())
}

/// The number before `kB`.
pub(crate) fn kilobytes(text: &str) -> Result<u64, Failure> {
    let number = text.split_whitespace().next().ok_or("no number where one was expected")?;
    Ok(number.parse()?)
}

fn load() -> Result<String, Failure> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
}

/// The type and source of the mount that holds `directory`.
fn filesystem(directory: &Path) -> Result<String, Failure> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mount = mounts.lines().filter_map(|line| {
        let (mount, details) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?;
        directory.starts_with(point).then_some((point.len(), details))
    });
    let details = mount.max_by_key(|(length, _)| *length).map_or("", |(_, details)| details);
    Ok(details.split(' ').take(2).collect::<Vec<_>>().join(" on "))
}

fn probe_sync(path: &Path) -> Result<(u64, u64), Failure> {
    let mut file = File::create(path)?;
    let mut micros = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    for _ in 0..PROBES {
        let began = Instant::now();
        file.write_all(&[7; PROBE_BYTES])?;
        file.sync_data()?;
        micros.saturating_record(u64::try_from(began.elapsed().as_micros())?);
    }
    fs::remove_file(path)?;
    Ok((micros.value_at_quantile(0.5), micros.value_at_quantile(0.99)))
}
