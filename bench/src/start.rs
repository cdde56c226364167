//! From nothing to ready, with a log that is already long.

use crate::{
    Failure,
    cli::Options,
    history,
    measure::{Meter, Series},
    rebuild,
    report::{Bound, Report},
};
use gallae_sqlite::views::SqliteViews;
use rustix::fs::{Advice, fadvise};
use std::{
    fs::{self, File},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::runtime::Runtime;

const BOUND_MS: f64 = 300.0;

/// Opens log, views and platform in `folder`, in turns with the files in the page cache and without.
pub(crate) fn measure(options: &Options, runtime: &Runtime, folder: &Path) -> Result<Report, Failure> {
    eprintln!("start");
    // Brings the views to the head if nobody has before.
    start(runtime, folder, &Meter::start())?;
    let (mut warm, mut cold) =
        (Series::new("files cached", "start"), Series::new("files not cached", "start"));
    for _ in 0..options.turns {
        warm.samples.push(start(runtime, folder, &Meter::start())?);
        forget_pages(folder)?;
        cold.samples.push(start(runtime, folder, &Meter::start())?);
    }
    let bound = |series: &Series| {
        let ms = 1e3 / series.median(|sample| sample.rate);
        Bound::at_most(format!("start, {}", series.setting), BOUND_MS, ms, "ms")
    };
    let bounds = vec![bound(&warm), bound(&cold)];
    let conditions = vec![
        format!(
            "At least {} events in the log, the order view at its head: the log is opened and its tail checked, the views are \
             opened, the platform is built, and the view has caught up. Within a process that runs already.",
            options.events
        ),
        "files not cached: the kernel was told to forget the pages of every file in the folder.".into(),
    ];
    Ok(Report { title: "Start", conditions, unit: "starts/s", series: vec![warm, cold], bounds })
}

fn start(runtime: &Runtime, folder: &Path, meter: &Meter) -> Result<crate::measure::Sample, Failure> {
    let (log, views) = (Arc::new(history::open(folder)?), Arc::new(SqliteViews::open(folder)?));
    let platform = runtime.block_on(rebuild::platform(&log, &views))?;
    let sample = meter.sample(1);
    runtime.block_on(platform.drain(Duration::from_secs(60)));
    drop(platform);
    Ok(sample)
}

fn forget_pages(folder: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let file = File::open(entry?.path())?;
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}
