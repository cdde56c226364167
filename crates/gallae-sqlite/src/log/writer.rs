//! The only thread that writes.

use super::{
    append::Appender,
    checkpoint::Checkpoints,
    requests::{Pending, Queue, Request, Submitter},
    state::State,
};
use crate::error::{fault, is_disk_full, is_environmental};
use gallae_core::Position;
use gallae_ports::{Clock, RecentEvents, StoreFault};
use rusqlite::Connection;
use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};
use tokio::{runtime::Handle, sync::watch};

/// What one transaction takes at most, so that nobody waits long for a neighbour.
const GROUP_REQUESTS: usize = 2_000;
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// Answers that are worth handing over.
const MANY: usize = 8;

/// A commit this recent proves that the store can be written, so a ping need not write.
const PROOF_OF_HEALTH: Duration = Duration::from_secs(1);

/// Without requests for this long, the write-ahead log is folded into the database.
const IDLE: Duration = Duration::from_secs(1);

const COMMITTING: &str = "committing to the log";

/// The way to the writer. Dropping it waits until what is queued has been written.
#[derive(Debug)]
pub(super) struct WriterHandle {
    submitter: Option<Submitter>,
    thread: Option<thread::JoinHandle<()>>,
}

impl WriterHandle {
    pub(super) fn submitter(&self) -> &Submitter {
        self.submitter.as_ref().unwrap_or_else(|| unreachable!("taken only while being dropped"))
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        self.submitter = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has answered everybody by dropping their replies.
            let _ = thread.join();
        }
    }
}

/// Starts the writer's thread on `connection`; returns the way to it and the head of the log.
pub(super) fn start(
    connection: Connection,
    recent: Arc<RecentEvents>,
    clock: Arc<dyn Clock>,
) -> Result<(WriterHandle, watch::Receiver<Position>), StoreFault> {
    let (writer, head) =
        Writer::new(connection, recent, clock).map_err(|error| fault("reading the log's head", error))?;
    let (submitter, requests) = Submitter::new();
    let queue = submitter.queue();
    let thread = thread::Builder::new()
        .name("gallae-log-writer".to_owned())
        .spawn(move || writer.run(&requests, &queue))
        .map_err(|error| StoreFault::new("starting the writer's thread").because(error))?;
    Ok((WriterHandle { submitter: Some(submitter), thread: Some(thread) }, head))
}

struct Writer {
    connection: Connection,
    /// `None` after a transaction that failed: what is remembered may not be what is stored.
    state: Option<State>,
    recent: Arc<RecentEvents>,
    head: watch::Sender<Position>,
    clock: Arc<dyn Clock>,
    checkpoints: Checkpoints,
    /// Where the store was opened, if in one.
    runtime: Option<Handle>,
    /// When a commit last succeeded, unless one has failed since.
    proven: Option<Duration>,
    /// Whether the last transaction failed: said once, not for every request of an outage.
    failing: bool,
}

/// How a transaction failed.
enum Failure {
    /// Before its commit: nothing was written.
    Before(rusqlite::Error),
    /// In its commit.
    Commit(rusqlite::Error),
}

impl Writer {
    fn new(
        mut connection: Connection,
        recent: Arc<RecentEvents>,
        clock: Arc<dyn Clock>,
    ) -> rusqlite::Result<(Self, watch::Receiver<Position>)> {
        let state = State::load(&connection)?;
        let checkpoints = Checkpoints::watch(&mut connection)?;
        let (head, receiver) = watch::channel(state.head_position());
        let writer = Self {
            connection,
            state: Some(state),
            recent,
            head,
            clock,
            checkpoints,
            runtime: Handle::try_current().ok(),
            proven: None,
            failing: false,
        };
        Ok((writer, receiver))
    }

