//! Looking for damage.

use super::State;
use gallae_core::Position;
use gallae_ports::{CheckDepth, CheckReport};

/// What a check of the tail looks at.
const TAIL: usize = 1000;

impl State {
    pub(super) fn check(&self, depth: CheckDepth) -> CheckReport {
        let skip = match depth {
            CheckDepth::Tail => self.events.len().saturating_sub(TAIL),
            CheckDepth::Full => 0,
        };
        let mut report = CheckReport::default();
        for (index, event) in self.events.iter().enumerate().skip(skip) {
            report.events += 1;
            let expected = Position::new(index as u64 + 1);
            if event.position != expected {
                report.damage.push(format!("the event at position {expected} says {}", event.position));
            }
            let positions = self.streams.get(&event.stream).map_or(&[][..], Vec::as_slice);
            if positions.get(event.version.get() as usize - 1) != Some(&event.position) {
                report.damage.push(format!("{} v{} is not in its stream", event.stream, event.version));
            }
        }
        report
    }
}
