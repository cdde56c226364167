//! The one task of this process that writes to the log.
//!
//! ```text
//!   queue ─► group ─► decided from memory ─► one statement ─► acknowledged
//!                            │                     │
//!                            │ not simple          │ something was not as assumed
//!                            ▼                     ▼
//!                     the counter locked, rows read, decided again, written
//! ```
//!
//! While one group commits, the next one gathers: nobody waits for company. Other processes may write at the same time; whoever finds
//! the counter moved decides again.

use super::{
    admit::{Admission, Group},
    judge::Judge,
    known::Known,
    misses::Misses,
    prepared::Prepared,
    request::{Request, Waiting},
    session::{Entered, Failure, Limits, Session},
    statement::{Keys, write_group},
    tail::Tail,
};
use crate::{connect::Connector, fault::Trouble, schema::Schema};
use gallae_core::Position;
use gallae_ports::{AppendError, Appended, StoreFault};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// What one transaction takes at most, so that nobody waits long for a neighbour.
const GROUP_APPENDS: usize = 1_000;
const GROUP_BYTES: usize = 1_000_000;

/// A commit this recent proves that the store can be written, so a ping need not write.
const PROOF_OF_HEALTH: Duration = Duration::from_secs(1);

type Answer = Result<Appended, AppendError>;

/// What the batcher works with.
pub(super) struct Setup {
    pub(super) connector: Connector,
    pub(super) schema: Arc<Schema>,
    pub(super) prepare: bool,
    pub(super) limits: Limits,
    /// How long an append waits for the primary to come back.
    pub(super) patience: Duration,
    pub(super) channel: Arc<str>,
    pub(super) tail: Arc<Tail>,
    pub(super) store: Uuid,
}

/// See the module.
pub(super) struct Batcher {
    pub(super) setup: Setup,
    pub(super) requests: mpsc::UnboundedReceiver<Request>,
    pub(super) appends: VecDeque<Waiting>,
    pub(super) pings: Vec<oneshot::Sender<Result<(), StoreFault>>>,
    pub(super) session: Option<Session>,
    known: Known,
    misses: Misses,
    /// When a commit last succeeded, unless one has failed since.
    pub(super) proven: Option<Instant>,
}

impl Batcher {
    pub(super) fn new(setup: Setup, requests: mpsc::UnboundedReceiver<Request>) -> Self {
        Self {
            setup,
            requests,
            appends: VecDeque::new(),
            pings: Vec::new(),
            session: None,
            known: Known::at(0, 0),
            misses: Misses::default(),
            proven: None,
        }
    }

    /// Works until every handle is gone and everything queued is answered.
    pub(super) async fn run(mut self) {
        while self.gather().await {
            if self.connected().await {
                self.write_group().await;
                self.answer_pings().await;
            }
        }
    }

    /// Takes the session's beginning in. `seen` is how far the log was known to reach before.
    pub(super) fn enter(&mut self, session: Session, entered: Entered, seen: Position) {
        self.session = Some(session);
        let position = Position::new(entered.position);
        if position < seen {
            self.setup.tail.regressed(position);
        }
        self.known.restart(entered.position, entered.batch);
        self.setup.tail.heard(position);
    }

    /// Drops a session that is of no more use.
    pub(super) fn leave(&mut self) {
        self.session = None;
        self.proven = None;
    }

    async fn write_group(&mut self) {
        let group = self.take_group();
        if group.is_empty() {
            return;
        }
        self.known.age();
        if self.misses.often() { self.write_carefully(group).await } else { self.write_fast(group).await }
    }

    fn take_group(&mut self) -> Vec<Waiting> {
        let mut bytes = 0;
        let mut count = 0;
        for waiting in self.appends.iter().take(GROUP_APPENDS) {
            bytes += waiting.prepared.size;
            if count > 0 && bytes > GROUP_BYTES {
                break;
            }
            count += 1;
        }
        self.appends.drain(..count).collect()
    }

    /// Decides a group from memory and writes it with one statement.
    async fn write_fast(&mut self, mut waiting: Vec<Waiting>) {
        let before = (self.known.position, self.known.batch);
        let mut group = Group::default();
        let mut outcomes = Vec::with_capacity(waiting.len());
        for one in &waiting {
            match group.admit(&mut self.known, &one.prepared) {
                Admission::Careful => break,
                outcome => outcomes.push(outcome),
            }
        }
        let Some(session) = &mut self.session else { return };
        let admitted = outcomes.len();
        let written = if group.writes.is_empty() {
            Ok(true)
        } else {
            let (position, batch) = before;
            let channel = &self.setup.channel;
            let statement =
                write_group(&group.writes, &group.assumed, Keys::Unseen, position, batch, channel);
            session.write(&statement).await
        };
        let recorded = std::mem::take(&mut group.writes.recorded);
        let wrote = !group.writes.is_empty();
        drop(group);
        match written {
            Ok(true) => {
                if wrote {
                    self.misses.note(false);
                    self.committed(before.1, recorded);
                }
                let rest = waiting.split_off(admitted);
                let careful = admitted == 0;
                if careful {
                    self.write_carefully(rest).await;
                } else {
                    rest.into_iter().rev().for_each(|one| self.appends.push_front(one));
                    self.answer_admitted(waiting, outcomes).await;
                }
            }
            Ok(false) => {
                self.known.restart(before.0, before.1);
                self.write_carefully(waiting).await;
            }
            Err(failure) => {
                self.known.restart(before.0, before.1);
                if failure.is_key_violation() {
                    // Something is there that was not known. With the rows at hand only the guilty one is refused.
                    return self.write_carefully(waiting).await;
                }
                let rest = waiting.split_off(admitted);
                rest.into_iter().rev().for_each(|one| self.appends.push_front(one));
                let accepted: Vec<bool> =
                    outcomes.iter().map(|outcome| matches!(outcome, Admission::Accepted(_))).collect();
                self.failed(waiting, &accepted, failure).await;
            }
        }
    }