    fn run(mut self, requests: &mpsc::Receiver<Pending>, queue: &Queue) {
        let mut group = Vec::new();
        loop {
            let first = if self.checkpoints.pending() {
                requests.recv_timeout(IDLE)
            } else {
                requests.recv().map_err(mpsc::RecvTimeoutError::from)
            };
            match first {
                Ok(first) => {
                    queue.load.at_work(true);
                    gather(&mut group, first, requests);
                    self.process(&mut group);
                    self.checkpoints.between_groups(&self.connection);
                    queue.load.at_work(false);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => self.checkpoints.when_idle(&self.connection),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        self.checkpoints.end();
        self.checkpoints.when_idle(&self.connection);
    }

    /// Commits a group and answers every request in it.
    fn process(&mut self, group: &mut Vec<Request>) {
        match self.commit(group) {
            Ok(()) => {
                self.publish();
                self.answer(group);
            }
            // One request is to blame and nobody knows which: each gets a transaction of its own.
            Err(Failure::Before(error)) if group.len() > 1 && !is_environmental(&error) => {
                for request in group.drain(..) {
                    self.process(&mut vec![request]);
                }
            }
            Err(Failure::Before(error)) => self.fail(group, &error, true),
            Err(Failure::Commit(error)) => self.fail(group, &error, is_disk_full(&error)),
        }
    }

    /// Many answers wake their tasks from within the runtime, which costs a fraction of waking each from outside.
    fn answer(&self, group: &mut Vec<Request>) {
        match &self.runtime {
            Some(runtime) if group.len() >= MANY => {
                let group = std::mem::take(group);
                runtime.spawn(async move { group.into_iter().for_each(Request::succeed) });
            }
            _ => group.drain(..).for_each(Request::succeed),
        }
    }

    fn fail(&mut self, group: &mut Vec<Request>, error: &rusqlite::Error, nothing_written: bool) {
        if !self.failing {
            self.failing = true;
            tracing::error!(error = %error, requests = group.len(), nothing_written, "the log cannot be written");
        }
        let reason = error.to_string();
        for request in group.drain(..) {
            request.fail(|| StoreFault::new(COMMITTING).because(reason.clone()), nothing_written);
        }
    }

    fn commit(&mut self, group: &mut [Request]) -> Result<(), Failure> {
        let changes = self.connection.total_changes();
        let result = self.transact(group);
        match &result {
            // A transaction that changed nothing proves nothing.
            Ok(()) if self.connection.total_changes() > changes => {
                self.proven = Some(self.clock.monotonic());
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the log can be written again");
                }
            }
            Ok(()) => {}
            Err(_) => {
                self.proven = None;
                self.state = None;
                self.roll_back();
            }
        }
        result
    }

    fn transact(&mut self, group: &mut [Request]) -> Result<(), Failure> {
        let proven = self.is_proven();
        let connection = &self.connection;
        let mut run = || -> rusqlite::Result<()> {
            let state = match &mut self.state {
                Some(state) => state,
                state => state.insert(State::load(connection)?),
            };
            state.age();
            connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            let mut appender = Appender::new(connection, state)?;
            for request in group.iter_mut() {
                request.perform(connection, &mut appender, proven)?;
            }
            Ok(())
        };
        run().map_err(Failure::Before)?;
        let commit = || connection.prepare_cached("COMMIT")?.execute([]).map(drop);
        commit().map_err(Failure::Commit)
    }

    /// SQLite rolls back by itself after some errors and leaves the transaction open after others.
    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(error = %error, "the failed transaction could not be rolled back");
        }
    }

    fn is_proven(&self) -> bool {
        let now = self.clock.monotonic();
        self.proven.is_some_and(|proven| now.saturating_sub(proven) < PROOF_OF_HEALTH)
    }

    /// Shows what is durable to readers, before those who wrote it hear of it: they may read at once.
    fn publish(&mut self) {
        let Some(state) = &mut self.state else { return };
        if state.recorded.is_empty() {
            return;
        }
        self.recent.push(state.recorded.drain(..));
        self.head.send_replace(state.head_position());
    }
}

