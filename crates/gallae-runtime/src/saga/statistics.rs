//! How sagas are doing, from their rows alone.

use super::describe::{SagaView, SagaViewError};
use gallae_core::{Timestamp, saga::SagaStatus};
use gallae_ports::{SagaFilter, SagaRow};
use std::{collections::BTreeMap, time::Duration};

/// Rows looked at for reasons and durations: the newest ones of each kind.
const SAMPLE: usize = 1_000;

/// Every definition's figures, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SagaStatistics {
    /// By definition.
    pub definitions: BTreeMap<String, DefinitionStatistics>,
}

/// The figures of one definition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DefinitionStatistics {
    /// Instances by status.
    pub counts: BTreeMap<SagaStatus, u64>,
    /// Instances that have not ended.
    pub active: u64,
    /// Completed among those that ended; `None` while none has.
    pub completion_rate: Option<f64>,
    /// When the active instance that has rested longest last moved.
    pub oldest_active: Option<Timestamp>,
    /// Why the newest thousand unsuccessful instances failed, by code.
    pub failures: BTreeMap<String, u64>,
    /// How long the newest thousand completed instances took: median, 95th percentile, longest.
    pub durations: Option<Durations>,
}

/// How long instances took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durations {
    /// Half took at most this long.
    pub median: Duration,
    /// All but one in twenty took at most this long.
    pub p95: Duration,
    /// The longest.
    pub longest: Duration,
}

impl SagaView {
    /// The figures of every definition.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn statistics(&self) -> Result<SagaStatistics, SagaViewError> {
        let mut definitions: BTreeMap<String, DefinitionStatistics> = BTreeMap::new();
        for count in self.sagas.saga_counts().await? {
            let figures = definitions.entry(count.definition).or_default();
            *figures.counts.entry(count.status).or_default() += count.count;
            if !count.status.is_terminal() {
                figures.active += count.count;
                let oldest = figures.oldest_active.get_or_insert(count.oldest);
                *oldest = count.oldest.min(*oldest);
            }
        }
        for (name, figures) in &mut definitions {
            figures.completion_rate = completion_rate(&figures.counts);
            let unsuccessful = [SagaStatus::Rejected, SagaStatus::Compensated, SagaStatus::Stuck];
            for row in self.newest(name, &unsuccessful).await? {
                *figures.failures.entry(code(&row)).or_default() += 1;
            }
            let completed = self.newest(name, &[SagaStatus::Completed]).await?;
            figures.durations = durations(&completed);
        }
        Ok(SagaStatistics { definitions })
    }

    async fn newest(&self, definition: &str, statuses: &[SagaStatus]) -> Result<Vec<SagaRow>, SagaViewError> {
        let filter = SagaFilter {
            definition: Some(definition.to_owned()),
            statuses: statuses.to_vec(),
            ..SagaFilter::default()
        };
        Ok(self.sagas.sagas(&filter, 0, SAMPLE).await?.0)
    }
}

fn completion_rate(counts: &BTreeMap<SagaStatus, u64>) -> Option<f64> {
    let ended: u64 = counts.iter().filter(|(status, _)| status.is_terminal()).map(|(_, count)| count).sum();
    let completed = counts.get(&SagaStatus::Completed).copied().unwrap_or_default();
    (ended > 0).then(|| completed as f64 / ended as f64)
}

/// Rows say `CODE: words`; what has no code is told by its status.
fn code(row: &SagaRow) -> String {
    let is_code = |text: &&str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    let code = row.reason.as_deref().and_then(|reason| reason.split_once(':')).map(|(code, _)| code);
    code.filter(is_code).unwrap_or(row.status.as_str()).to_owned()
}

fn durations(rows: &[SagaRow]) -> Option<Durations> {
    let mut all: Vec<_> = rows.iter().map(|row| row.updated_at.since(row.started_at)).collect();
    all.sort_unstable();
    let at = |percent: usize| all.get((all.len() * percent / 100).min(all.len().checked_sub(1)?)).copied();
    Some(Durations { median: at(50)?, p95: at(95)?, longest: at(100)? })
}
