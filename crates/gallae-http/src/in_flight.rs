//! Keyed requests that this node is working on.

use crate::{Problem, codes};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The keys that are being worked on. Cheap to clone; all clones share them.
///
/// A courtesy to clients whose patience is shorter than ours: without it the second request would wait behind the first. Nothing
/// rests on it. On another node the store lets one of two win, and the other one gets its answer.
#[derive(Clone, Debug, Default)]
pub struct InFlight {
    keys: Arc<Mutex<HashSet<String>>>,
}

/// A request that is being worked on, until this is dropped.
#[derive(Debug)]
pub struct Flight {
    key: String,
    all: InFlight,
}

impl InFlight {
    /// Notes that a request under this key, in its full scope, is being worked on.
    ///
    /// # Errors
    /// 409 `IDEMPOTENCY_IN_FLIGHT` when one is already.
    pub fn begin(&self, key: &str) -> Result<Flight, Problem> {
        if !self.locked().insert(key.to_owned()) {
            let detail = "A request with this Idempotency-Key is under way. Repeat it shortly.";
            return Err(
                Problem::new(codes::IDEMPOTENCY_IN_FLIGHT, detail).retry_after(Duration::from_secs(1))
            );
        }
        Ok(Flight { key: key.to_owned(), all: self.clone() })
    }

    fn locked(&self) -> MutexGuard<'_, HashSet<String>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.all.locked().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_free_again_when_its_request_is_over() {
        let all = InFlight::default();
        let first = all.begin("kim|POST /orders|k").unwrap();
        let second = all.clone().begin("kim|POST /orders|k").unwrap_err();
        assert_eq!(second.code(), "IDEMPOTENCY_IN_FLIGHT");
        let other = all.begin("lee|POST /orders|k").unwrap();
        drop(first);
        let _again = all.begin("kim|POST /orders|k").unwrap();
        drop(other);
        assert_eq!(all.locked().len(), 1);
    }
}
