//! How a saga ended, and what it left behind.

use super::participant::Executed;
use crate::given::chain;
use gallae_core::{
    Aggregate, Id, RecordedEvent, decode,
    saga::{SagaEvent, SagaStatus},
};
use gallae_runtime::saga::SagaDescription;
use std::{sync::Arc, time::Duration};

/// What a run left behind.
#[derive(Clone, Debug)]
pub struct Ended {
    pub(super) saga: SagaDescription,
    pub(super) events: Vec<Arc<RecordedEvent>>,
    pub(super) executed: Vec<Executed>,
    pub(super) took: Duration,
}

impl Ended {
    /// Where the instance stands: terminal, stuck, or whatever it was when its time was over.
    pub fn status(&self) -> SagaStatus {
        self.saga.row.status
    }

    /// Why it stands there, in one sentence.
    pub fn why(&self) -> &str {
        &self.saga.why
    }

    /// The instance, whole.
    pub fn saga(&self) -> &SagaDescription {
        &self.saga
    }

    /// How long it took by its own clock.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Demands a status.
    ///
    /// # Panics
    /// When it is another, saying why and what happened.
    #[track_caller]
    pub fn assert_status(&self, expected: SagaStatus) -> &Self {
        assert!(
            self.status() == expected,
            "the saga is {}, expected {expected}: {}\n{}",
            self.status(),
            self.why(),
            self.story()
        );
        self
    }

    /// The steps that succeeded, in order.
    pub fn succeeded(&self) -> Vec<&str> {
        self.steps(|event| match event {
            SagaEvent::StepSucceeded { step, .. } => Some(step),
            _ => None,
        })
    }

    /// The steps that were undone, in order.
    pub fn undone(&self) -> Vec<&str> {
        self.steps(|event| match event {
            SagaEvent::StepUndone { step, .. } => Some(step),
            _ => None,
        })
    }

    fn steps(&self, named: fn(&SagaEvent) -> Option<&String>) -> Vec<&str> {
        self.timeline().filter_map(named).map(String::as_str).collect()
    }

    /// The calls that participants executed, in order.
    pub fn executed(&self) -> &[Executed] {
        &self.executed
    }

    /// An aggregate as the run left it.
    ///
    /// # Panics
    /// When one of its events cannot be read.
    #[track_caller]
    pub fn state<A: Aggregate>(&self, id: Id<A>) -> A {
        let stream = id.stream();
        let mut state = A::default();
        for event in self.events.iter().filter(|event| event.stream == stream) {
            let read = decode(&event.event_type, event.schema_version, &event.payload);
            state.evolve(&read.unwrap_or_else(|error| panic!("{}", chain(&error))));
        }
        state
    }

    /// Everything in the log, in order.
    pub fn events(&self) -> &[Arc<RecordedEvent>] {
        &self.events
    }

    pub(super) fn timeline(&self) -> impl Iterator<Item = &SagaEvent> {
        self.saga.timeline.iter().map(|entry| &entry.event)
    }

    /// What happened to the instance, a line each.
    pub(super) fn story(&self) -> String {
        self.timeline().map(|event| format!("    {event:?}\n")).collect()
    }
}
