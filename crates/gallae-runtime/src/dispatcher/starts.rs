//! Telling the engine of the sagas that an append starts.

use super::execute::StartSagas;
use gallae_core::SagaId;

/// Sagas whose start is in the store's queue. Whoever waits for the append says how it ended; if they go instead, as a request
/// does whose client hangs up, the sagas are woken all the same.
///
/// Waking one before its start is durable is safe: what the engine writes for it stands behind the start in the order of
/// submission and expects its version, so it is written after the start or not at all.
pub(super) struct Starting<'a> {
    sagas: Vec<SagaId>,
    engine: &'a dyn StartSagas,
}

impl<'a> Starting<'a> {
    pub(super) fn new(sagas: Vec<SagaId>, engine: &'a dyn StartSagas) -> Self {
        Self { sagas, engine }
    }

    /// They are durable.
    pub(super) fn started(mut self) -> Vec<SagaId> {
        self.wake();
        std::mem::take(&mut self.sagas)
    }

    /// They are not.
    pub(super) fn refused(mut self) -> Vec<SagaId> {
        std::mem::take(&mut self.sagas)
    }

    fn wake(&self) {
        for saga in &self.sagas {
            self.engine.started(*saga);
        }
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.wake();
    }
}
