//! The locks of one process.

use crate::generations::ready;
use gallae_ports::{BoxFuture, Clock, Entropy, LockGrant, LockRefusal, LockService, LockState, StoreFault};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Locks that have run out are swept when there are this many, and whenever the number has doubled since.
const SWEEP_AT: usize = 1024;

/// A [`LockService`] within one process.
///
/// Fencing tokens start at the wall clock's microseconds, so that they keep growing when the process starts again.
#[derive(Debug)]
pub struct MemoryLocks {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    locks: Mutex<Locks>,
}

#[derive(Debug)]
struct Locks {
    held: HashMap<String, Held>,
    last_token: u64,
    sweep_at: usize,
}

#[derive(Debug)]
struct Held {
    grant: LockGrant,
    /// By the monotonic clock.
    until: Duration,
}

impl MemoryLocks {
    /// Locks that run out by `clock` and whose secrets come from `entropy`.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let last_token = u64::try_from(clock.now().as_micros()).unwrap_or(0);
        let locks = Locks { held: HashMap::new(), last_token, sweep_at: SWEEP_AT };
        Self { clock, entropy, locks: Mutex::new(locks) }
    }

    fn locks(&self) -> MutexGuard<'_, Locks> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grant(&self, key: &str, holder: &str, ttl: Duration) -> Result<LockGrant, LockRefusal> {
        let now = self.clock.monotonic();
        let mut locks = self.locks();
        if let Some(held) = locks.held(key, now) {
            let (holder, remaining) = (held.grant.holder.clone(), held.until - now);
            return Err(LockRefusal { holder, remaining });
        }
        locks.sweep(now);
        locks.last_token += 1;
        let grant = LockGrant {
            key: key.to_owned(),
            holder: holder.to_owned(),
            fencing_token: locks.last_token,
            secret: self.entropy.uuid().as_u128(),
        };
        locks.held.insert(key.to_owned(), Held { grant: grant.clone(), until: now + ttl });
        Ok(grant)
    }
}

impl Locks {
    fn held(&mut self, key: &str, now: Duration) -> Option<&mut Held> {
        self.held.get_mut(key).filter(|held| now < held.until)
    }

    fn granted(&mut self, grant: &LockGrant, now: Duration) -> Option<&mut Held> {
        self.held(&grant.key, now).filter(|held| held.grant == *grant)
    }

    fn sweep(&mut self, now: Duration) {
        if self.held.len() >= self.sweep_at {
            self.held.retain(|_, held| now < held.until);
            self.sweep_at = SWEEP_AT.max(2 * self.held.len());
        }
    }
}

impl LockService for MemoryLocks {
    fn try_lock(
        &self,
        key: &str,
        holder: &str,
        ttl: Duration,
    ) -> BoxFuture<'_, Result<Result<LockGrant, LockRefusal>, StoreFault>> {
        ready(Ok(self.grant(key, holder, ttl)))
    }

    fn extend(&self, grant: &LockGrant, ttl: Duration) -> BoxFuture<'_, Result<bool, StoreFault>> {
        let now = self.clock.monotonic();
        ready(Ok(self.locks().granted(grant, now).map(|held| held.until = now + ttl).is_some()))
    }

    fn unlock(&self, grant: &LockGrant) -> BoxFuture<'_, Result<bool, StoreFault>> {
        let mut locks = self.locks();
        let held = locks.granted(grant, self.clock.monotonic()).is_some();
        if held {
            locks.held.remove(&grant.key);
        }
        ready(Ok(held))
    }

    fn lock_state(&self, key: &str) -> BoxFuture<'_, Result<Option<LockState>, StoreFault>> {
        let now = self.clock.monotonic();
        let mut locks = self.locks();
        ready(Ok(locks.held(key, now).map(|held| LockState {
            holder: held.grant.holder.clone(),
            fencing_token: held.grant.fencing_token,
            remaining: held.until - now,
        })))
    }

    fn break_lock(&self, key: &str) -> BoxFuture<'_, Result<bool, StoreFault>> {
        let mut locks = self.locks();
        let held = locks.held(key, self.clock.monotonic()).is_some();
        locks.held.remove(key);
        ready(Ok(held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ManualClock, SeededEntropy};
    use gallae_core::Timestamp;

    #[tokio::test]
    async fn tokens_keep_growing_across_a_restart() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_000)));
        let start = || MemoryLocks::new(Arc::<ManualClock>::clone(&clock), Arc::new(SeededEntropy::new(1)));
        let token = async |locks: MemoryLocks| {
            locks.try_lock("a", "me", Duration::from_secs(1)).await.unwrap().unwrap().fencing_token
        };
        let before = token(start()).await;
        clock.advance(Duration::from_millis(1));
        assert!(token(start()).await > before);
    }

    #[tokio::test]
    async fn locks_that_ran_out_take_no_room() {
        let clock = Arc::new(ManualClock::new(Timestamp::default()));
        let locks = MemoryLocks::new(Arc::<ManualClock>::clone(&clock), Arc::new(SeededEntropy::new(1)));
        for n in 0..10 * SWEEP_AT {
            let _ = locks.try_lock(&format!("k-{n}"), "me", Duration::from_secs(1)).await.unwrap().unwrap();
            clock.advance(Duration::from_millis(10));
        }
        assert!(locks.locks().held.len() <= SWEEP_AT);
    }
}
