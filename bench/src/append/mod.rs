//! Durable appends with an expected version: ours and two embedded engines behind the same contract.

mod fjall;
mod load;
mod ours;
mod peer;
mod redb;

use crate::{
    Failure,
    cli::Options,
    measure::{Sample, Series},
    report::{Bound, Report},
};
use std::path::Path;
use tokio::runtime::Runtime;

const APPENDERS: [usize; 3] = [512, 64, 1];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ours,
    Fjall,
    Redb,
}

const SIDES: [Side; 3] = [Side::Ours, Side::Fjall, Side::Redb];

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "gallae-sqlite",
            Self::Fjall => "fjall 3",
            Self::Redb => "redb 4",
        }
    }

    async fn run(self, folder: &Path, load: load::Load) -> Result<Sample, Failure> {
        match self {
            Self::Ours => load.on(ours::Ours::open(folder)?).await,
            Self::Fjall => load.on(peer::Peer::start(fjall::Fjall::open(folder)?)?).await,
            Self::Redb => load.on(peer::Peer::start(redb::Redb::open(folder)?)?).await,
        }
    }
}

/// Runs every side with every number of appenders, in turns that begin with another side each.
pub(crate) fn measure(options: &Options, runtime: &Runtime) -> Result<Report, Failure> {
    let mut series = Vec::new();
    let mut bounds = Vec::new();
    for appenders in APPENDERS {
        eprintln!("append: {appenders} appenders");
        let setting = format!("{appenders} appenders");
        let mut all = SIDES.map(|side| Series::new(&setting, side.name()));
        for turn in 0..options.turns as usize {
            for at in (0..SIDES.len()).map(|at| (at + turn) % SIDES.len()) {
                let folder = options.folder()?;
                let load = load::Load { appenders, lasts: options.duration() };
                all[at].samples.push(runtime.block_on(SIDES[at].run(folder.path(), load))?);
            }
        }
        let [ours, fjall, redb] = &all;
        let (of_fjall, of_redb) = if appenders == 512 { (1.2, 2.5) } else { (0.9, 0.9) };
        bounds.push(Bound::ratio(format!("append, {setting}, to fjall"), of_fjall, ours.against(fjall)));
        bounds.push(Bound::ratio(format!("append, {setting}, to redb"), of_redb, ours.against(redb)));
        series.extend(all);
    }
    Ok(Report { title: "Durable append", conditions: conditions(), unit: "appends/s", series, bounds })
}

fn conditions() -> Vec<String> {
    vec![
        format!(
            "One event per append: {} bytes of JSON with seven fields, some nested, and metadata. Streams of {} events, each \
             append with the version it expects; an append is answered when it is on disk.",
            load::payload().len(),
            load::EVENTS_PER_STREAM
        ),
        "Every side: tasks on one runtime append to one thread that writes, which takes all that waits, 2,000 at most, into one \
         commit, and never waits for more."
            .into(),
        format!(
            "Before the clock runs {} appends were made by 512 appenders, so that no side still grows its journal for the first time.",
            load::WARM_UP
        ),
        "gallae-sqlite: through the EventStore port, with its checks for retries, its index over correlations and the publication \
         to readers. WAL, synchronous=FULL, pages of 4 KiB, cache 16 MiB, no memory map."
            .into(),
        "fjall: keyspaces for events, (stream, version) and heads; one batch per commit with PersistMode::SyncData; its own \
         defaults otherwise."
            .into(),
        "redb: the same as three tables; one transaction per commit with Durability::Immediate; its own defaults otherwise.".into(),
        "The peers keep every head they have seen in memory and store no index over correlations.".into(),
    ]
}
