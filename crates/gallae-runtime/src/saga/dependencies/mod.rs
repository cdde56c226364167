//! What keeps this node from hurting a participant that is slow, down or limited: a breaker, a rate, a limit of calls at once and a
//! budget for retries, for each dependency.
//!
//! A call that may not leave yet waits in memory for a moment; longer waits are recorded as held, with the reason, so that they are
//! seen, survive a crash and take no place. Waiting costs no attempt. Everything here is of one node: limits of a participant that
//! several nodes call are shared out by who configures them.

mod breaker;
mod tokens;

pub use breaker::{BreakerPolicy, BreakerState};

use breaker::{Breaker, Verdict};
use gallae_core::saga::HoldReason;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokens::Tokens;
use tokio::sync::Notify;

/// Calls that may wait in memory for one dependency; further ones are recorded as held.
const WAITERS: usize = 256;

/// How a participant is treated by one node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// When calls stop because they fail or are slow; never if absent.
    pub breaker: Option<BreakerPolicy>,
    /// Calls a second, and how many may leave at once after a pause; unlimited if absent.
    pub rate: Option<Rate>,
    /// Calls under way at the same time; unlimited if absent.
    pub concurrency: Option<usize>,
    /// How many retries there may be for each first call. Besides, one retry a second is always allowed, so that a quiet dependency
    /// is tried again at all.
    pub retry_ratio: f64,
}

impl Default for Limits {
    /// A breaker, a tenth of the calls for retries, no rate and no limit of calls at once.
    fn default() -> Self {
        Self { breaker: Some(BreakerPolicy::default()), rate: None, concurrency: None, retry_ratio: 0.1 }
    }
}

/// A rate of calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Calls a second.
    pub per_second: f64,
    /// Calls that may leave at once after a pause.
    pub burst: u32,
}

/// How calls to one participant are doing on this node.
#[derive(Clone, Debug, PartialEq)]
pub struct DependencyState {
    /// Its name.
    pub name: &'static str,
    /// Its limits.
    pub limits: Limits,
    /// Whether calls leave.
    pub breaker: BreakerState,
    /// How long until a breaker that is open lets probes through.
    pub opens_in: Option<Duration>,
    /// Calls that came back within the breaker's window.
    pub calls: u32,
    /// Of these, those that failed, from 0 to 1.
    pub failure_rate: f64,
    /// Of these, those that were slow, from 0 to 1.
    pub slow_rate: f64,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls that wait in memory.
    pub waiting: usize,
    /// Calls that may leave at once by the rate; absent without one.
    pub rate_left: Option<f64>,
    /// Retries that may leave now.
    pub retries_left: f64,
    /// Calls that were recorded as held since the start, by reason.
    pub held: BTreeMap<HoldReason, u64>,
}

/// Why, and for how long, a call may not leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hold {
    pub(super) why: HoldReason,
    /// The time after which it is worth asking again; absent when only another call's end can help.
    pub(super) after: Option<Duration>,
}

/// How a call went, for the participant's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    Bad,
    /// It says nothing about the participant.
    Neutral,
}

