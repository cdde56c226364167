//! Every order of outcomes that the planner can meet, up to a few attempts a step.

use super::{
    shop::{Checkout, Input, Trip, registrations},
    world::World,
};
use crate::saga::{
    CallOutcome, Effects, QueryOutcome, SagaRegistry,
    gate::Gate,
    instance::{Instance, without_input},
    row,
    transition::{Ask, Conditions, Incoming, Origin, Plan, Refusal, plan},
};
use gallae_core::{
    Actor, Aggregate, Metadata, Saga, SagaId, Timestamp, Version,
    saga::{Cause, Direction, SagaEvent, SagaState, SagaStatus, StepPhase},
};
use gallae_ports::Entropy;
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};
use uuid::Uuid;

/// Attempts after which a step is not made to fail any more.
const ATTEMPTS: u32 = 3;

/// No wait has any length: what waits is due at once.
#[derive(Debug)]
struct NoChance;

impl Entropy for NoChance {
    fn uuid(&self) -> Uuid {
        Uuid::nil()
    }
    fn fraction(&self) -> f64 {
        0.0
    }
}

/// A place in the exploration: an instance, the calls it waits for, and whether somebody has intervened.
#[derive(Clone)]
struct Place {
    instance: Instance,
    in_flight: Vec<(usize, Direction, bool)>,
    cancelled: bool,
    restarted: bool,
}

struct Exploration {
    effects: Effects,
    gate: Gate,
    seen: BTreeSet<String>,
    ends: BTreeSet<SagaStatus>,
}

#[test]
fn no_order_of_outcomes_breaks_the_rules() {
    for (saga, ends) in [
        (
            explore::<Checkout>(),
            [SagaStatus::Stuck, SagaStatus::Completed, SagaStatus::Rejected, SagaStatus::Compensated],
        ),
        (
            explore::<Trip>(),
            [SagaStatus::Stuck, SagaStatus::Completed, SagaStatus::Rejected, SagaStatus::Compensated],
        ),
    ] {
        assert_eq!(saga.ends, ends.into());
        assert!(saga.seen.len() > 300, "only {} states", saga.seen.len());
    }
}

fn explore<S: Saga<Input = Input>>() -> Exploration {
    let world = World::new();
    let effects = world.effects();
    let registry = SagaRegistry::new(registrations(), &effects).unwrap();
    let hash = S::graph().hash();
    let definition = Arc::clone(registry.runs(S::NAME, S::VERSION, &hash).unwrap());
    let id = SagaId::of(S::NAME, "1");
    let mut state = SagaState::default();
    state.evolve(&SagaEvent::Started {
        definition: S::NAME.into(),
        definition_version: S::VERSION,
        definition_hash: hash,
        business_key: "1".into(),
        input: json!(null),
        deadline: None,
    });
    let instance = Instance {
        id,
        definition,
        input: Arc::new(Input { order: Uuid::from_u128(1) }),
        state: without_input(state),
        ledger: Vec::new(),
        version: Version::new(1),
        last_event: Uuid::nil(),
        metadata: Arc::new(Metadata::new("flow".parse().unwrap(), Actor::Anonymous, "test")),
        user: None,
        started_at: Timestamp::default(),
    };
    let gate = Gate::new(Arc::default(), Arc::<gallae_memory::ManualClock>::clone(&world.clock));
    let mut exploration = Exploration { effects, gate, seen: BTreeSet::new(), ends: BTreeSet::new() };
    let start = Place { instance, in_flight: Vec::new(), cancelled: false, restarted: false };
    let mut open = exploration.follow(&start, &Incoming::Woken);
    while let Some(place) = open.pop() {
        if exploration.seen.insert(place.fingerprint()) {
            for incoming in place.possible() {
                open.extend(exploration.follow(&place, &incoming));
            }
            if !place.restarted && !place.in_flight.is_empty() {
                // The process dies: what was in flight is found out by its successor.
                let reborn = Place { in_flight: Vec::new(), restarted: true, ..place.clone() };
                open.extend(exploration.follow(&reborn, &Incoming::Woken));
            }
        }
    }
    exploration
}

impl Exploration {
    /// Every place that `incoming` can lead to: as planned, or with any one of the plan's commands refused by its domain.
    fn follow(&mut self, place: &Place, incoming: &Incoming) -> Vec<Place> {
        let planned = self.plan(place, incoming, &[]);
        let origins: Vec<_> = planned.origins.clone();
        let mut next = vec![self.arrive(place, incoming, planned)];
        // A refused release or note cannot be made good within the exploration.
        for origin in origins.into_iter().filter(|origin| matches!(origin, Origin::Local(_, Direction::Do))) {
            let refusal = Refusal { origin, code: "NO".into(), reason: "refused".into() };
            let replanned = self.plan(place, incoming, &[refusal]);
            assert!(!replanned.origins.contains(&origin), "a refused command is not issued again");
            next.push(self.arrive(place, incoming, replanned));
        }
        next
    }

    fn plan(&self, place: &Place, incoming: &Incoming, refusals: &[Refusal]) -> Plan {
        let landed = match incoming {
            Incoming::Answered { step, direction, .. } | Incoming::Told { step, direction, .. } => {
                Some((*step, *direction))
            }
            _ => None,
        };
        let in_flight: Vec<_> =
            place.in_flight.iter().map(|(step, direction, _)| (*step, *direction)).collect();
        let in_flight: Vec<_> = in_flight.into_iter().filter(|flight| Some(*flight) != landed).collect();
        let conditions = Conditions {
            now: Timestamp::default(),
            epoch: 1,
            store: Uuid::nil(),
            may_call: true,
            visiting: false,
            entropy: &NoChance,
            effects: &self.effects,
            gate: &self.gate,
            in_flight: &in_flight,
            refusals,
            broken: None,
        };
        plan(&place.instance, incoming, &conditions)
    }