    /// Counts a transaction that has been committed, and shows its events.
    fn committed(&mut self, batch: u64, recorded: Vec<Arc<gallae_core::RecordedEvent>>) {
        self.known.batch = batch + 1;
        self.proven = Some(Instant::now());
        // Readers first: who wrote may read at once.
        self.setup.tail.committed(recorded);
    }

    /// Answers those who were accepted, and asks for the others whether there is more to say.
    async fn answer_admitted(&mut self, waiting: Vec<Waiting>, outcomes: Vec<Admission>) {
        let mut looks = Vec::new();
        for (one, outcome) in waiting.into_iter().zip(outcomes) {
            match outcome {
                Admission::Accepted(appended) => one.answer(Ok(appended)),
                Admission::Look(conflict) => looks.push((one, conflict)),
                Admission::Careful => self.appends.push_front(one),
            }
        }
        if !looks.is_empty() {
            self.look(looks).await;
        }
    }

    /// Answers appends that write nothing.
    async fn look(&mut self, looks: Vec<(Waiting, Option<AppendError>)>) {
        let Some(session) = &mut self.session else { return };
        let batches: Vec<&Prepared> = looks.iter().map(|(one, _)| &*one.prepared).collect();
        let facts = match session.look(&batches).await {
            Ok(facts) => facts,
            Err(trouble) => {
                let waiting = looks.into_iter().map(|(one, _)| one).collect();
                return self.not_written(waiting, trouble);
            }
        };
        // Memory is right as long as nobody else has written.
        let fresh = facts.batch == self.known.batch;
        if !fresh {
            self.known.restart(facts.position, facts.batch);
        }
        let owners = facts.claims.clone();
        let judge = Judge::new(facts, &owners);
        let mut again = Vec::new();
        for (one, conflict) in looks {
            match (judge.look(&one.prepared), conflict) {
                (Ok(Some(appended)), _) => one.answer(Ok(appended)),
                (Err(refusal), _) => one.answer(Err(refusal)),
                (Ok(None), Some(conflict)) if fresh => one.answer(Err(conflict)),
                (Ok(None), _) => again.push(one),
            }
        }
        again.into_iter().rev().for_each(|one| self.appends.push_front(one));
    }

    /// Decides a group with the counter locked and the rows at hand.
    pub(super) async fn write_carefully(&mut self, waiting: Vec<Waiting>) {
        let Some(session) = &mut self.session else { return };
        let batches: Vec<&Prepared> = waiting.iter().map(|one| &*one.prepared).collect();
        let facts = match session.lock(&batches).await {
            Ok(facts) => facts,
            Err(trouble) => return self.not_written(waiting, trouble),
        };
        let before = (facts.position, facts.batch);
        self.misses.note(before.1 != self.known.batch);
        self.known.restart(before.0, before.1);
        let owners = facts.claims.clone();
        let mut judge = Judge::new(facts, &owners);
        let answers: Vec<Answer> =
            waiting.iter().map(|one| judge.judge(&mut self.known, &one.prepared)).collect();
        let assumed = super::admit::Assumed::default();
        let recorded = std::mem::take(&mut judge.writes.recorded);
        let written = if judge.writes.is_empty() {
            session.roll_back().await.map(|()| false).map_err(Failure::Before)
        } else {
            let channel = &self.setup.channel;
            let statement = write_group(&judge.writes, &assumed, Keys::Seen, before.0, before.1, channel);
            session.write_and_commit(&statement).await
        };
        let wrote = !judge.writes.is_empty();
        drop(judge);
        match written {
            Ok(moved) if moved == wrote => {
                if wrote {
                    self.committed(before.1, recorded);
                }
                waiting.into_iter().zip(answers).for_each(|(one, answer)| one.answer(answer));
            }
            // The counter was held, so this is a defect of ours; nothing was written.
            Ok(_) => {
                let trouble = Trouble::Unreadable("the counter moved while it was held".to_owned());
                self.leave();
                self.not_written(waiting, trouble);
            }
            Err(failure) => {
                self.known.restart(before.0, before.1);
                let accepted: Vec<bool> = answers.iter().map(Result::is_ok).collect();
                self.failed(waiting, &accepted, failure).await;
            }
        }
    }

    async fn answer_pings(&mut self) {
        if self.pings.is_empty() {
            return;
        }
        let Some(session) = &mut self.session else { return };
        if self.proven.is_none_or(|proven| proven.elapsed() > PROOF_OF_HEALTH) {
            if let Err(trouble) = session.prove().await {
                if trouble.breaks_connection() {
                    self.leave();
                }
                let reason = trouble.to_string();
                for ping in self.pings.drain(..) {
                    let _ = ping.send(Err(StoreFault::new("asking the batcher").because(reason.clone())));
                }
                return;
            }
            self.proven = Some(Instant::now());
        }
        for ping in self.pings.drain(..) {
            let _ = ping.send(Ok(()));
        }
    }
}
