//! What the batcher does between groups: waits for requests, and for the primary.

use super::{batcher::Batcher, request::Request, session::Session};
use crate::fault::Trouble;
use gallae_ports::{AppendError, StoreFault};
use std::{collections::VecDeque, pin::pin, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// Between attempts to connect, doubling.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Batcher {
    /// Waits until there is something to do and takes all of it; `false` when every handle is gone.
    pub(super) async fn gather(&mut self) -> bool {
        while self.appends.is_empty() && self.pings.is_empty() {
            let request = match &mut self.session {
                None => self.requests.recv().await,
                Some(session) => tokio::select! {
                    biased;
                    request = self.requests.recv() => request,
                    // Better noticed now than by the next append.
                    () = session.ended() => {
                        self.session = None;
                        continue;
                    }
                },
            };
            let Some(request) = request else { return false };
            self.take(request);
        }
        while let Ok(request) = self.requests.try_recv() {
            self.take(request);
        }
        true
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Append(append) => self.appends.push_back(append),
            Request::Ping(ping) => self.pings.push(ping),
        }
    }

    /// Sees that there is a session. `false` when nobody waits any longer.
    pub(super) async fn connected(&mut self) -> bool {
        let mut pause = FIRST_PAUSE;
        while self.session.is_none() {
            if self.nobody_waits() {
                return false;
            }
            let (connector, schema) = (self.setup.connector.clone(), Arc::clone(&self.setup.schema));
            let (prepare, limits) = (self.setup.prepare, self.setup.limits);
            let seen = self.setup.tail.position();
            let enter = async move { Session::enter(&connector, schema, prepare, limits).await };
            match self.while_waiting(enter).await {
                Some(Ok((session, entered))) if entered.store == self.setup.store => {
                    self.enter(session, entered, seen);
                    return true;
                }
                Some(Ok(_)) => {
                    tracing::error!("the write URL leads to another store than at the start");
                    self.refuse_all("it leads to another store than at the start");
                }
                Some(Err(trouble)) => {
                    tracing::warn!(%trouble, "the primary cannot be reached for writing");
                    self.fail_pings(&trouble);
                }
                None => return false,
            }
            let until = Instant::now() + pause;
            pause = (pause * 2).min(LONGEST_PAUSE);
            if self.while_waiting(sleep_until(until)).await.is_none() {
                return false;
            }
        }
        true
    }

    fn nobody_waits(&self) -> bool {
        self.appends.is_empty() && self.pings.is_empty()
    }

    /// Does something while requests come in and lose patience. `None`: nobody waits any longer, or every handle is gone.
    async fn while_waiting<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            self.refuse_impatient();
            if self.nobody_waits() {
                return None;
            }
            let oldest = self.appends.iter().map(|append| append.since).min();
            let patience = oldest.unwrap_or_else(Instant::now) + self.setup.patience;
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                request = self.requests.recv() => match request {
                    Some(request) => self.take(request),
                    None => {
                        self.refuse_all("the log is being closed");
                        return None;
                    }
                },
                () = sleep_until(patience) => {
                    if self.appends.is_empty() {
                        self.fail_pings(&Trouble::Deadline(self.setup.patience));
                    }
                }
            }
        }
    }

    fn refuse_impatient(&mut self) {
        let patience = self.setup.patience;
        let late = |append: &super::request::Waiting| append.since.elapsed() >= patience;
        if !self.appends.iter().any(late) {
            return;
        }
        let (refused, kept): (VecDeque<_>, _) = self.appends.drain(..).partition(late);
        self.appends = kept;

        for append in refused {
            append.answer(Err(AppendError::Unavailable(unreachable_primary())));
        }
    }

    fn refuse_all(&mut self, reason: &'static str) {
        for append in self.appends.drain(..) {
            let fault = StoreFault::new("connecting to the primary").because(reason);
            append.answer(Err(AppendError::Unavailable(fault)));
        }
        for ping in self.pings.drain(..) {
            let _ = ping.send(Err(StoreFault::new("connecting to the primary").because(reason)));
        }
    }

    fn fail_pings(&mut self, trouble: &Trouble) {
        let reason = trouble.to_string();
        for ping in self.pings.drain(..) {
            let _ = ping.send(Err(StoreFault::new("connecting to the primary").because(reason.clone())));
        }
    }
}

fn unreachable_primary() -> StoreFault {
    StoreFault::new("waiting for the primary").because("it cannot be reached for writing")
}
