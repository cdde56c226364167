//! Every port of this crate passes the suite of its port.

use gallae_conformance::{AppendFault, FaultyHarness, Harness};
use gallae_core::Timestamp;
use gallae_memory::{Fault, ManualClock, MemoryLog, SeededEntropy};
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

gallae_conformance::event_store_suite!(Log::new());
gallae_conformance::event_store_fault_suite!(Log::new());
