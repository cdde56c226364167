//! What becomes of a group that could not be written.

use super::{batcher::Batcher, request::Waiting, session::Failure};
use crate::fault::Trouble;
use gallae_ports::{AppendError, StoreFault};

const COMMITTING: &str = "committing to the log";

impl Batcher {
    /// Deals with a group whose statement failed. `accepted` says which of its appends were to be written.
    pub(super) async fn failed(&mut self, waiting: Vec<Waiting>, accepted: &[bool], failure: Failure) {
        match failure {
            Failure::Unknown(trouble) => {
                tracing::warn!(%trouble, appends = waiting.len(), "the outcome of a commit is not known");
                metrics::counter!("gallae_log_unknown_commits_total").increment(1);
                self.leave();
                let reason = trouble.to_string();
                for (one, accepted) in waiting.into_iter().zip(accepted) {
                    let fault = StoreFault::new(COMMITTING).because(reason.clone());
                    one.answer(Err(if *accepted {
                        AppendError::Indeterminate(fault)
                    } else {
                        AppendError::Unavailable(fault)
                    }));
                }
            }
            Failure::Before(trouble) if !trouble.is_environmental() && waiting.len() > 1 => {
                // One is to blame and nobody knows which: each gets a transaction of its own.
                for one in waiting {
                    if self.session.is_none() {
                        self.appends.push_front(one);
                    } else {
                        Box::pin(self.write_carefully(vec![one])).await;
                    }
                }
            }
            Failure::Before(trouble) => self.not_written(waiting, trouble),
        }
    }

    /// Answers a group of which nothing was written; or, when the way to the primary was lost, tries again on another.
    pub(super) fn not_written(&mut self, waiting: Vec<Waiting>, trouble: Trouble) {
        if trouble.breaks_connection() {
            tracing::warn!(%trouble, "the batcher lost its session");
            self.leave();
            waiting.into_iter().rev().for_each(|one| self.appends.push_front(one));
            return;
        }
        tracing::warn!(%trouble, appends = waiting.len(), "a group could not be written");
        if !trouble.is_environmental() {
            let reason = "PostgreSQL refuses a value in it";
            return waiting.into_iter().for_each(|one| one.answer(Err(AppendError::Invalid { reason })));
        }
        self.proven = None;
        let reason = trouble.to_string();
        for one in waiting {
            let fault = StoreFault::new(COMMITTING).because(reason.clone());
            one.answer(Err(AppendError::Unavailable(fault)));
        }
    }
}
