//! Stops calls to a participant that fails or has become slow, and lets a few through from time to time to see whether it is back.

use std::{collections::VecDeque, time::Duration};

/// How long each part of the window is.
const PART: Duration = Duration::from_secs(1);

/// When a breaker opens, and when it closes again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerPolicy {
    /// The time over which calls are counted; at least a second.
    pub window: Duration,
    /// Fewer calls than this say nothing.
    pub min_calls: u32,
    /// Opens when this part of the calls fail, from 0 to 1.
    pub failure_rate: f64,
    /// A call that takes longer is slow.
    pub slow_after: Duration,
    /// Opens when this part of the calls are slow, from 0 to 1.
    pub slow_rate: f64,
    /// How long it stays open before probes are let through; doubled each time that they fail, up to sixteen times as long.
    pub open_for: Duration,
    /// Probes let through; when all of them have come back well it closes, when one fails it opens again.
    pub probes: u32,
}

impl Default for BreakerPolicy {
    /// Half of at least twenty calls within 30 s failed, or four in five took longer than 3 s; five seconds; three probes.
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            min_calls: 20,
            failure_rate: 0.5,
            slow_after: Duration::from_secs(3),
            slow_rate: 0.8,
            open_for: Duration::from_secs(5),
            probes: 3,
        }
    }
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls leave.
    Closed,
    /// None leaves.
    Open,
    /// Probes leave.
    HalfOpen,
}

impl BreakerState {
    /// The word that is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// What a call that came back says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) failed: bool,
    pub(super) elapsed: Duration,
    pub(super) now: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) calls: u32,
    pub(super) failure_rate: f64,
    pub(super) slow_rate: f64,
    pub(super) opens_in: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Breaker {
    policy: BreakerPolicy,
    place: Place,
    /// Opened this often without having closed in between.
    opened: u32,
    window: VecDeque<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Closed,
    Open { until: Duration },
    HalfOpen { under_way: u32, good: u32 },
}

#[derive(Clone, Copy, Debug)]
struct Part {
    began: Duration,
    calls: u32,
    failed: u32,
    slow: u32,
}

impl Breaker {
    pub(super) fn new(policy: BreakerPolicy) -> Self {
        Self { policy, place: Place::Closed, opened: 0, window: VecDeque::new() }
    }

    pub(super) fn state(&self) -> BreakerState {
        match self.place {
            Place::Closed => BreakerState::Closed,
            Place::Open { .. } => BreakerState::Open,
            Place::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// `None`: a call may leave. Otherwise how long it may not, if that is known.
    pub(super) fn closed_for(&mut self, now: Duration) -> Option<Option<Duration>> {
        if let Place::Open { until } = self.place {
            if now < until {
                return Some(Some(until - now));
            }
            self.place = Place::HalfOpen { under_way: 0, good: 0 };
        }
        match self.place {
            Place::HalfOpen { under_way, good } if under_way + good >= self.policy.probes.max(1) => {
                Some(None)
            }
            _ => None,
        }
    }

    /// A call leaves; whether it is a probe.
    pub(super) fn begin(&mut self) -> bool {
        match &mut self.place {
            Place::HalfOpen { under_way, .. } => {
                *under_way += 1;
                true
            }
            _ => false,
        }
    }

    /// A call came back, or was given up without a verdict.
    pub(super) fn end(&mut self, probe: bool, verdict: Option<Verdict>) {
        let bad = verdict.map(|verdict| verdict.failed || verdict.elapsed > self.policy.slow_after);
        if let Place::HalfOpen { under_way, good } = &mut self.place {
            // What left before it opened says nothing about now.
            if !probe {
                return;
            }
            *under_way = under_way.saturating_sub(1);
            match (bad, verdict) {
                (Some(true), Some(verdict)) => self.open(verdict.now),
                (Some(false), _) => {
                    *good += 1;
                    if *good >= self.policy.probes.max(1) {
                        (self.place, self.opened) = (Place::Closed, 0);
                        self.window.clear();
                    }
                }
                _ => {}
            }
            return;
        }
        let Some(verdict) = verdict.filter(|_| self.place == Place::Closed) else { return };
        self.count(verdict);
        let Figures { calls, failure_rate, slow_rate, .. } = self.figures(verdict.now);
        let trips = failure_rate >= self.policy.failure_rate || slow_rate >= self.policy.slow_rate;
        if calls >= self.policy.min_calls.max(1) && trips {
            self.open(verdict.now);
        }
    }

    pub(super) fn figures(&mut self, now: Duration) -> Figures {
        let oldest = now.saturating_sub(self.policy.window.max(PART));
        while self.window.front().is_some_and(|part| part.began < oldest) {
            self.window.pop_front();
        }
        let sum = |of: fn(&Part) -> u32| self.window.iter().map(of).sum::<u32>();
        let (calls, failed, slow) = (sum(|part| part.calls), sum(|part| part.failed), sum(|part| part.slow));
        let rate = |count: u32| f64::from(count) / f64::from(calls.max(1));
        let opens_in = match self.place {
            Place::Open { until } => Some(until.saturating_sub(now)),
            _ => None,
        };
        Figures { calls, failure_rate: rate(failed), slow_rate: rate(slow), opens_in }
    }

    fn open(&mut self, now: Duration) {
        let longer = 1 << self.opened.min(4);
        self.place = Place::Open { until: now + self.policy.open_for * longer };
        self.opened += 1;
        self.window.clear();
    }

    fn count(&mut self, verdict: Verdict) {
        let began = Duration::from_secs(verdict.now.as_secs());
        if self.window.back().is_none_or(|part| part.began != began) {
            self.window.push_back(Part { began, calls: 0, failed: 0, slow: 0 });
        }
        if let Some(part) = self.window.back_mut() {
            part.calls += 1;
            part.failed += u32::from(verdict.failed);
            part.slow += u32::from(verdict.elapsed > self.policy.slow_after);
        }
    }
}
