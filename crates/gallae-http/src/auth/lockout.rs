//! When wrong passwords close a login, one that exists and one that does not alike.

use gallae_core::Timestamp;
use gallae_ports::Credential;
use lru::LruCache;
use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Unknown logins remembered at once, 64 bytes each.
const STRANGERS: usize = 16 * 1024;

/// When wrong passwords close a login for a while: after `free` in a row, for `first`, doubling up to `longest`.
#[derive(Clone, Copy, Debug)]
pub struct Lockout {
    /// Wrong passwords in a row that cost nothing.
    pub free: u32,
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for Lockout {
    fn default() -> Self {
        Self { free: 5, first: Duration::from_secs(1), longest: Duration::from_secs(900) }
    }
}

impl Lockout {
    /// What one more wrong password makes of a login.
    pub(super) fn failed(&self, tries: Tries, now: Timestamp) -> Tries {
        let failures = tries.failures.saturating_add(1);
        let over = failures.saturating_sub(self.free);
        let wait = self.first.saturating_mul(2u32.saturating_pow(over.saturating_sub(1)));
        Tries { failures, locked_until: (over > 0).then(|| now.after(wait.min(self.longest))) }
    }
}

/// Wrong passwords in a row, and what they led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tries {
    pub(super) failures: u32,
    pub(super) locked_until: Option<Timestamp>,
}

impl Tries {
    /// Those of a login that exists.
    pub(super) fn of(credential: &Credential) -> Self {
        Self { failures: credential.failures, locked_until: credential.locked_until }
    }

    /// How long the login stays closed, if it is.
    pub(super) fn closed_for(&self, now: Timestamp) -> Option<Duration> {
        let until = self.locked_until.filter(|until| *until > now)?;
        Some(until.since(now).max(Duration::from_secs(1)))
    }
}

/// Wrong passwords for logins that do not exist: without them, only a login that exists would ever be closed, and so be told
/// apart. Kept in memory, since anybody can make up any number of logins; those tried longest ago are forgotten first. To have
/// one forgotten, somebody must spend the time of as many password checks as there are places.
pub(super) struct Strangers {
    /// By a hash that nobody outside can foresee: what was typed may be somebody's password, and is not kept.
    tries: Mutex<LruCache<u64, Tries>>,
    hasher: RandomState,
}

impl Strangers {
    pub(super) fn new() -> Self {
        // Unbounded, so that it grows with use; `set` holds the bound.
        Self { tries: Mutex::new(LruCache::unbounded()), hasher: RandomState::new() }
    }

    pub(super) fn tries(&self, login: &str) -> Tries {
        self.locked().get(&self.hasher.hash_one(login)).copied().unwrap_or_default()
    }

    /// Counts one more, from what is known now: guesses made at the same time all count.
    pub(super) fn failed(&self, login: &str, lockout: &Lockout, now: Timestamp) {
        let key = self.hasher.hash_one(login);
        let mut tries = self.locked();
        let before = tries.get(&key).copied().unwrap_or_default();
        tries.put(key, lockout.failed(before, now));
        while tries.len() > STRANGERS {
            tries.pop_lru();
        }
    }

    fn locked(&self) -> MutexGuard<'_, LruCache<u64, Tries>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let lockout = Lockout { free: 2, first: Duration::from_secs(1), longest: Duration::from_secs(5) };
        let now = Timestamp::from_micros(0);
        let mut tries = Tries::default();
        let waits: Vec<_> = (0..7)
            .map(|_| {
                tries = lockout.failed(tries, now);
                tries.closed_for(now).map_or(0, |wait| wait.as_secs())
            })
            .collect();
        assert_eq!(waits, [0, 0, 1, 2, 4, 5, 5]);
    }

    #[test]
    fn strangers_are_forgotten_when_there_are_too_many() {
        let (strangers, lockout) = (Strangers::new(), Lockout::default());
        let now = Timestamp::from_micros(0);
        strangers.failed("first", &lockout, now);
        for number in 0..STRANGERS {
            strangers.failed(&number.to_string(), &lockout, now);
        }
        assert_eq!(strangers.locked().len(), STRANGERS);
        assert_eq!(strangers.tries("first"), Tries::default());
        assert_eq!(strangers.tries("0").failures, 1);
    }
}