/// Every dependency of this node.
#[derive(Default)]
pub(super) struct Dependencies(BTreeMap<&'static str, Arc<Dependency>>);

/// One participant.
pub(super) struct Dependency {
    name: &'static str,
    limits: Limits,
    inner: Mutex<Inner>,
    /// Rung, for the one that waits longest, when a call has come back.
    pub(super) freed: Notify,
}

struct Inner {
    breaker: Option<Breaker>,
    rate: Option<Tokens>,
    retries: Tokens,
    in_flight: usize,
    waiting: usize,
    held: BTreeMap<HoldReason, u64>,
}

/// The right to make one call. Dropped without a word, it leaves no trace but a free place.
pub(super) struct Permit {
    dependency: Arc<Dependency>,
    probe: bool,
    settled: bool,
}

/// A place among those that wait in memory.
pub(super) struct Waiter(pub(super) Arc<Dependency>);

impl Dependencies {
    pub(super) fn new(limits: impl IntoIterator<Item = (&'static str, Limits)>) -> Self {
        Self(
            limits
                .into_iter()
                .map(|(name, limits)| (name, Arc::new(Dependency::new(name, limits))))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Dependency>> {
        self.0.get(name)
    }

    /// A call to this dependency is recorded as held.
    pub(super) fn note_held(&self, name: &str, why: HoldReason) {
        if let Some(dependency) = self.get(name) {
            dependency.note_held(why);
        }
    }

    pub(super) fn states(&self, now: Duration) -> Vec<DependencyState> {
        self.0.values().map(|dependency| dependency.state(now)).collect()
    }
}

impl Dependency {
    fn new(name: &'static str, limits: Limits) -> Self {
        let inner = Inner {
            breaker: limits.breaker.map(Breaker::new),
            rate: limits.rate.map(|rate| Tokens::new(rate.per_second, f64::from(rate.burst.max(1)))),
            retries: Tokens::new(1.0, 10.0),
            in_flight: 0,
            waiting: 0,
            held: BTreeMap::new(),
        };
        Self { name, limits, inner: Mutex::new(inner), freed: Notify::new() }
    }

    /// Asks for the right to make a call; nothing is taken when it is refused. What asks whether a call happened is no retry.
    pub(super) fn ask(self: &Arc<Self>, retry: bool, now: Duration) -> Result<Permit, Hold> {
        let mut inner = self.inner();
        let Inner { breaker, rate, retries, in_flight, .. } = &mut *inner;
        if let Some(after) = breaker.as_mut().and_then(|breaker| breaker.closed_for(now)) {
            return Err(Hold { why: HoldReason::Breaker, after });
        }
        if self.limits.concurrency.is_some_and(|most| *in_flight >= most) {
            return Err(Hold { why: HoldReason::Concurrency, after: None });
        }
        if let Some(after) = rate.as_mut().and_then(|rate| rate.wait(now)) {
            return Err(Hold { why: HoldReason::Rate, after: Some(after) });
        }
        if retry && let Some(after) = retries.wait(now) {
            return Err(Hold { why: HoldReason::RetryBudget, after: Some(after) });
        }
        if let Some(rate) = rate {
            rate.take();
        }
        match retry {
            true => retries.take(),
            false => retries.give(self.limits.retry_ratio),
        }
        let probe = breaker.as_mut().is_some_and(Breaker::begin);
        *in_flight += 1;
        Ok(Permit { dependency: Arc::clone(self), probe, settled: false })
    }

    /// A place to wait in, unless too many wait already.
    pub(super) fn wait(self: &Arc<Self>) -> Option<Waiter> {
        let mut inner = self.inner();
        if inner.waiting >= WAITERS {
            return None;
        }
        inner.waiting += 1;
        Some(Waiter(Arc::clone(self)))
    }

    fn note_held(&self, why: HoldReason) {
        *self.inner().held.entry(why).or_default() += 1;
        metrics::counter!("gallae_saga_held_total", "dependency" => self.name, "why" => why.as_str())
            .increment(1);
    }

    fn end(&self, probe: bool, outcome: Option<Verdict>) {
        let mut inner = self.inner();
        inner.in_flight -= 1;
        if let Some(breaker) = &mut inner.breaker {
            let before = breaker.state();
            breaker.end(probe, outcome);
            let after = breaker.state();
            if before != after {
                tracing::warn!(
                    dependency = self.name,
                    from = before.as_str(),
                    to = after.as_str(),
                    "a breaker moved"
                );
                metrics::counter!("gallae_saga_breaker_moves_total", "dependency" => self.name, "to" => after.as_str())
                    .increment(1);
            }
        }
        drop(inner);
        self.freed.notify_one();
    }

    fn state(&self, now: Duration) -> DependencyState {
        let mut inner = self.inner();
        let Inner { breaker, rate, retries, in_flight, waiting, held } = &mut *inner;
        let figures = breaker.as_mut().map(|breaker| breaker.figures(now)).unwrap_or_default();
        DependencyState {
            name: self.name,
            limits: self.limits,
            breaker: breaker.as_ref().map_or(BreakerState::Closed, Breaker::state),
            opens_in: figures.opens_in,
            calls: figures.calls,
            failure_rate: figures.failure_rate,
            slow_rate: figures.slow_rate,
            in_flight: *in_flight,
            waiting: *waiting,
            rate_left: rate.as_mut().map(|rate| rate.left(now)),
            retries_left: retries.left(now),
            held: held.clone(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The call came back after `elapsed`, at `now`.
    pub(super) fn settle(mut self, health: Health, elapsed: Duration, now: Duration) {
        self.settled = true;
        let outcome =
            (health != Health::Neutral).then_some(Verdict { failed: health == Health::Bad, elapsed, now });
        self.dependency.end(self.probe, outcome);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.settled {
            self.dependency.end(self.probe, None);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.inner().waiting -= 1;
    }
}

impl fmt::Debug for Dependencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