    fn arrive(&mut self, place: &Place, incoming: &Incoming, plan: Plan) -> Place {
        assert_eq!(plan.commands.len(), plan.origins.len());
        let mut next = place.clone();
        if let Incoming::Answered { step, direction, .. } | Incoming::Told { step, direction, .. } = incoming
        {
            next.in_flight.retain(|(s, d, _)| (*s, *d) != (*step, *direction));
        }
        for call in &plan.calls {
            assert!(
                next.in_flight
                    .iter()
                    .all(|(step, direction, _)| (*step, *direction) != (call.step, call.direction)),
                "called twice at once"
            );
            next.in_flight.push((call.step, call.direction, matches!(call.ask, Ask::Query { .. })));
        }
        next.cancelled |= matches!(incoming, Incoming::Cancel { .. });
        check_fold(&place.instance, &plan);
        next.instance.state = plan.state;
        crate::saga::ledger::merge(&mut next.instance.ledger, plan.effects);
        self.check(&next);
        next
    }

    fn check(&mut self, place: &Place) {
        let state = &place.instance.state;
        let status = state.status.unwrap();
        let phases = || state.steps.iter().map(|(name, step)| (name, step.phase));
        // Nothing is ever silently stuck.
        let waits = row::waits(&place.instance.definition, state);
        let moving = !place.in_flight.is_empty() || !waits.is_empty();
        assert!(moving || status.is_terminal() || status == SagaStatus::Stuck, "nobody moves {state:?}");
        if status.is_terminal() {
            assert!(waits.is_empty() && place.in_flight.is_empty(), "{status} with loose ends: {state:?}");
        }
        match status {
            SagaStatus::Completed => {
                assert!(phases().all(|(_, phase)| matches!(phase, StepPhase::Succeeded | StepPhase::Skipped)))
            }
            SagaStatus::Compensated | SagaStatus::Rejected => {
                assert!(state.completed.is_empty());
                let without_effect = |phase| {
                    matches!(
                        phase,
                        StepPhase::Undone | StepPhase::Rejected | StepPhase::Ready | StepPhase::Backoff
                    )
                };
                assert!(phases().all(|(_, phase)| without_effect(phase)), "{status}: {state:?}");
            }
            _ => {}
        }
        let committed = row::is_committed(&place.instance.definition, state);
        assert!(
            !(committed && matches!(status, SagaStatus::Compensating | SagaStatus::Compensated)),
            "undone past the pivot"
        );
        // Undo never runs beside a call that may still take effect.
        if phases().any(|(_, phase)| matches!(phase, StepPhase::UndoDispatched)) {
            assert!(!phases().any(|(_, phase)| matches!(phase, StepPhase::Dispatched | StepPhase::Unknown)));
        }
        if status.is_terminal() || status == SagaStatus::Stuck {
            self.ends.insert(status);
        }
    }
}

/// The plan's state is the fold of its events, and undo goes strictly backwards.
fn check_fold(before: &Instance, plan: &Plan) {
    let mut state = before.state.clone();
    for event in &plan.events {
        if let SagaEvent::StepUndone { step, .. } = event {
            assert_eq!(state.completed.last(), Some(step), "undone out of order");
        }
        state.evolve(event);
    }
    assert_eq!(state, plan.state);
}

impl Place {
    fn fingerprint(&self) -> String {
        format!("{:?} {:?} {} {}", self.instance.state, self.in_flight, self.cancelled, self.restarted)
    }

    /// Everything that can reach the instance here.
    fn possible(&self) -> Vec<Incoming> {
        let mut possible = Vec::new();
        for (step, direction, is_query) in self.in_flight.iter().copied() {
            let name = self.instance.definition.steps[step].name;
            let fails = self.instance.state.step(name).attempt < ATTEMPTS;
            let refused = || ("NO".to_owned(), "refused".to_owned());
            if is_query {
                let (code, reason) = refused();
                let mut outcomes = vec![QueryOutcome::Executed(json!("done"))];
                if fails {
                    outcomes.push(QueryOutcome::Refused { code, reason });
                    outcomes.extend([QueryOutcome::NotExecuted, QueryOutcome::Unknown]);
                }
                possible.extend(outcomes.into_iter().map(|outcome| Incoming::Told {
                    step,
                    direction,
                    outcome,
                }));
            } else {
                let (code, reason) = refused();
                let mut outcomes = vec![CallOutcome::Succeeded(json!("done"))];
                if fails {
                    outcomes.push(CallOutcome::Rejected { code, reason });
                    outcomes.extend([
                        CallOutcome::Transient("t".into()),
                        CallOutcome::Unknown("u".into()),
                        CallOutcome::Permanent("p".into()),
                    ]);
                }
                possible.extend(outcomes.into_iter().map(|outcome| Incoming::Answered {
                    step,
                    direction,
                    outcome,
                }));
            }
        }
        let state = &self.instance.state;
        let (status, committed) =
            (state.status.unwrap(), row::is_committed(&self.instance.definition, state));
        if status.is_terminal() {
            return possible;
        }
        if !row::waits(&self.instance.definition, state).is_empty() {
            possible.push(Incoming::Woken);
        }
        if status == SagaStatus::Stuck && state.steps.values().all(|step| step.attempt < ATTEMPTS) {
            possible.push(Incoming::Retry { reason: "again".into() });
        }
        if !self.cancelled && !committed {
            possible.push(Incoming::Cancel { cause: Cause::Operator, reason: "no".into() });
        }
        possible
    }
}
