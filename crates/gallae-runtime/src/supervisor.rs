//! Background tasks that are started again when they fail, and stopped within a bound.

use gallae_ports::Clock;
use std::{
    collections::BTreeMap,
    future::{Future, pending},
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinError;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// How long to wait before a failed task is started again: doubling from `initial` to `cap`, back to `initial` once a run
/// has lasted longer than `cap`.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Before the first restart.
    pub initial: Duration,
    /// The longest wait.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_millis(100), cap: Duration::from_secs(30) }
    }
}

/// How a supervised task is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskState {
    /// Whether it is running now, rather than waiting for a restart or finished.
    pub running: bool,
    /// How often it was started again.
    pub restarts: u64,
    /// The last failure, in words.
    pub last_error: Option<String>,
}

/// Owns every background task of a platform.
#[derive(Clone, Debug)]
pub struct Supervisor {
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    tasks: TaskTracker,
    states: Arc<Mutex<BTreeMap<String, TaskState>>>,
}

impl Supervisor {
    /// A supervisor with no tasks.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        Self { clock, stop, tasks, states: Arc::default() }
    }

    /// Cancelled when the tasks should end: they finish what they hold and return.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task. `run` is called again, after a wait, whenever it returns an error or panics; it ends the task by
    /// returning `Ok`.
    #[expect(clippy::disallowed_methods, reason = "the owner of the runtime's tasks")]
    pub fn supervise<F, E>(
        &self,
        name: impl Into<String>,
        backoff: Backoff,
        run: impl Fn(CancellationToken) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::error::Error + Send + 'static,
    {
        let (name, this) = (name.into(), self.clone());
        self.tasks.spawn(async move {
            let mut wait = backoff.initial;
            loop {
                this.note(&name, |state| state.running = true);
                let began = this.clock.monotonic();
                let error = match tokio::spawn(run(this.stop.clone())).await {
                    Ok(Ok(())) => break this.note(&name, |state| state.running = false),
                    Ok(Err(error)) => error_chain(&error),
                    Err(panic) => format!("it panicked: {panic}"),
                };
                tracing::error!(
                    task = name,
                    error,
                    wait_ms = wait.as_millis() as u64,
                    "a background task failed; it is started again"
                );
                metrics::counter!("gallae_task_restarts_total", "task" => name.clone()).increment(1);
                this.note(&name, |state| {
                    state.running = false;
                    state.restarts += 1;
                    state.last_error = Some(error);
                });
                if this.clock.monotonic().saturating_sub(began) > backoff.cap {
                    wait = backoff.initial;
                }
                tokio::select! {
                    () = this.clock.sleep(wait) => {}
                    () = this.stop.cancelled() => break,
                }
                wait = (wait * 2).min(backoff.cap);
            }
        });
    }

    /// Carries `work` to its end even when nobody waits for it any more, as when the client of a request hangs up. A drain waits for
    /// it too. A panic of `work` goes on in whoever waits.
    pub async fn to_the_end<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        match self.tasks.spawn(work.in_current_span()).await.map_err(JoinError::try_into_panic) {
            Ok(done) => done,
            Err(Ok(panic)) => resume_unwind(panic),
            // Nobody has a handle to abort it with: the whole runtime is going down, and whoever waits with it.
            Err(Err(_)) => pending().await,
        }
    }

    /// How each task is doing, by name.
    pub fn states(&self) -> BTreeMap<String, TaskState> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks every task to end and waits for them, at most `within`; `false` if some were still running then.
    pub async fn drain(&self, within: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => true,
            () = self.clock.sleep(within) => false,
        }
    }

    fn note(&self, name: &str, change: impl FnOnce(&mut TaskState)) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || TaskState { running: false, restarts: 0, last_error: None };
        change(states.entry(name.to_owned()).or_insert_with(fresh));
    }
}

/// An error with everything it was caused by, for a log line.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
