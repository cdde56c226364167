use super::message::{Frame, Message, Side};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// When a fault happens.
#[derive(Clone, Debug)]
pub enum Moment {
    /// Instead of passing the message on.
    Before(Message),
    /// As soon as the message was passed on.
    After(Message),
    /// As soon as that many bytes of that side were passed on, counted over all connections from when the fault is set.
    Bytes(Side, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Cut,
    Hold,
}

/// A fault that was set: happens once.
#[derive(Clone, Debug)]
pub struct Fault {
    happened: Arc<(Mutex<bool>, Condvar)>,
}

impl Fault {
    /// Whether it has happened. A client may see its connection closed a moment earlier: [`wait`](Self::wait) for it then.
    pub fn happened(&self) -> bool {
        *lock(&self.happened.0)
    }

    /// Waits for it, at most that long. Says whether it has happened.
    pub fn wait(&self, limit: Duration) -> bool {
        let (happened, changed) = &*self.happened;
        let waited = changed.wait_timeout_while(lock(happened), limit, |happened| !*happened);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn note(&self) {
        *lock(&self.happened.0) = true;
        self.happened.1.notify_all();
    }
}

/// What the proxy was told to do wrong.
#[derive(Debug, Default)]
pub(super) struct Faults {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    held: bool,
    refusing: bool,
    closed: bool,
    delays: [Duration; 2],
}

#[derive(Debug)]
struct Rule {
    moment: Moment,
    /// Messages, or bytes, that still pass.
    left: u64,
    action: Action,
    fault: Fault,
}

/// What becomes of a frame.
#[derive(Debug)]
pub(super) struct Verdict {
    /// How many of its bytes pass.
    pub(super) passes: usize,
    /// What happens then.
    pub(super) then: Option<(Action, Fault)>,
}

impl Faults {
    pub(super) fn set(&self, moment: Moment, action: Action) -> Fault {
        let fault = Fault { happened: Arc::default() };
        let left = match &moment {
            Moment::Before(message) | Moment::After(message) => message.nth,
            Moment::Bytes(_, bytes) => *bytes,
        };
        lock(&self.state).rules.push(Rule { moment, left: left.max(1), action, fault: fault.clone() });
        fault
    }

    pub(super) fn judge(&self, side: Side, frame: &Frame) -> Verdict {
        let mut state = lock(&self.state);
        let length = frame.bytes.len();
        let meets = state.rules.iter_mut().position(|rule| rule.meets(side, frame));
        let Some(index) = meets else { return Verdict { passes: length, then: None } };
        let rule = state.rules.remove(index);
        let passes = match rule.moment {
            Moment::Before(_) => 0,
            Moment::After(_) => length,
            Moment::Bytes(..) => usize::try_from(rule.left).unwrap_or(length),
        };
        Verdict { passes, then: Some((rule.action, rule.fault)) }
    }

    /// Waits until `due`, and while everything is held. Says whether to go on: not when `over`.
    pub(super) fn may_pass(&self, due: Instant, over: impl Fn() -> bool) -> bool {
        let mut state = lock(&self.state);
        loop {
            if state.closed || over() {
                return false;
            }
            let now = Instant::now();
            if !state.held && now >= due {
                return true;
            }
            let pause = due.saturating_duration_since(now);
            // A cut connection is looked for now and then; what else changes is notified.
            let pause = if state.held { MOST } else { pause.min(MOST) };
            state = self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn hold(&self, held: bool) {
        lock(&self.state).held = held;
        self.changed.notify_all();
    }

    pub(super) fn refuse(&self, refusing: bool) {
        lock(&self.state).refusing = refusing;
    }

    pub(super) fn refuses(&self) -> bool {
        lock(&self.state).refusing
    }

    pub(super) fn delay(&self, side: Side, delay: Duration) {
        lock(&self.state).delays[side as usize] = delay;
    }

    pub(super) fn due(&self, side: Side) -> Instant {
        Instant::now() + lock(&self.state).delays[side as usize]
    }

    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }
}

const MOST: Duration = Duration::from_millis(20);

impl Rule {
    /// Counts the frame, and says whether it is the one.
    fn meets(&mut self, side: Side, frame: &Frame) -> bool {
        match &self.moment {
            Moment::Before(message) | Moment::After(message) => {
                if message.is(side, frame) {
                    self.left -= 1;
                    return self.left == 0;
                }
            }
            Moment::Bytes(of, _) => {
                let length = u64::try_from(frame.bytes.len()).unwrap_or(u64::MAX);
                if *of == side {
                    if self.left <= length {
                        return true;
                    }
                    self.left -= length;
                }
            }
        }
        false
    }
}

/// The state stays whole: nothing that can panic happens under the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
