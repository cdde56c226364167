//! Where calls of one instance ask whether they may leave. A plan may ask the same again: what was granted to it stays granted.

use super::dependencies::{Dependencies, Hold, Permit, Waiter};
use gallae_core::saga::{Direction, HoldReason};
use gallae_ports::Clock;
use std::{cell::RefCell, sync::Arc, time::Duration};

/// How long a call waits in memory before it is recorded as held.
const PATIENCE: Duration = Duration::from_secs(1);

type Call = (usize, Direction);

/// The gate of one instance.
pub(super) struct Gate {
    dependencies: Arc<Dependencies>,
    clock: Arc<dyn Clock>,
    tickets: RefCell<Vec<(Call, Ticket)>>,
    /// Since when calls have been waiting in memory.
    waiting: RefCell<Vec<(Call, Duration)>>,
}

/// What a call takes along.
pub(super) enum Ticket {
    Permit(Permit),
    Waiter(Waiter),
}

/// Whether a call may leave.
pub(super) enum Pass {
    Go,
    /// It waits in memory.
    Wait {
        at_most: Duration,
    },
    /// It is to be recorded as held.
    Hold {
        why: HoldReason,
        after: Duration,
    },
}

impl Gate {
    pub(super) fn new(dependencies: Arc<Dependencies>, clock: Arc<dyn Clock>) -> Self {
        Self { dependencies, clock, tickets: RefCell::default(), waiting: RefCell::default() }
    }

    pub(super) fn ask(&self, step: usize, direction: Direction, dependency: &str, retry: bool) -> Pass {
        let call = (step, direction);
        let mut tickets = self.tickets.borrow_mut();
        if tickets.iter().any(|(known, ticket)| *known == call && matches!(ticket, Ticket::Permit(_))) {
            return Pass::Go;
        }
        let Some(dependency) = self.dependencies.get(dependency) else { return Pass::Go };
        let now = self.clock.monotonic();
        let mut waiting = self.waiting.borrow_mut();
        let Hold { why, after } = match dependency.ask(retry, now) {
            Ok(permit) => {
                waiting.retain(|(known, _)| *known != call);
                tickets.push((call, Ticket::Permit(permit)));
                return Pass::Go;
            }
            Err(hold) => hold,
        };
        let since = waiting.iter().find(|(known, _)| *known == call).map_or(now, |(_, since)| *since);
        let left = PATIENCE.saturating_sub(now.saturating_sub(since));
        if !left.is_zero()
            && after.is_none_or(|after| after <= left)
            && let Some(waiter) = dependency.wait()
        {
            if since == now {
                waiting.push((call, now));
            }
            tickets.push((call, Ticket::Waiter(waiter)));
            return Pass::Wait { at_most: after.unwrap_or(left) };
        }
        waiting.retain(|(known, _)| *known != call);
        Pass::Hold { why, after: after.unwrap_or_default() }
    }

    /// What was granted to a call that leaves now.
    pub(super) fn take(&mut self, step: usize, direction: Direction) -> Option<Ticket> {
        let tickets = self.tickets.get_mut();
        let place = tickets.iter().position(|(known, _)| *known == (step, direction))?;
        Some(tickets.swap_remove(place).1)
    }

    /// Gives back what was granted and not used.
    pub(super) fn give_back(&mut self) {
        self.tickets.get_mut().clear();
    }
}
