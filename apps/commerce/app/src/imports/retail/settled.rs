//! Waiting for sagas, and how things are refused.

use super::super::ImportError;
use gallae_core::{SagaId, saga::SagaStatus};
use gallae_ports::SagaRow;
use gallae_runtime::Platform;
use std::time::Duration;

/// How often a saga is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Why the shop did not take what a line wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) reason: String,
}

impl Refusal {
    pub(super) fn new(code: &str, reason: impl Into<String>) -> Self {
        Self { code: code.to_owned(), reason: reason.into() }
    }
}

/// Waits until a saga has ended, or waits for an operator and so may never end.
pub(super) async fn settled(platform: &Platform, saga: SagaId) -> Result<SagaRow, ImportError> {
    loop {
        let row = platform.saga_store().saga(saga).await?;
        let row = row.ok_or_else(|| ImportError::Stopped {
            what: format!("saga {saga}"),
            reason: "its order stands and it does not: run doctor".to_owned(),
        })?;
        if row.status.is_terminal() || matches!(row.status, SagaStatus::Stuck | SagaStatus::Paused) {
            return Ok(row);
        }
        platform.clock().sleep(LOOK).await;
    }
}
