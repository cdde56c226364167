//! Every port of this crate passes the suite of its port.

use gallae_conformance::{AppendFault, DurableHarness, FaultyHarness, Harness};
use gallae_core::Timestamp;
use gallae_memory::{
    Fault, ManualClock, MemoryBroker, MemoryCounters, MemoryLocks, MemoryLog, MemorySearch, MemoryViews,
    SeededEntropy,
};
use gallae_ports::Entropy;
use std::{sync::Arc, time::Duration};

/// Each case has a clock of its own, so that letting time pass is nobody else's business.
struct Log {
    clock: Arc<ManualClock>,
    entropy: SeededEntropy,
}

impl Log {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_790_000_000_000_000)));
        Self { clock, entropy: SeededEntropy::new(1) }
    }
}

impl Harness for Log {
    type Store = MemoryLog;

    async fn fresh(&self) -> MemoryLog {
        MemoryLog::new(self.entropy.uuid(), Arc::<ManualClock>::clone(&self.clock))
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }
}

impl FaultyHarness for Log {
    fn fail_next(&self, store: &MemoryLog, fault: AppendFault) {
        store.fail_next(match fault {
            AppendFault::Unavailable => Fault::Unavailable,
            AppendFault::IndeterminateWritten => Fault::IndeterminateWritten,
            AppendFault::IndeterminateLost => Fault::IndeterminateLost,
        });
    }
}

/// Memory has nothing to open again from but another handle: what one wrote, the other finds.
impl DurableHarness for Log {
    async fn reopen(&self, store: MemoryLog) -> MemoryLog {
        store.clone()
    }
}

impl DurableHarness for Views {
    async fn reopen(&self, store: MemoryViews) -> MemoryViews {
        store.clone()
    }
}

struct Locks(Arc<ManualClock>);

impl Locks {
    fn new() -> Self {
        Self(Arc::new(ManualClock::new(Timestamp::from_micros(1_790_000_000_000_000))))
    }
}

impl Harness for Locks {
    type Store = MemoryLocks;

    async fn fresh(&self) -> MemoryLocks {
        MemoryLocks::new(Arc::<ManualClock>::clone(&self.0), Arc::new(SeededEntropy::new(1)))
    }

    async fn pass(&self, time: Duration) {
        self.0.advance(time);
    }
}

struct Broker;

impl Harness for Broker {
    type Store = MemoryBroker;

    async fn fresh(&self) -> MemoryBroker {
        MemoryBroker::new(1024)
    }
}

macro_rules! projections {
    ($harness:ident, $store:ident) => {
        struct $harness;

        impl Harness for $harness {
            type Store = $store;

            async fn fresh(&self) -> $store {
                $store::new()
            }
        }
    };
}

projections!(Views, MemoryViews);
projections!(Search, MemorySearch);
projections!(Counters, MemoryCounters);

gallae_conformance::event_store_suite!(Log::new());
gallae_conformance::event_store_fault_suite!(Log::new());
gallae_conformance::event_store_durability_suite!(Log::new());
gallae_conformance::saga_store_suite!(Log::new());
gallae_conformance::snapshot_store_suite!(Log::new());
gallae_conformance::lease_store_suite!(Log::new());
gallae_conformance::dead_letter_store_suite!(Log::new());
gallae_conformance::credential_store_suite!(Log::new());
gallae_conformance::cursor_store_suite!(Log::new());
gallae_conformance::view_store_suite!(Views);
gallae_conformance::view_store_durability_suite!(Views);
gallae_conformance::search_store_suite!(Search);
gallae_conformance::counter_store_suite!(Counters);
gallae_conformance::broker_suite!(Broker);
gallae_conformance::bounded_broker_suite!(Broker);
gallae_conformance::lock_service_suite!(Locks::new());