/// Fills `group` with what is queued, up to its limits.
fn gather(group: &mut Vec<Request>, first: Pending, requests: &mpsc::Receiver<Pending>) {
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(pending) = next {
        bytes += pending.bytes();
        group.push(pending.take());
        let full = group.len() >= GROUP_REQUESTS || bytes >= GROUP_BYTES;
        next = if full { None } else { requests.try_recv().ok() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connection::open_writer,
        log::{append::Prepared, requests::Closure},
        migrations::{LOG, migrate},
    };
    use gallae_core::{Actor, EventId, Metadata, Version};
    use gallae_ports::{AppendBatch, AppendError, Appended, Entropy, Expected, NewEvent};
    use gallae_runtime::{SystemClock, SystemEntropy};
    use tokio::sync::oneshot;

    type Answer = oneshot::Receiver<Result<Appended, AppendError>>;

    fn writer(directory: &std::path::Path) -> Writer {
        let path = directory.join("log.db");
        let mut connection = open_writer(&path).unwrap();
        migrate(&mut connection, &path, LOG).unwrap();
        connection.execute("INSERT INTO store VALUES (1, x'00', 0, 0)", []).unwrap();
        let recent = Arc::new(RecentEvents::new(10, 1_000));
        Writer::new(connection, recent, Arc::new(SystemClock::new())).unwrap().0
    }

    fn batch(stream: &str, expected: Expected) -> AppendBatch {
        let event = NewEvent {
            id: EventId::new(SystemEntropy.uuid()),
            event_type: "Happened".into(),
            schema_version: 1,
            payload: "{}".into(),
        };
        let metadata = Metadata::new("c-1".parse().unwrap(), Actor::Anonymous, "n");
        AppendBatch::new(SystemClock::new().now(), Arc::new(metadata)).stream(
            stream.parse().unwrap(),
            expected,
            vec![event],
        )
    }

    fn append(batch: &AppendBatch) -> (Request, Answer) {
        let (reply, answer) = oneshot::channel();
        let prepared = Box::new(Prepared::new(batch.clone()).unwrap());
        (Request::Append { prepared, outcome: None, reply }, answer)
    }

    fn ping(writer: &mut Writer) -> Result<(), StoreFault> {
        let (reply, mut answer) = oneshot::channel();
        writer.process(&mut vec![Request::Ping(reply)]);
        answer.try_recv().unwrap()
    }

    #[test]
    fn a_commit_that_fails_is_indeterminate_and_a_retry_resolves_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(directory.path());
        ping(&mut writer).unwrap();
        let wanted = batch("a-1", Expected::NoStream);
        let (first, mut first_answer) = append(&wanted);
        let (refused, mut refused_answer) = append(&batch("a-1", Expected::Exact(Version::new(7))));
        writer.connection.commit_hook(Some(|| true)).unwrap();
        writer.process(&mut vec![first, refused]);
        assert!(matches!(first_answer.try_recv().unwrap(), Err(AppendError::Indeterminate(_))));
        assert!(matches!(refused_answer.try_recv().unwrap(), Err(AppendError::Unavailable(_))));
        assert!(ping(&mut writer).is_err(), "a store that cannot commit is not healthy");

        writer.connection.commit_hook(None::<fn() -> bool>).unwrap();
        ping(&mut writer).unwrap();
        for replayed in [false, true] {
            let (again, mut answer) = append(&wanted);
            writer.process(&mut vec![again]);
            let appended = answer.try_recv().unwrap().unwrap();
            assert_eq!((appended.position, appended.replayed), (Position::new(1), replayed));
        }
        assert_eq!(*writer.head.borrow(), Position::new(1));
    }

    #[test]
    fn one_request_that_sqlite_refuses_fails_alone() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(directory.path());
        let (before, mut before_answer) = append(&batch("a-1", Expected::NoStream));
        let (reply, mut poison_answer) = oneshot::channel();
        let poison = Closure::new("breaking a rule", reply, |connection: &Connection| {
            connection.execute("INSERT INTO snapshots VALUES ('s', 1, 1, x'00')", [])?;
            connection.execute("INSERT INTO snapshots VALUES ('s', 1, 1, x'00')", [])
        });
        let (after, mut after_answer) = append(&batch("a-1", Expected::Exact(Version::new(1))));
        writer.process(&mut vec![before, Request::Work(Box::new(poison)), after]);
        assert_eq!(before_answer.try_recv().unwrap().unwrap().position, Position::new(1));
        assert!(poison_answer.try_recv().unwrap().is_err());
        assert_eq!(after_answer.try_recv().unwrap().unwrap().position, Position::new(2));
        let left: i64 =
            writer.connection.query_row("SELECT count(*) FROM snapshots", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "half of the refused request stayed");
    }

    #[test]
    fn under_load_the_write_ahead_log_does_not_grow_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = writer(directory.path());
        let (mut begun_anew, mut before) = (0, 0);
        for number in 0..1_000 {
            let mut large = batch(&format!("a-{number}"), Expected::NoStream);
            large.streams[0].events[0].payload = vec![b' '; 900_000].into();
            let (request, mut answer) = append(&large);
            writer.process(&mut vec![request]);
            answer.try_recv().unwrap().unwrap();
            writer.checkpoints.between_groups(&writer.connection);
            let pages = writer.checkpoints.pages();
            begun_anew += u32::from(pages < before);
            before = pages;
            if begun_anew == 2 {
                break;
            }
        }
        assert_eq!(begun_anew, 2, "the log only grew");
        writer.checkpoints.end();
        writer.checkpoints.when_idle(&writer.connection);
        assert_eq!(std::fs::metadata(directory.path().join("log.db-wal")).unwrap().len(), 0);
        assert!(!writer.checkpoints.pending());
    }
}
