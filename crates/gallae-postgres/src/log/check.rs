//! Looking for damage, page by page, beside whatever else goes on.

use super::{event_store::number, statement::integer};
use crate::{fault::Trouble, pool::Pool};
use gallae_ports::{CheckDepth, CheckReport, StoreFault};
use std::collections::HashMap;
use tokio_postgres::types::Type;

/// Events that [`CheckDepth::Tail`] looks at.
const TAIL: u64 = 1_000;

/// Rows looked at with one statement.
const PAGE: usize = 10_000;

/// Sentences after which a check has said enough.
const ENOUGH: usize = 100;

const CHECKING: &str = "checking the log";

const ENDS: &str = "SELECT h.position, coalesce((SELECT max(e.position) FROM @.events e), 0) FROM @.head h";

const BY_POSITION: &str = "SELECT position, stream, version FROM @.events
    WHERE position > $1 ORDER BY position LIMIT $2";

/// Along the index of streams.
const BY_STREAM: &str = "SELECT stream, version, position FROM @.events
    WHERE (stream, version) > ($1, $2) ORDER BY stream, version LIMIT $3";

/// Looks at the log on the primary.
pub(crate) async fn check(pool: &Pool, depth: CheckDepth) -> Result<CheckReport, StoreFault> {
    let mut check = Check { pool, report: CheckReport::default() };
    check.run(depth).await.map_err(|trouble| trouble.into_fault(CHECKING))?;
    Ok(check.report)
}

struct Check<'a> {
    pool: &'a Pool,
    report: CheckReport,
}

impl Check<'_> {
    async fn run(&mut self, depth: CheckDepth) -> Result<(), Trouble> {
        let rows = self.pool.session().await?.query(ENDS, &[]).await?;
        let [row] = &rows[..] else {
            self.note("the counter of the log is missing".to_owned());
            return Ok(());
        };
        let (counter, last) = (number(row, 0)?, number(row, 1)?);
        if counter != last {
            self.note(format!("the counter stands at {counter}, but the last event at {last}"));
        }
        match depth {
            CheckDepth::Tail => self.positions(last.saturating_sub(TAIL), last).await,
            CheckDepth::Full => {
                self.positions(0, last).await?;
                self.streams(last).await
            }
        }
    }

    /// Positions are dense, and versions follow each other as far as they are seen.
    async fn positions(&mut self, start: u64, end: u64) -> Result<(), Trouble> {
        let mut last = start;
        let mut versions: HashMap<String, u64> = HashMap::new();
        while last < end {
            // What was seen of streams long ago is found again along their index.
            if versions.len() > PAGE * 10 {
                versions.clear();
            }
            let (after, limit) = (integer(last), PAGE as i64);
            let mut session = self.pool.session().await?;
            let rows = session.query(BY_POSITION, &[(&after, Type::INT8), (&limit, Type::INT8)]).await?;
            if rows.is_empty() {
                self.note(format!("after position {last} comes nothing, but {end} was there"));
                break;
            }
            for row in &rows {
                let (position, version) = (number(row, 0)?, number(row, 2)?);
                let stream: String = row.try_get(1)?;
                self.report.events += 1;
                if position != last + 1 {
                    self.note(format!("after position {last} comes {position}"));
                }
                last = position;
                let before = versions.insert(stream, version);
                if version < 1 || before.is_some_and(|before| version != before + 1) {
                    self.note(format!(
                        "position {position} has version {version} of its stream, which does not follow"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Along the index of streams every version is there, and as many events as along the positions.
    async fn streams(&mut self, end: u64) -> Result<(), Trouble> {
        let (mut stream, mut version, mut seen) = (String::new(), 0_u64, 0);
        loop {
            let (last, limit) = (integer(version), PAGE as i64);
            let params = [(&stream as _, Type::TEXT), (&last as _, Type::INT8), (&limit as _, Type::INT8)];
            let rows = self.pool.session().await?.query(BY_STREAM, &params).await?;
            for row in &rows {
                let (name, next, position) = (row.try_get::<_, &str>(0)?, number(row, 1)?, number(row, 2)?);
                if name != stream {
                    (stream, version) = (name.to_owned(), 0);
                }
                if next != version + 1 {
                    self.note(format!("stream {stream} has version {next} after {version}"));
                }
                version = next;
                seen += u64::from(position <= end);
            }
            if rows.len() < PAGE {
                break;
            }
        }
        if seen != self.report.events {
            let events = self.report.events;
            self.note(format!("the index of streams leads to {seen} events, that of positions to {events}"));
        }
        Ok(())
    }

    fn note(&mut self, sentence: String) {
        if self.report.damage.len() < ENOUGH {
            self.report.damage.push(sentence);
        }
    }
}
